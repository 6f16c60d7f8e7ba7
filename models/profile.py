"""A person is their recent history: a profile is a set of events, merged in any order.

The state is a join-semilattice (Shapiro et al. 2011, CRDTs): adding an event twice, late or out
of order, or merging two profiles either way round, ends in the same bytes.
"""

from base64 import urlsafe_b64encode
from bisect import bisect_right
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import accumulate
from operator import sub
from typing import Annotated, Final, Literal, Self

import msgspec
import numpy as np

from millstream.models.errors import StateRefused
from millstream.models.event import (
    EVENT_TYPES,
    GRADED,
    REMOVING,
    TYPE_CODES,
    Event,
    EventWeights,
    Merge,
    weight_table,
)
from millstream.models.seen import (
    NOTHING_SEEN,
    Hashes,
    Seen,
    entry_of,
    hashes_of,
    item_hash,
    merged,
    removed_hashes_of,
    since,
    with_entry,
)

VERSION_BYTES: Final = 8
KEY_BYTES: Final = 24
HASHED_BYTES: Final = 12  # 16 characters of base64
ENTRY_BYTES: Final = 12  # type, time and framing; item, key and a value come on top
VALUE_BYTES: Final = 10
DAY_MS: Final = 86_400_000
FORMAT: Final = 2
IMPRESSION: Final = TYPE_CODES["impression"]
REMOVING_CODES: Final = frozenset(TYPE_CODES[name] for name in REMOVING)
AS_OF_MAX: Final = 24

Added = Literal["new", "duplicate", "late"]
Taught = tuple[list[str], list[float], list[int]]
"""(items, weights, ts_ms), newest first, distinct."""
Mark = tuple[int, bytes, str]
"""When and by which event a guest was merged, and into whom."""


class ProfileParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of a profile."""

    events_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    bytes_max: Annotated[int, msgspec.Meta(ge=200, le=1_000_000)] = 4096
    seen_max: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 512
    horizon_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 365


class _Packed(msgspec.Struct, array_like=True, gc=False):
    format: int
    items: list[str]
    ts: list[int]  # the first, then differences
    keys: list[bytes]
    types: list[int]
    values: dict[int, float]  # by place, those that are not 0
    seen: bytes
    as_of: dict[str, int]
    floor: tuple[int, bytes] | None
    mark: Mark | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode


def event_key(id_: str) -> bytes:
    """Return what stands for an event id: its bytes, or 16 letters of its hash when over 24.

    Letters, so that a key is an id too, and its own key: an event told again by its key is known.
    """
    raw = id_.encode()
    if len(raw) <= KEY_BYTES:
        return raw
    return urlsafe_b64encode(blake2b(raw, digest_size=HASHED_BYTES).digest())


@dataclass(slots=True)
class Profile:
    """The newest events of one person, oldest first by (ts, key), and what was seen before them.

    Bounded by `ProfileParams`: the newest `events_max` within `bytes_max` and the horizon; of
    older items a set of `seen_max` hashes with the second they were last met. `floor` is the
    newest (ts, key) that had to leave: nothing older comes in again, so that what is kept is a
    function of the set alone. `mark` says of a guest who they turned out to be. `as_of` says up
    to which offset of each topic partition the log has been taken in. One id, two contents: the
    greater (ts, content) stays. Only when the bounds have cut one of those two, or cut others
    for it, does the order of arrival show, in which old event or hash is kept.
    """

    items: list[str] = field(default_factory=list)
    ts: list[int] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    types: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    seen: Seen = field(default_factory=lambda: NOTHING_SEEN)
    as_of: dict[str, int] = field(default_factory=dict)
    floor: tuple[int, bytes] | None = None
    mark: Mark | None = None

    def add(self, event: Event, params: ProfileParams) -> Added:
        """Take in one event; `new` once per event, `late` when it is older than what is kept."""
        return self._insert(
            event.ts,
            event_key(event.id),
            event.item,
            TYPE_CODES[event.type],
            event.value,
            params,
        )

    def add_merge(self, merge: Merge) -> Added:
        """Note into whom this guest was merged; of several the newest counts.

        Nobody is merged into themselves: that changes nothing.
        """
        if merge.into == merge.user:
            return "new"
        mark = (merge.ts, event_key(merge.id), merge.into)
        if self.mark is not None and mark <= self.mark:
            return "duplicate" if mark == self.mark else "late"
        self.mark = mark
        return "new"

    def merge(self, other: Self, params: ProfileParams) -> None:
        """Take in another profile of the same person."""
        if other.floor is not None and (self.floor is None or self.floor < other.floor):
            kept = list(zip(self.ts, self.keys, strict=True))
            self._evict(bisect_right(kept, other.floor), params)
            self.floor = other.floor
        if other.mark is not None and (self.mark is None or self.mark < other.mark):
            self.mark = other.mark
        for ts, key, item, type_, value in zip(
            other.ts, other.keys, other.items, other.types, other.values, strict=True
        ):
            self._insert(ts, key, item, type_, value, params)
        if len(other.seen):
            self.seen = merged(self.seen, other.seen, params.seen_max)
        self.seen = since(self.seen, self._oldest_s(params))

    def pack(self) -> bytes:
        """Return the stored form; its first 8 bytes are a hash of the rest: its version."""
        body = _encode(
            _Packed(
                FORMAT,
                self.items,
                [*self.ts[:1], *map(sub, self.ts[1:], self.ts)],
                self.keys,
                self.types,
                {n: value for n, value in enumerate(self.values) if value},
                self.seen.tobytes(),
                self.as_of,
                self.floor,
                self.mark,
            )
        )
        return blake2b(body, digest_size=VERSION_BYTES).digest() + body

    @classmethod
    def unpack(cls, packed: bytes | None) -> Self:
        """Return the profile that `pack` stored; None is a stranger. Raises StateRefused."""
        if packed is None:
            return cls()
        try:
            p = _decode(memoryview(packed)[VERSION_BYTES:])
        except msgspec.DecodeError as error:
            raise StateRefused(f"a stored profile cannot be read: {error}") from error
        if p.format != FORMAT:
            raise StateRefused(f"a stored profile has format {p.format}, this code reads {FORMAT}")
        seen = np.frombuffer(p.seen, np.uint64)
        values = [0.0] * len(p.items)
        for n, value in p.values.items():
            values[n] = value
        ts = list(accumulate(p.ts))
        return cls(p.items, ts, p.keys, p.types, values, seen, p.as_of, p.floor, p.mark)

    def note_offsets(self, offsets: dict[str, int]) -> None:
        """Set the next offset of some topic partitions (`clicks-3` -> 1042)."""
        self.as_of.update(offsets)
        while len(self.as_of) > AS_OF_MAX:
            self.as_of.pop(next(iter(self.as_of)))

    def taught(self, weights: EventWeights, most: int) -> Taught:
        """Return (items, weights, ts_ms) of what teaches, newest first, distinct, at most `most`.

        An item's newest event decides: a dislike or hide takes it out altogether.
        """
        table = weight_table(weights)
        if self.types and table[self.types[0]] > 0.0 and self._is_plain():
            # All of one type and no item twice, the common case, at a tenth of the loop's time.
            n = min(len(self.items), most)
            newest = slice(None, -n - 1, -1)
            return self.items[newest], [table[self.types[0]]] * n, self.ts[newest]
        items: list[str] = []
        worth: list[float] = []
        when: list[int] = []
        met: set[str] = set()
        types, ts = self.types, self.ts
        for n in range(len(types) - 1, -1, -1):
            item = self.items[n]
            if item in met:
                continue
            weight = table[types[n]]
            if weight == GRADED:
                weight = weights.weight(EVENT_TYPES[types[n]], self.values[n])
            if weight > 0.0:
                items.append(item)
                worth.append(weight)
                when.append(ts[n])
                if len(items) == most:
                    break
            elif types[n] not in REMOVING_CODES:
                continue
            met.add(item)
        return items, worth, when

    def _is_plain(self) -> bool:
        types = self.types
        return types.count(types[0]) == len(types) and len(set(self.items)) == len(types)

    def taught_after(self, event: Event, weight: float, before: Taught, most: int) -> Taught | None:
        """Return `taught` after an event was added, from `taught` before; None if not so simple.

        Simple is a new event that teaches and is the newest, where none had to leave for it.
        """
        if weight <= 0.0 or self.keys[-1] != event_key(event.id):
            return None
        items, worth, when = before
        if event.item in items:
            at = items.index(event.item)
            items, worth, when = (
                items[:at] + items[at + 1 :],
                worth[:at] + worth[at + 1 :],
                when[:at] + when[at + 1 :],
            )
        last = most - 1
        return [event.item, *items[:last]], [weight, *worth[:last]], [event.ts, *when[:last]]

    def consumed(self) -> list[str]:
        """Return the items of all kept events but impressions: what is not listed again.

        An item stands in it once an event.
        """
        if IMPRESSION not in self.types:
            return self.items
        return [i for i, t in zip(self.items, self.types, strict=True) if t != IMPRESSION]

    def removed(self) -> list[str]:
        """Return the items whose newest kept event is a dislike or a hide."""
        newest = dict(zip(self.items, self.types, strict=True))
        return [item for item, type_ in newest.items() if type_ in REMOVING_CODES]

    def seen_hashes(self) -> Hashes:
        """Return `item_hash` of the items met before the kept events, ascending."""
        return hashes_of(self.seen)

    def removed_hashes(self) -> Hashes:
        """Return `item_hash` of those among them whose newest event is a dislike or a hide."""
        found = removed_hashes_of(self.seen)
        if not len(found):
            return found
        return np.setdiff1d(found, np.array([item_hash(i) for i in self.items], np.uint32))

    def events(self, user: str) -> list[Event]:
        """Return the kept events as this user's, oldest first; the id of each is its key."""
        columns = (self.keys, self.items, self.types, self.ts, self.values)
        return [
            Event(key.decode(), user, item, EVENT_TYPES[type_], ts, value)
            for key, item, type_, ts, value in zip(*columns, strict=True)
        ]

    def kept_keys(self) -> frozenset[bytes]:
        """Return the keys of all that `events` returns."""
        return frozenset(self.keys)

    def same_events(self, other: Self) -> bool:
        """Return whether both hold the same history, whatever their offsets say."""
        return (
            self.keys == other.keys
            and self.items == other.items
            and self.ts == other.ts
            and self.types == other.types
            and self.values == other.values
            and self.floor == other.floor
            and self.mark == other.mark
            and np.array_equal(self.seen, other.seen)
        )

    def _insert(
        self, ts: int, key: bytes, item: str, type_: int, value: float, params: ProfileParams
    ) -> Added:
        repeated = key in self.keys
        if repeated:
            at = self.keys.index(key)
            kept = (self.ts[at], self.items[at], self.types[at], self.values[at])
            if (ts, item, type_, value) <= kept:
                return "duplicate"
            self._remove(at)
        if self.floor is not None and (ts, key) <= self.floor:
            self._remember(ts, item, type_, params)
            return "duplicate" if repeated else "late"
        at = self._place(ts, key, item, type_, value)
        left = self._trim(params)
        if repeated:
            return "duplicate"
        return "late" if at < left else "new"

    def _place(self, ts: int, key: bytes, item: str, type_: int, value: float) -> int:
        at = len(self.ts)
        while at and (self.ts[at - 1], self.keys[at - 1]) > (ts, key):
            at -= 1
        self.items.insert(at, item)
        self.ts.insert(at, ts)
        self.keys.insert(at, key)
        self.types.insert(at, type_)
        self.values.insert(at, value)
        return at

    def _remove(self, at: int) -> None:
        del self.items[at], self.ts[at], self.keys[at], self.types[at], self.values[at]

    def _trim(self, params: ProfileParams) -> int:
        """Drop what is beyond the bounds, oldest first; return how many entries left."""
        oldest_s = self._oldest_s(params)
        size = sum(map(len, self.items)) + sum(map(len, self.keys)) + ENTRY_BYTES * len(self.items)
        size += VALUE_BYTES * sum(map(bool, self.values))
        evicted = 0
        while evicted < len(self.items) - 1 and (
            len(self.items) - evicted > params.events_max
            or size > params.bytes_max
            or self.ts[evicted] // 1000 < oldest_s
        ):
            size -= len(self.items[evicted]) + len(self.keys[evicted]) + ENTRY_BYTES
            size -= VALUE_BYTES * bool(self.values[evicted])
            evicted += 1
        self._evict(evicted, params)
        self.seen = since(self.seen, oldest_s)
        return evicted

    def _evict(self, most: int, params: ProfileParams) -> None:
        """Let the oldest entries leave; their items are remembered."""
        if not most:
            return
        self.floor = (self.ts[most - 1], self.keys[most - 1])
        gone = zip(self.ts[:most], self.items[:most], self.types[:most], strict=True)
        for ts, item, type_ in list(gone):
            self._remember(ts, item, type_, params)
        del self.items[:most], self.ts[:most], self.keys[:most]
        del self.types[:most], self.values[:most]

    def _remember(self, ts: int, item: str, type_: int, params: ProfileParams) -> None:
        """Keep the hash of an item whose event is not kept."""
        if type_ == IMPRESSION or ts // 1000 < self._oldest_s(params):
            return
        entry = entry_of(item, ts, removed=type_ in REMOVING_CODES)
        self.seen = with_entry(self.seen, entry, params.seen_max)

    def _oldest_s(self, params: ProfileParams) -> int:
        """Return the horizon in whole seconds, so that the cut is the same anywhere."""
        return (self.ts[-1] - params.horizon_days * DAY_MS) // 1000 if self.ts else 0
