"""A person is their recent history: a profile is a set of events, what is read of it, its bytes."""

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import sub
from typing import Final, Self

import numpy as np

from millstream.models.caps import BITS, HOUR_MS, CapParams, estimate, hour_of
from millstream.models.event import EVENT_TYPES, Event, EventWeights, event_key
from millstream.models.event_set import IMPRESSION, EventSet
from millstream.models.impressions import FatigueParams, Impressions
from millstream.models.packed import FORMAT, Packed, decode_packed, encode_packed
from millstream.models.seen import Hashes, hashes_of, item_hash, removed_hashes_of
from millstream.models.teaching import DWELL, REMOVING_CODES, Taught, taught

AS_OF_MAX: Final = 24


@dataclass(slots=True)
class Profile(EventSet):
    """One person: the events kept of them, what is read of those, and the stored form."""

    def pack(self) -> bytes:
        """Return the stored form; its first 8 bytes are a hash of the rest: its version."""
        return encode_packed(
            Packed(
                FORMAT,
                self.items,
                _differences(self.ts),
                self.keys,
                self.types,
                {n: value for n, value in enumerate(self.values) if value},
                self.seen.tobytes(),
                self.as_of,
                self.floor,
                self.mark,
                self.busy and (self.busy[0], self.busy[1].to_bytes(BITS // 8, "little")),
                (self.shown.items, _differences(self.shown.ts), self.shown.keys),
            )
        )

    @classmethod
    def unpack(cls, packed: bytes | None) -> Self:
        """Return the profile that `pack` stored; None is a stranger. Raises StateRefused."""
        if packed is None:
            return cls()
        p = decode_packed(packed)
        seen = np.frombuffer(p.seen, np.uint64)
        values = [0.0] * len(p.items)
        for n, value in p.values.items():
            values[n] = value
        ts = list(accumulate(p.ts))
        shown = Impressions(p.shown[0], list(accumulate(p.shown[1])), p.shown[2])
        busy = p.busy and (p.busy[0], int.from_bytes(p.busy[1], "little"))
        return cls(
            p.items, ts, p.keys, p.types, values, seen, p.as_of, p.floor, p.mark, busy, shown
        )

    def copy(self) -> Self:
        """Return a profile of its own with the same content."""
        shown = self.shown
        return replace(
            self,
            items=self.items[:],
            ts=self.ts[:],
            keys=self.keys[:],
            types=self.types[:],
            values=self.values[:],
            as_of=self.as_of.copy(),
            shown=Impressions(shown.items[:], shown.ts[:], shown.keys[:]),
        )

    def note_offsets(self, offsets: dict[str, int]) -> None:
        """Set the next offset of some topic partitions (`clicks-3` -> 1042)."""
        self.as_of.update(offsets)
        while len(self.as_of) > AS_OF_MAX:
            self.as_of.pop(next(iter(self.as_of)))

    def taught(self, weights: EventWeights, most: int) -> Taught:
        """Return (items, weights, ts_ms) of what teaches, newest first, at most `most` items."""
        return taught(self.items, self.ts, self.types, self.values, weights, most)

    def taught_after(
        self, event: Event, before: Taught, weights: EventWeights, most: int
    ) -> Taught | None:
        """Return `taught` after an event was added, from `taught` before; None if not so simple.

        Simple is a new event that teaches and is the newest, where none had to leave for it and
        no other changes its weight.
        """
        weight = weights.weight(event.type, event.value)
        if weight <= 0.0 or weights.half_life_days or self.keys[-1] != event_key(event.id):
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
        """Return the item of every kept event: what is not listed again."""
        return self.items

    def resting(self, now_ms: int, params: FatigueParams) -> list[str]:
        """Return the items that were shown often enough of late and not taken up."""
        if not self.shown.items:
            return []
        last_met = dict(zip(self.items, self.ts, strict=True))
        return self.shown.resting(now_ms, last_met, params)

    def is_capped(self, item: str, ts: int, caps: CapParams) -> bool:
        """Return whether an event at that moment with that item is one too many to teach."""
        if caps.item_per_user and self.items.count(item) >= caps.item_per_user:
            return True
        return bool(caps.user_per_hour) and self._within_hour(ts) >= caps.user_per_hour

    def _within_hour(self, ts: int) -> float:
        """Return how many events this person had in that hour of the clock; about, if many."""
        hour = hour_of(ts)
        kept = bisect_left(self.ts, (hour + 1) * HOUR_MS) - bisect_left(self.ts, hour * HOUR_MS)
        if self.busy is None or self.busy[0] != hour:
            return kept
        return kept + estimate(self.busy[1])

    def removed(self) -> list[str]:
        """Return the items whose newest kept event, dwells aside, is a dislike or a hide."""
        if REMOVING_CODES.isdisjoint(self.types):
            return []
        events = zip(self.items, self.types, strict=True)
        newest = {item: type_ for item, type_ in events if type_ != DWELL}
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
        """Return all that is kept as this user's, impressions last; the id of each is its key."""
        columns = (self.keys, self.items, self.types, self.ts, self.values)
        shown = (self.shown.keys, self.shown.items, self.shown.ts)
        return [
            Event(key.decode(), user, item, EVENT_TYPES[type_], ts, value)
            for key, item, type_, ts, value in zip(*columns, strict=True)
        ] + [
            Event(key.decode(), user, item, EVENT_TYPES[IMPRESSION], ts)
            for key, item, ts in zip(*shown, strict=True)
        ]

    def kept_keys(self) -> frozenset[bytes]:
        """Return the keys of all that `events` returns."""
        return frozenset((*self.keys, *self.shown.keys))


def _differences(ts: list[int]) -> list[int]:
    """Return the first, then what each adds to the one before."""
    return [*ts[:1], *map(sub, ts[1:], ts)]
