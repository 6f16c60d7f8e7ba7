"""Encodes a catalogue: what was encoded in an earlier run comes from disk."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from millstream.models.attributes import VERSION
from millstream.models.catalogue import Item
from millstream.models.embedding import Modality
from millstream.models.encoders.encoder import MODALITIES as ENCODED
from millstream.models.encoders.encoder import Encoder, Encoders
from millstream.models.vector_cache import VectorCache
from millstream.streams.described import DescribedItem, DescribedItems, EncoderName
from millstream.streams.embed_batch import Done, EmbedBatch, Job
from millstream.streams.embed_inputs import Failure, InputReader
from millstream.streams.item_content import AtUrl, InFolder, ItemContent, decode_content
from millstream.streams.item_fields import ItemMessage
from millstream.streams.item_message import RejectedItem, decode_item
from millstream.streams.item_parts import Makers, makers_of
from millstream.streams.log import Record
from millstream.streams.vector_files import VectorFiles, Vectors

BATCH: Final = 32
"""Items that encoders are given at once."""
BATCH_BYTES_MAX: Final = 64_000_000
"""Of a batch's vectors."""
TOLD_MAX: Final = 10
"""Kinds of failure of which the first is told, and one of each reason in any case."""
TOLD_CHARACTERS: Final = 100
"""Of a path or URL that is not used; it may be a picture that somebody took for one."""

Opened = Mapping[Modality, Encoder[Any]]
Say = Callable[[str], None]


def describe(
    file: str,
    messages: Sequence[ItemMessage],
    encoders: Encoders,
    inputs: InputReader,
    kept: VectorFiles,
    say: Say = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> DescribedItems:
    """Return the items of these messages, which `read_items` has found to be readable.

    A medium that cannot be used costs its item that medium: it is counted, and `say` hears of the
    first of each kind.
    """
    opened: Opened = {m: one for m in ENCODED if (one := encoders.get(m)) is not None}
    known = {m: kept.read(m, encoder.version) for m, encoder in opened.items()}
    used: dict[Modality, Vectors] = {m: {} for m in opened}
    counts: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    told: set[tuple[str, str]] = set()
    entries: list[DescribedItem] = []
    try:
        for message, done in _encoded(messages, makers_of(encoders), inputs, known, counts):
            for modality, part in done.parts.items():
                if modality in used:  # attributes are made anew each time
                    used[modality][part.digest] = known[modality][part.digest] = part.vector
            for failure in done.failures:
                why = (failure.reason, failure.detail)
                if not failed[failure.reason] or (why not in told and len(told) < TOLD_MAX):
                    say(_told(message.item, failure, done.job.content))
                    told.add(why)
                failed[failure.reason] += 1
            gate = decode_item(message.value)
            entries.append(
                DescribedItem(
                    message.item, gate if isinstance(gate, Item) else Item(), done.embedding
                )
            )
            progress(len(entries))
    finally:
        if counts["encoded"]:  # of what was interrupted, too
            _keep(kept, opened, {m: used[m] | known[m] for m in opened}, say)
    if failed:
        say(f"{failed.total()} media are not used; their items go on without")
    names = {m: EncoderName(one.space, one.version) for m, one in opened.items()}
    attributes = EncoderName("attributes", VERSION)
    names |= {"categories": attributes, "numbers": attributes}
    return DescribedItems(file, entries, names, counts["encoded"], failed)


def _encoded(
    messages: Sequence[ItemMessage],
    makers: Makers,
    inputs: InputReader,
    known: Mapping[Modality, Vectors],
    counts: Counter[str],
) -> Iterator[tuple[ItemMessage, Done]]:
    """Yield each message with what came of it, a batch at a time."""
    for start in range(0, len(messages), BATCH):
        lot = messages[start : start + BATCH]
        cache = VectorCache(BATCH_BYTES_MAX)

        def count(modality: Modality, outcome: str) -> None:
            counts[outcome] += modality in known

        batch = EmbedBatch(makers, cache, count)
        for n, message in enumerate(lot):
            content = decode_content(message.value)
            assert not isinstance(content, RejectedItem), "read_items leaves such rows out"
            found = inputs.inputs(content)
            for modality, choices in found.by_modality.items():
                for one in choices:
                    if (vector := known.get(modality, {}).get(one.digest)) is not None:
                        cache.put((modality, makers[modality].version, one.digest), vector)
            record = Record(message.item, 0, start + n, 0, message.item.encode(), message.value)
            batch.add(Job(message.item, record, content, found, ()))
        yield from zip(lot, batch.run(lambda: None), strict=True)


def _keep(kept: VectorFiles, opened: Opened, vectors: Mapping[Modality, Vectors], say: Say) -> None:
    for modality, encoder in opened.items():
        try:
            kept.write(modality, encoder.version, vectors[modality])
        except OSError as error:
            say(f"{modality}: vectors cannot be kept for the next run: {error}")


def _told(item: str, failure: Failure, content: ItemContent) -> str:
    detail = f" ({failure.detail})" if failure.detail else ""
    ref = {str(field): ref for field, ref in content.media.items()}.get(failure.field)
    at = ref.path if isinstance(ref, InFolder) else ref.url if isinstance(ref, AtUrl) else ""
    named = f", {at[:TOLD_CHARACTERS]}," if at else ""
    return f"{failure.field} of item {item}{named} is not used: {failure.reason}{detail}"
