"""What a person did: one event, and what each type of it is worth."""

from base64 import urlsafe_b64encode
from functools import lru_cache
from hashlib import blake2b
from typing import Annotated, Final, Literal, get_args

import msgspec

EventType = Literal[
    "view",
    "click",
    "cart",
    "purchase",
    "like",
    "dislike",
    "rating",
    "dwell",
    "impression",
    "hide",
]

EVENT_TYPES: Final[tuple[str, ...]] = get_args(EventType)
TYPE_CODES: Final = {name: code for code, name in enumerate(EVENT_TYPES)}
REMOVING: Final = frozenset({"dislike", "hide"})
"""Types that take an item out of a person's lists and never teach similarity."""

MERGE: Final = "merge"
"""The type of what is no event with an item: a guest turns out to be a person."""

RATING_MAX: Final = 5.0
KEY_BYTES: Final = 24
HASHED_BYTES: Final = 12  # 16 characters of base64


class Event(msgspec.Struct, frozen=True, gc=False):
    """One decoded, valid event. `ts` is ms since the epoch; ids are NFC, 1-128 bytes of UTF-8.

    `merged`: a guest's event, told again under the person whom the guest turned out to be.
    """

    id: str
    user: str
    item: str
    type: str
    ts: int
    value: float = 0.0
    merged: bool = False


class Merge(msgspec.Struct, frozen=True, gc=False):
    """The guest `user` is the person `into`: what the guest did and does is the person's too."""

    id: str
    user: str
    into: str
    ts: int

    @property
    def type(self) -> str:
        """Return the type under which it is counted."""
        return MERGE


def event_key(id_: str) -> bytes:
    """Return what stands for an event id: its bytes, or 16 letters of its hash when over 24.

    Letters, so that a key is an id too, and its own key: an event told again by its key is known.
    """
    raw = id_.encode()
    if len(raw) <= KEY_BYTES:
        return raw
    return urlsafe_b64encode(blake2b(raw, digest_size=HASHED_BYTES).digest())


class EventWeights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one event of a type teaches and how much it counts in a profile; 0 teaches nothing."""

    view: float = 0.3
    click: float = 1.0
    cart: float = 1.5
    purchase: float = 2.0
    like: float = 1.0
    dwell: float = 0.0
    bounce_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    half_life_days: Annotated[float, msgspec.Meta(ge=0)] = 0.0

    def weight(self, type_: str, value: float) -> float:
        """Return the weight of an event by itself, at least 0.

        A rating is graded: value / 5, within 0 and 1 (.2 .4 .6 .8 1 for 1-5 beat positives
        only, .229 against .212). Dislike, hide and impression are 0, as is a dwell (value: its
        seconds) below `bounce_s`.
        """
        if type_ == "rating":
            return min(max(value / RATING_MAX, 0.0), 1.0)
        if type_ == "dwell" and value < self.bounce_s:
            return 0.0
        return float(getattr(self, type_, 0.0))


GRADED: Final = -1.0
"""Stands in `weight_table` for a type whose weight depends on the event's value."""


@lru_cache(maxsize=16)
def weight_table(weights: EventWeights) -> tuple[float, ...]:
    """Return the weight of each type by its code, GRADED where the value decides."""
    graded = {"rating", "dwell"} if weights.dwell and weights.bounce_s else {"rating"}
    return tuple(GRADED if t in graded else weights.weight(t, 0.0) for t in EVENT_TYPES)
