"""What was met before the kept events: hashes of items, each with the second it was last met.

An entry is 64 bits: the second, 31 bits of the item's hash, and whether it was taken out then (a
dislike or a hide). Entries ascend, each item stands once, and of two the greater stays: so the
newest `most` of any set are the same whatever the order in which they came.
"""

from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

Seen = npt.NDArray[np.uint64]
Hashes = npt.NDArray[np.uint32]

NOTHING_SEEN: Final[Seen] = np.empty(0, np.uint64)
ITEM_MASK: Final = 0xFFFFFFFE
SECOND_BITS: Final = 32
_ITEM: Final = np.uint64(ITEM_MASK)
_REMOVED: Final = np.uint64(1)


def item_hash(item: str) -> int:
    """Return the 32 bits, the last of them 0, by which an item is remembered."""
    return int.from_bytes(blake2b(item.encode(), digest_size=4).digest(), "little") & ITEM_MASK


def entry_of(item: str, ts_ms: int, *, removed: bool) -> int:
    """Return what stands for an item that was met, and perhaps taken out, at a moment."""
    return (ts_ms // 1000) << SECOND_BITS | item_hash(item) | removed


def with_entry(entries: Seen, entry: int, most: int) -> Seen:
    """Return entries with one more, the newest `most`."""
    if len(entries):
        same = np.flatnonzero((entries & _ITEM) == np.uint64(entry & ITEM_MASK))
        if len(same):
            if int(entries[same[0]]) >= entry:
                return entries
            entries = np.concatenate((entries[: same[0]], entries[same[0] + 1 :]))
    new = np.array([entry], np.uint64)
    at = len(entries)
    if at and int(entries[-1]) > entry:
        at = int(np.searchsorted(entries, new[0]))
    first = max(len(entries) + 1 - most, 0)
    return np.concatenate((entries[:at], new, entries[at:]))[first:]


def merged(entries: Seen, others: Seen, most: int) -> Seen:
    """Return the newest `most` of both."""
    both = np.unique(np.concatenate((entries, others)))[::-1]
    _, first = np.unique(both & _ITEM, return_index=True)
    return np.sort(both[first])[-most:] if most else both[:0]


def since(entries: Seen, oldest_s: int) -> Seen:
    """Return the entries of that second and later."""
    if not len(entries) or int(entries[0]) >> SECOND_BITS >= oldest_s:
        return entries
    cut = np.searchsorted(entries, np.uint64(max(oldest_s, 0) << SECOND_BITS))
    return entries[int(cut) :]


def hashes_of(entries: Seen) -> Hashes:
    """Return the hashes of the items, ascending."""
    return np.sort((entries & _ITEM).astype(np.uint32))


def removed_hashes_of(entries: Seen) -> Hashes:
    """Return the hashes of the items that were taken out when last met, ascending."""
    return hashes_of(entries[(entries & _REMOVED) != 0])
