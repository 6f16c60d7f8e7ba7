"""The embedding side of ENCODE: the catalogue in, `item-embeddings` out, a micro-batch a step.

It reads `items` by a follower of its own, apart from `EncodeCore`, which hides and shows items:
however slow encoders and hosts of pictures are, a deletion waits for neither.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from millstream.models.embedding import Embedding, Part
from millstream.models.vector_cache import VectorCache
from millstream.streams.dead_letters import dead_letter
from millstream.streams.embed_batch import Done, EmbedBatch, Job
from millstream.streams.embed_counts import EmbedCounts
from millstream.streams.embed_index import (
    UNREADABLE,
    EmbedIndex,
    among,
    same_content,
)
from millstream.streams.embed_inputs import Failure, InputReader
from millstream.streams.embedding_message import (
    RejectedEmbedding,
    decode_embedding,
    encode_embedding,
)
from millstream.streams.item_content import decode_content
from millstream.streams.item_message import RejectedItem, item_of_key
from millstream.streams.item_parts import Makers
from millstream.streams.log import Follower, Log, Message, Record
from millstream.streams.patience import Patience
from millstream.streams.positions import Partition
from millstream.streams.settings import Settings

HEARD_MAX: Final = 1000
"""Records of `item-embeddings` looked at a step: more than a step writes, so none pile up."""

Embedded = Sequence[tuple[str, Embedding | None]]


def tell_nobody(embedded: Embedded) -> None:
    """Let what was embedded pass."""


class Embedder:
    """Keeps `item-embeddings` equal to what encoders make of the owned partitions of `items`.

    Its records go to the partition that the item's own message stood in, whatever partitioner
    the producer of the catalogue uses: who owns one owns the other. One thread calls `step`;
    any may call `assign`.
    """

    def __init__(
        self,
        settings: Settings,
        log: Log,
        makers: Makers,
        inputs: InputReader,
        patience: Patience,
        on_embedded: Callable[[Embedded], None] = tell_nobody,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_embedded` hears of each item just before it is published; None: it is deleted."""
        self._settings = settings
        self._items = settings.topics.name("items")
        self._embeddings = settings.topics.name("item_embeddings")
        self._dead_letters = settings.topics.name("dead_letters")
        self._log = log
        self._makers = makers
        self._modalities = frozenset(makers)
        self._inputs = inputs
        self._patience = patience
        self._on_embedded = on_embedded
        self._clock_s = clock_s
        self._cache = VectorCache(settings.encode.cache_mb * 1_000_000)
        self._index = EmbedIndex(settings.model.items_max)
        self._asked: tuple[Partition, ...] = ()
        self._owned: tuple[Partition, ...] = ()
        self._fresh: Follower | None = None
        self._published: Follower | None = None
        self._written: set[tuple[int, int]] = set()  # ours that have not come back yet
        self._renewing: Follower | None = None
        self._renewed_to: dict[Partition, int] = {}
        self.counts = EmbedCounts()

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Own these partitions of `items` from the next step on; what is under way is dropped."""
        self._asked = tuple(partitions)

    def step(self, timeout_s: float = 0.0) -> int:
        """Do one micro-batch and return how many records it took, 0 when there is nothing to do.

        Waits up to `timeout_s` for new records. Vectors of an older encoder are renewed only
        when nothing new is there.
        """
        if self._asked is not self._owned:
            self._begin(self._asked)
        if self._fresh is None:
            return 0
        self._listen()
        most = self._settings.encode.batch_max
        records = self._fresh.poll(0.0 if self._index.old else timeout_s, most)
        if records:
            self._embed(records, renewing=False)
            return len(records)
        return self._renew(most)

    @property
    def old(self) -> int:
        """Return how many items have vectors of an older encoder."""
        return self._index.old

    def behind(self) -> int:
        """Return how many records of the catalogue have not been looked at."""
        follower = self._fresh
        if follower is None:
            return 0
        bounds = self._patience.call(lambda: self._log.bounds_of(self._owned))
        return sum(max(end - follower.position(*tp), 0) for tp, (_, end) in bounds.items())

    def close(self) -> None:
        """Stop following."""
        for follower in (self._fresh, self._renewing, self._published):
            if follower is not None:
                follower.close()
        self._fresh = self._renewing = self._published = None

    def _begin(self, asked: tuple[Partition, ...]) -> None:
        """Learn what is published for these partitions, then follow the catalogue anew."""
        self.close()
        self._index = EmbedIndex(self._settings.model.items_max)
        self._written.clear()
        held = [(self._embeddings, p) for _, p in asked]
        bounds = self._patience.call(lambda: self._log.bounds_of(held))
        for tp, (begin, end) in bounds.items():
            self._patience.call(lambda: self._restore(tp, begin, end))  # noqa: B023
        if asked:
            ends = {tp: end for tp, (_, end) in bounds.items()}
            self._published = self._patience.call(lambda: self._log.follow(ends))
            self._follow(asked)
        self._owned = asked

    def _follow(self, owned: tuple[Partition, ...]) -> None:
        """Follow the catalogue from its beginning."""
        if self._fresh is not None:
            self._fresh.close()
            self._fresh = None
        bounds = self._patience.call(lambda: self._log.bounds_of(owned))
        starts = {tp: begin for tp, (begin, _) in bounds.items()}
        self._fresh = self._patience.call(lambda: self._log.follow(starts))

    def _restore(self, tp: Partition, begin: int, end: int) -> None:
        for record in self._log.read(*tp, begin, end):
            self._note(record)

    def _note(self, record: Record) -> bool:
        """Note what is published of an item; return whether that is something else than before."""
        item = item_of_key(record.key)
        if item is None:
            return False
        before = self._index.get(item)
        found = None if record.value is None else decode_embedding(record.value)
        if isinstance(found, Embedding):
            self._index.put(item, found.fingerprint())
            for modality, part in found.parts.items():
                self._cache.put((modality, part.version, part.digest), part.vector)
        elif isinstance(found, RejectedEmbedding):
            self._index.put(item, UNREADABLE)
        else:
            self._index.drop(item)
        return self._index.get(item) != before

    def _listen(self) -> None:
        """Look at the catalogue again where somebody else has published for our partitions.

        It is a worker that had them before, stopped in the middle and went on: what it wrote is
        of an older message. Our own records come back here too and are passed over.
        """
        assert self._published is not None
        changed = False
        for record in self._published.poll(0.0, HEARD_MAX):
            at = (record.partition, record.offset)
            if at in self._written:
                self._written.discard(at)
            else:
                changed |= self._note(record)
        if changed:
            self._follow(self._owned)

    def _renew(self, most: int) -> int:
        if not self._index.old:
            return 0
        if self._renewing is None:
            starts = self._index.oldest()
            self._renewing = self._patience.call(lambda: self._log.follow(starts))
            self._renewed_to = dict(starts)
        records = self._renewing.poll(0.2, most)
        old = [r for r in records if self._index.is_old(_item(r), (r.topic, r.partition), r.offset)]
        if old:
            self._embed(old, renewing=True)
        for record in records:
            self._renewed_to[record.topic, record.partition] = record.offset + 1
        self._index.give_up_below(self._renewed_to)
        if not self._index.old or not records:
            self._renewing.close()
            self._renewing = None
        return len(records)

    def _embed(self, records: Sequence[Record], renewing: bool) -> None:
        """Bring the embeddings of these items up to their last word among the records."""
        owned = self._owned
        batch = EmbedBatch(self._makers, self._cache, self.counts.outcome, self._clock_s)
        deleted: list[tuple[str, Record]] = []
        began = self._clock_s()
        for item, record in {_item(record): record for record in records}.items():
            if not item:
                continue
            content = None if record.value is None else decode_content(record.value)
            if isinstance(content, RejectedItem):
                continue  # EncodeCore has said so
            self._index.renew(item)
            if content is None:
                if self._index.may_hold(item):
                    deleted.append((item, record))
                continue
            inputs = self._inputs.inputs(content)
            job = Job(item, record, content, inputs, batch.wanted(inputs))
            known = among(self._index.get(item) or (), self._modalities)
            if known == job.wanted and not inputs.failures:
                for modality, _, _ in known:
                    self.counts.outcome(modality, "kept")
            elif known and same_content(known, job.wanted) and not renewing:
                self._index.age(item, (record.topic, record.partition), record.offset)
            else:
                batch.add(job)
        self.counts.seconds.append(("read", self._clock_s() - began))
        done = batch.run(self._patience.check)
        self.counts.seconds += [("load", batch.load_s), ("encode", batch.encode_s)]
        if self._asked is not owned:
            return  # others may own them by now, and do it again
        began = self._clock_s()
        if letters := [self._letter(one.job, failure) for one in done for failure in one.failures]:
            self._patience.call(lambda: self._log.append(self._dead_letters, letters))
        for one in done:
            self._keep_old(one)
        news = [(one.job.item, one.job.record, one.embedding) for one in done if self._is_news(one)]
        self._publish([*news, *((item, record, None) for item, record in deleted)])
        self.counts.seconds.append(("publish", self._clock_s() - began))

    def _keep_old(self, done: Done) -> None:
        """Keep a vector of an older encoder where there is no newer one.

        Its encoder could not be given the input, or is not open: off, or refused at the start. What
        was published then stays as long as the item has such an input at all.
        """
        wanted = {(modality, digest) for modality, _, digest in done.job.wanted}
        closed = done.job.content.modalities - self._modalities
        for modality, version, digest in self._index.get(done.job.item) or ():
            held = (modality, digest) in wanted or modality in closed
            if modality not in done.parts and held:
                vector = self._cache.get((modality, version, digest))
                if vector is not None:
                    done.parts[modality] = Part(vector, version, digest)

    def _is_news(self, done: Done) -> bool:
        known = self._index.get(done.job.item)
        made = done.embedding.fingerprint()
        return bool(made) if known is None else known != made

    def _publish(self, said: Sequence[tuple[str, Record, Embedding | None]]) -> None:
        if not said:
            return
        # An item of which nothing is left to say says so as one that is deleted.
        told = [(item, made if made and made.parts else None) for item, _, made in said]
        self._on_embedded(told)
        messages = [
            Message(
                item.encode(),
                None if made is None else encode_embedding(made),
                partition=record.partition,
            )
            for (item, made), (_, record, _) in zip(told, said, strict=True)
        ]
        offsets = self._patience.call(lambda: self._log.append(self._embeddings, messages))
        places = [record.partition for _, record, _ in said]
        self._written.update(zip(places, offsets, strict=True))
        for item, made in told:
            if made is None:
                self._index.drop(item)
            else:
                self._index.put(item, made.fingerprint())

    def _letter(self, job: Job, failure: Failure) -> Message:
        self.counts.failures[failure.reason] = self.counts.failures.get(failure.reason, 0) + 1
        return dead_letter(job.record, failure.reason, failure.field, failure.detail)


def _item(record: Record) -> str:
    return item_of_key(record.key) or ""
