"""What `item-embeddings` already holds of this worker's items, and which of it has grown old."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from millstream.models.embedding import Mark, Modality
from millstream.streams.positions import Partition

Fingerprint = tuple[Mark, ...]

UNREADABLE: Final[Fingerprint] = (("text", "", b""),)
"""Stands for what is published and cannot be read: unlike all that is made."""


class EmbedIndex:
    """Fingerprints by item, at most `items_max`: of those beyond it the oldest are forgotten.

    An item that is forgotten is encoded again when it comes again, and nothing worse.
    """

    def __init__(self, items_max: int) -> None:
        self._items_max = items_max
        self._known: OrderedDict[str, Fingerprint] = OrderedDict()
        self._stale: dict[str, tuple[Partition, int]] = {}
        self.forgot = False

    def __len__(self) -> int:
        return len(self._known)

    def get(self, item: str) -> Fingerprint | None:
        """Return what is published of an item, None where nothing is."""
        return self._known.get(item)

    def may_hold(self, item: str) -> bool:
        """Return whether something may be published of an item, also if it was forgotten."""
        return self.forgot or item in self._known

    def put(self, item: str, fingerprint: Fingerprint) -> None:
        """Note what is published of an item now."""
        self._known.pop(item, None)
        self._known[item] = fingerprint
        if len(self._known) > self._items_max:
            gone, _ = self._known.popitem(last=False)
            self._stale.pop(gone, None)
            self.forgot = True

    def drop(self, item: str) -> None:
        """Note that nothing is published of an item any more."""
        self._known.pop(item, None)
        self._stale.pop(item, None)

    def age(self, item: str, at: Partition, offset: int) -> None:
        """Note that an item's vectors are of an older encoder, and where its message stands."""
        if item in self._known:
            self._stale[item] = (at, offset)

    def renew(self, item: str) -> None:
        """Note that an item's vectors need no renewal, or get it by another way."""
        self._stale.pop(item, None)

    def is_old(self, item: str, at: Partition, offset: int) -> bool:
        """Return whether this message is the one from which an item is to be encoded anew."""
        return self._stale.get(item) == (at, offset)

    @property
    def old(self) -> int:
        """Return how many items have vectors of an older encoder."""
        return len(self._stale)

    def oldest(self) -> dict[Partition, int]:
        """Return where the first message of an old item stands, by partition."""
        starts: dict[Partition, int] = {}
        for at, offset in self._stale.values():
            starts[at] = min(offset, starts.get(at, offset))
        return starts

    def give_up_below(self, positions: Mapping[Partition, int]) -> None:
        """Forget the old items whose messages were passed and not found: compaction took them."""
        passed = [i for i, (at, offset) in self._stale.items() if offset < positions.get(at, 0)]
        for item in passed:
            del self._stale[item]


def same_content(known: Fingerprint, wanted: Fingerprint) -> bool:
    """Return whether both are of equal inputs, whichever encoders they are by."""
    return [(m, d) for m, _, d in known] == [(m, d) for m, _, d in wanted]


def among(fingerprint: Fingerprint, modalities: frozenset[Modality]) -> Fingerprint:
    """Return the marks of these modalities."""
    return tuple(mark for mark in fingerprint if mark[0] in modalities)
