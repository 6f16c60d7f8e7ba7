"""What a person was shown: a bounded set beside the events, and the items that rest for it.

Simulated slates of ten: letting an item rest after two impressions without a click multiplied
clicks by four. Impressions have a bound of their own, so that they push out no event.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec

HOUR_MS: Final = 3_600_000


class FatigueParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """After how many impressions an item rests, 0 for never, and for how long."""

    impressions: Annotated[int, msgspec.Meta(ge=0)] = 2
    rest_hours: Annotated[float, msgspec.Meta(ge=0)] = 24.0


NO_FATIGUE: Final = FatigueParams(impressions=0)


@dataclass(slots=True)
class Impressions:
    """The newest impressions of one person, oldest first by (ts, key); each key once."""

    items: list[str] = field(default_factory=list)
    ts: list[int] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)

    def add(self, ts: int, key: bytes, item: str, most: int) -> bool:
        """Take in one whose key is not held; return whether there was a place for it."""
        at = bisect_left(list(zip(self.ts, self.keys, strict=True)), (ts, key))
        self.items.insert(at, item)
        self.ts.insert(at, ts)
        self.keys.insert(at, key)
        if len(self.items) <= most:
            return True
        self.remove(0)
        return at > 0

    def remove(self, at: int) -> None:
        """Forget the one at a place."""
        del self.items[at], self.ts[at], self.keys[at]

    def resting(self, now_ms: int, since: Mapping[str, int], params: FatigueParams) -> list[str]:
        """Return the items that rest now.

        One rests that was shown `impressions` times after the person's last event with it
        (`since`, ms), for `rest_hours` after it was last shown.
        """
        if not params.impressions:
            return []
        shown: dict[str, int] = {}
        last: dict[str, int] = {}
        for item, ts in zip(self.items, self.ts, strict=True):
            if ts > since.get(item, -1):
                shown[item] = shown.get(item, 0) + 1
                last[item] = ts
        oldest = now_ms - params.rest_hours * HOUR_MS
        return [i for i, n in shown.items() if n >= params.impressions and last[i] > oldest]
