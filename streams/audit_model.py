"""The audit of the item model: folded again, and every list computed from it again."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from millstream.models.catalogue import Catalogue
from millstream.models.errors import FrameRefused, StateRefused
from millstream.models.interaction import decode_batch
from millstream.models.learned_model import LearnedModel
from millstream.models.profile import Profile
from millstream.models.recommender import Request
from millstream.models.repeats import Repeats
from millstream.streams.assembly import new_learned_model, new_recommender, new_replica_model
from millstream.streams.audit_events import Place
from millstream.streams.folding import fold, said_by
from millstream.streams.item_message import RejectedItem, decode_item, item_of_key
from millstream.streams.listing import Entry, Listing
from millstream.streams.log import Log, Record
from millstream.streams.recommend_job import Digest
from millstream.streams.segments import FrameReader
from millstream.streams.settings import Settings
from millstream.streams.snapshots import Snapshots

if TYPE_CHECKING:
    from millstream.streams.audit import Audit

TOLERANCE: Final = 1e-5
SETTLE_EVERY: Final = 200


class ModelAudit:
    """Folds `interactions` once, stopping where a list or a digest says it was made."""

    def __init__(self, settings: Settings, log: Log, snapshots: Snapshots, found: "Audit") -> None:
        """Read the interactions, the frames and the catalogue."""
        self._settings = settings
        self._log = log
        self._found = found
        self._hash = settings.shape_hash()
        self._topic = settings.topics.name("interactions")
        self._begin, end = log.bounds(self._topic, 0)
        self._records = list(log.read(self._topic, 0, self._begin, end))
        self._end = self._records[-1].offset + 1 if self._records else self._begin
        self._model = new_learned_model(settings)
        self.vouched: dict[str, int] = {}  # what a snapshot says was counted before the records
        if self._begin:
            self._restore(snapshots)
        self._items = _items(settings, log)
        self._at = 0
        self._catalogues: dict[tuple[int, ...], tuple[Catalogue, bool]] = {}

    def published(self) -> dict[Place, int]:
        """Return how often the fold counts each source record: once, if all is well."""
        counted: dict[Place, int] = {}
        repeats = Repeats()
        for record in self._records:
            batch = decode_batch(record.value)
            if batch is None:
                continue
            for one in batch.interactions:
                topic_id = batch.topics[one.topic]
                if not repeats.is_repeat(one, topic_id):
                    place = (topic_id, one.partition, one.offset)
                    counted[place] = counted.get(place, 0) + 1
        return counted

    def check(
        self,
        listings: Mapping[str, Listing],
        profiles: Mapping[str, Profile | None],
        digests: Mapping[str, Digest],
    ) -> None:
        """Compare digests, the chain of frames and every list with the fold."""
        found = self._found
        chain = self._chain_digest()
        wanted: dict[int, list[str]] = {}
        for user, listing in listings.items():
            if self._can_check(user, listing):
                wanted.setdefault(listing.model, []).append(user)
        said: dict[int, list[tuple[str, str]]] = {}
        for worker, digest in digests.items():
            if digest.model >= self._model.offset:  # else it spoke before our snapshot
                said.setdefault(digest.model, []).append((f"replica of {worker}", digest.digest))
        if chain is not None:
            said.setdefault(chain[0], []).append(("chain of frames", chain[1]))
            self._check_chain_end(chain[0], max([*wanted, *said]))
        for offset in sorted({*wanted, *said}):
            if not self._fold_to(offset):
                for name, _ in said.get(offset, ()):
                    self._unequal(f"the {name} is at {offset}, where no interaction record ends")
                for user in wanted.get(offset, ()):
                    found.lists_differ += 1
                    found.fault(f"the list of user {user} names model {offset}, which never was")
                continue
            for name, theirs in said.get(offset, ()):
                found.digests += 1
                if self._model.digest() != theirs:
                    self._unequal(f"the {name} at {offset} is not the fold of the interactions")
            for user in wanted.get(offset, ()):
                self._compare(user, listings[user], profiles.get(user))

    def _restore(self, snapshots: Snapshots) -> None:
        topic_id = self._log.topic_ids([self._topic])[self._topic]
        snapshot = snapshots.oldest(self._hash, topic_id)
        if snapshot is None or snapshot.offset < self._begin:
            self._unequal(f"interactions begin at {self._begin} and no kept snapshot reaches there")
            return
        self._model.load(snapshot.arrays)
        self.vouched = self._model.highest()
        self._found.from_ = f"snapshot at {snapshot.offset}"

    def _can_check(self, user: str, listing: Listing) -> bool:
        found = self._found
        if listing.settings != self._hash:
            found.lists_unchecked += 1
            return False
        if listing.model < self._model.offset:
            found.lists_unchecked += 1
            return False
        if listing.user != user:
            found.lists_differ += 1
            found.fault(f"the list of user {user} says it is of user {listing.user}")
            return False
        return True

    def _fold_to(self, offset: int) -> bool:
        """Fold up to an offset; False when no record ends there."""
        model: LearnedModel = self._model
        while model.offset < offset and self._at < len(self._records):
            record: Record = self._records[self._at]
            self._at += 1
            if record.offset < model.offset:
                continue
            said = said_by(record.value)
            if said.readable and model.needs_frame(said.items):
                model.settle()
            fold(model, record, said)
            if self._at % SETTLE_EVERY == 0:
                model.settle()
        return model.offset == offset

    def _chain_digest(self) -> tuple[int, str] | None:
        """Fold the frames as a replica does; return (offset, digest), None if they begin later."""
        found = self._found
        topic = self._settings.topics.name("item_deltas")
        begin, end = self._log.bounds(topic, 0)
        replica = new_replica_model(self._settings)
        reader = FrameReader(
            lambda damage: self._unequal(f"{damage} in {topic}"), whole_log=not begin
        )
        met: set[tuple[str, int, int]] = set()
        for record in self._log.read(topic, 0, begin, end):
            try:
                frame = reader.take(record.value)
            except StateRefused as error:
                found.fault(f"frame at offset {record.offset} of {topic}: {error}")
                continue
            if frame is None:
                continue
            if frame.stop > self._end:
                break  # newer than the moment at which the interactions were read
            found.frames += 1
            name = (frame.writer, frame.start, frame.stop)
            if name in met:
                self._unequal(f"the frame [{frame.start}, {frame.stop}) stands twice in {topic}")
                continue
            met.add(name)
            if frame.start < replica.offset:
                found.frames_stale += 1
                continue
            if frame.start > replica.offset and begin and not replica.offset:
                return None  # retention removed the first frames; replicas' own digests remain
            try:
                replica.apply(frame, self._hash)
            except FrameRefused as error:
                self._unequal(f"a frame is missing in {topic} at offset {record.offset}: {error}")
                return None
        if begin and not replica.offset:
            return None
        return replica.offset, replica.digest()

    def _check_chain_end(self, end: int, known: int) -> None:
        """Name frames that are gone from the end: lists or replicas have seen more."""
        if end < known <= self._end:
            self._unequal(f"the last frame ends at {end}, the model was seen at {known}")

    def _unequal(self, sentence: str) -> None:
        self._found.model_equal = False
        self._found.fault(sentence)

    def _compare(self, user: str, listing: Listing, profile: Profile | None) -> None:
        found = self._found
        if profile is None:
            found.lists_unchecked += 1
            return
        if listing.as_of != profile.as_of:
            found.lists_differ += 1
            found.fault(f"the list of user {user} is of other offsets than the profile")
            return
        catalogue, whole = self._catalogue(listing.catalogue)
        recommender = new_recommender(self._settings, self._model)
        listed = recommender.rank([Request(user, profile, listing.made_at)], catalogue)[0]
        if _same(listed, list(listing.items)):
            return
        if not whole:
            found.lists_unchecked += 1
            return
        found.lists_differ += 1
        found.fault(f"the list of user {user} is not what its inputs give (model {listing.model})")

    def _catalogue(self, versions: list[int]) -> tuple[Catalogue, bool]:
        """Return the catalogue as of these offsets, and whether compaction has left it whole."""
        key = tuple(versions)
        if key not in self._catalogues:
            if len(self._catalogues) > 8:
                self._catalogues.clear()
            catalogue = Catalogue()
            read = [0] * len(versions)
            for record in self._items:
                if record.partition < len(versions) and record.offset < versions[record.partition]:
                    read[record.partition] += 1
                    item = item_of_key(record.key)
                    entry = None if record.value is None else decode_item(record.value)
                    if item is not None and not isinstance(entry, RejectedItem):
                        catalogue.apply(record.partition, record.offset, item, entry)
            self._catalogues[key] = (catalogue, read == list(versions))
        return self._catalogues[key]


def _items(settings: Settings, log: Log) -> list[Record]:
    topic = settings.topics.name("items")
    records: list[Record] = []
    for partition in range(log.partitions(topic)):
        records.extend(log.read(topic, partition, *log.bounds(topic, partition)))
    return records


def _same(ours: list[Entry], theirs: list[Entry]) -> bool:
    """Return whether two lists say the same; order may differ only between scores within 1e-5.

    What is said of an item beside its score is picked by a maximum or drawn by a hash: the last
    bits of a score do not move it, so it has no tolerance.
    """
    if ours == theirs:
        return True
    said = {entry.item: entry for entry in ours}
    if len(ours) != len(theirs) or said.keys() != {entry.item for entry in theirs}:
        return False
    return all(
        abs(said[a.item].score - a.score) <= TOLERANCE
        and abs(a.score - b.score) <= TOLERANCE
        and replace(a, score=said[a.item].score) == said[a.item]
        for a, b in zip(theirs, ours, strict=True)
    )
