"""A catalogue's items with what they read, look and sound like, as a replay takes them in."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from millstream.models.catalogue import Item
from millstream.models.embedding import MODALITIES, Embedding, Modality


class EncoderName(msgspec.Struct, frozen=True):
    """What made a modality's vectors."""

    name: str
    version: str


class ItemsFound(msgspec.Struct, frozen=True):
    """What became of a catalogue: how many items, and how many of them have which modality.

    `encoded` inputs were not among the vectors kept from earlier runs; `failed` counts media by
    the reason for which they are not used.
    """

    file: str
    items: int
    described: dict[str, int]
    encoders: dict[str, EncoderName]
    encoded: int
    failed: dict[str, int]


@dataclass(frozen=True, slots=True)
class DescribedItem:
    """An item, when it may be listed, and its vectors."""

    item: str
    gate: Item
    embedding: Embedding


@dataclass(frozen=True, slots=True)
class DescribedItems:
    """A whole catalogue, in its file's order."""

    file: str
    entries: Sequence[DescribedItem]
    encoders: Mapping[Modality, EncoderName]
    encoded: int
    failed: Mapping[str, int]

    def only(self, modalities: Collection[Modality]) -> "DescribedItems":
        """Return the same items, with no other modalities than these."""
        entries = []
        for one in self.entries:
            parts = {m: part for m, part in one.embedding.parts.items() if m in modalities}
            entries.append(DescribedItem(one.item, one.gate, Embedding(parts)))
        names = {m: name for m, name in self.encoders.items() if m in modalities}
        return DescribedItems(self.file, entries, names, self.encoded, self.failed)

    def modalities(self) -> dict[Modality, int]:
        """Return how many items have which modality; one that no item has is not in it."""
        counts = Counter(m for one in self.entries for m in one.embedding.parts)
        return {m: counts[m] for m in MODALITIES if counts[m]}

    def found(self) -> ItemsFound:
        """Return what is told of it."""
        described = self.modalities()
        return ItemsFound(
            self.file,
            len(self.entries),
            {str(m): count for m, count in described.items()},
            {str(m): name for m, name in self.encoders.items() if m in described},
            self.encoded,
            dict(self.failed),
        )


def items_sentence(items: ItemsFound) -> str:
    """Return how many items of which catalogue have what."""
    said = ", ".join(f"{count:,} with {modality}" for modality, count in items.described.items())
    return f"{items.items:,} items of {items.file}: {said or 'none is described'}"


def met_sentence(items: DescribedItems, met: Collection[str]) -> str:
    """Return how many of the items of the events a catalogue has; none: what ids look like."""
    ours = {one.item for one in items.entries}
    theirs = dict.fromkeys(met)
    both = sum(item in ours for item in theirs)
    if both or not theirs:
        return f"{both:,} of the {len(theirs):,} items of the events are in {items.file}"
    return (
        f"no item of the events is in {items.file}: theirs are such as {next(iter(theirs))!r}, its "
        f"own such as {items.entries[0].item!r}; is the right column the item?"
    )
