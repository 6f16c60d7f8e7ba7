"""The newest events of one person as a set: added in any order, they end in the same state.

The state is a join-semilattice (Shapiro et al. 2011, CRDTs): adding an event twice, late or out
of order, or merging two sets either way round, ends in the same bytes.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, Self

import msgspec
import numpy as np

from millstream.models.caps import Busy, bit_of, hour_of, newest
from millstream.models.event import TYPE_CODES, Event, Merge, event_key
from millstream.models.impressions import Impressions
from millstream.models.packed import Mark
from millstream.models.seen import NOTHING_SEEN, Seen, entry_of, merged, since, with_entry
from millstream.models.teaching import DAY_MS, DWELL, REMOVING_CODES

ENTRY_BYTES: Final = 12  # type, time and framing; item, key and a value come on top
VALUE_BYTES: Final = 10
IMPRESSION: Final = TYPE_CODES["impression"]

Added = Literal["new", "duplicate", "late"]


class ProfileParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of a profile."""

    events_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    bytes_max: Annotated[int, msgspec.Meta(ge=200, le=1_000_000)] = 4096
    seen_max: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 512
    impressions_max: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 100
    horizon_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 365


@dataclass(slots=True)
class EventSet:
    """The newest events of one person, oldest first by (ts, key), and what was seen before them.

    Bounded by `ProfileParams`: the newest `events_max` within `bytes_max` and the horizon; of
    older items a set of `seen_max` hashes with the second they were last met; apart from them
    the newest `impressions_max` of what was only `shown`. `floor` is the newest (ts, key) that
    had to leave: nothing older comes in again, so that what is kept is a function of the set
    alone; `busy` counts those that left within the newest hour. `mark` says of a guest who they
    turned out to be. `as_of` says up to which offset of each topic partition the log has been
    taken in. One id, two contents: the greater (ts, content) stays. Only when the bounds have cut
    one of those two, or cut others for it, does the order of arrival show.
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
    busy: Busy | None = None
    shown: Impressions = field(default_factory=Impressions)

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
        shown = other.shown
        for ts, key, item in zip(shown.ts, shown.keys, shown.items, strict=True):
            self._insert(ts, key, item, IMPRESSION, 0.0, params)
        if len(other.seen):
            self.seen = merged(self.seen, other.seen, params.seen_max)
        self.seen = since(self.seen, self._oldest_s(params))
        self.busy = newest(self.busy, other.busy)
        self._calm()

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
            and self.busy == other.busy
            and self.shown == other.shown
            and np.array_equal(self.seen, other.seen)
        )

    def _insert(
        self, ts: int, key: bytes, item: str, type_: int, value: float, params: ProfileParams
    ) -> Added:
        repeated = key in self.keys or key in self.shown.keys
        if repeated and not self._give_way(key, (ts, item, type_, value)):
            return "duplicate"
        if type_ == IMPRESSION:
            placed = self.shown.add(ts, key, item, params.impressions_max)
            return "duplicate" if repeated else "new" if placed else "late"
        if self.floor is not None and (ts, key) <= self.floor:
            self._remember(ts, key, item, type_, params)
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

    def _give_way(self, key: bytes, content: tuple[int, str, int, float]) -> bool:
        """Remove what is kept under a key if this content is greater; return whether it is."""
        if key in self.keys:
            at = self.keys.index(key)
            if content <= (self.ts[at], self.items[at], self.types[at], self.values[at]):
                return False
            del self.items[at], self.ts[at], self.keys[at], self.types[at], self.values[at]
            return True
        at = self.shown.keys.index(key)
        if content[:3] <= (self.shown.ts[at], self.shown.items[at], IMPRESSION):
            return False
        self.shown.remove(at)
        return True

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
        self._calm()
        return evicted

    def _evict(self, most: int, params: ProfileParams) -> None:
        """Let the oldest entries leave; their items are remembered."""
        if not most:
            return
        self.floor = (self.ts[most - 1], self.keys[most - 1])
        for n in range(most):
            self._remember(self.ts[n], self.keys[n], self.items[n], self.types[n], params)
        del self.items[:most], self.ts[:most], self.keys[:most]
        del self.types[:most], self.values[:most]

    def _remember(self, ts: int, key: bytes, item: str, type_: int, params: ProfileParams) -> None:
        """Keep the hash of an item whose event is not kept; a dwell would hide what it followed."""
        if type_ == DWELL or ts // 1000 < self._oldest_s(params):
            return
        hour = hour_of(ts)
        if hour == hour_of(self.ts[-1]):
            self.busy = newest(self.busy, (hour, bit_of(key)))
        entry = entry_of(item, ts, removed=type_ in REMOVING_CODES)
        self.seen = with_entry(self.seen, entry, params.seen_max)

    def _calm(self) -> None:
        """Forget a busy hour that is over."""
        if self.busy is not None and self.ts and self.busy[0] != hour_of(self.ts[-1]):
            self.busy = None

    def _oldest_s(self, params: ProfileParams) -> int:
        """Return the horizon in whole seconds, so that the cut is the same anywhere."""
        return (self.ts[-1] - params.horizon_days * DAY_MS) // 1000 if self.ts else 0
