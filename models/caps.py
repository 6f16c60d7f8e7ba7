"""How much one person may teach the item model: robots and noisy people do not move it.

What is beyond a cap still enters the person's history and list; it is learnt from with weight 0.
A person's busiest hour may hold more events than a profile keeps, so those that had to leave
within the newest hour are counted by linear counting (Whang et al. 1990): a bit each in a map of
1,024, which is a set too and merges in any order.
"""

import math
from hashlib import blake2b
from typing import Annotated, Final

import msgspec

HOUR_MS: Final = 3_600_000
BITS: Final = 1024

Busy = tuple[int, int]
"""An hour since the epoch, and the bits of the events of it that are no longer kept."""


class CapParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events of one person that teach: in an hour of the clock, and about one item; 0: any."""

    user_per_hour: Annotated[int, msgspec.Meta(ge=0, le=3000)] = 500
    item_per_user: Annotated[int, msgspec.Meta(ge=0)] = 20


def hour_of(ts_ms: int) -> int:
    """Return the hour since the epoch."""
    return ts_ms // HOUR_MS


def bit_of(key: bytes) -> int:
    """Return the map with the one bit of an event key."""
    return 1 << int.from_bytes(blake2b(key, digest_size=2).digest(), "little") % BITS


def estimate(bits: int) -> float:
    """Return about how many events set these bits: -m ln(1 - k/m), infinite when all are set.

    >>> [round(estimate((1 << k) - 1)) for k in (1, 100, 512)]
    [1, 105, 710]
    """
    free = BITS - bits.bit_count()
    return BITS * math.log(BITS / free) if free else math.inf


def newest(one: Busy | None, other: Busy | None) -> Busy | None:
    """Return the later hour, with the bits of both if it is the same."""
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        return one[0], one[1] | other[1]
    return max(one, other)
