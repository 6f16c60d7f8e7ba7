"""How many events a person had in an hour, also when their profile has long let them go."""

import random

import pytest

from millstream.models.caps import BITS, HOUR_MS, CapParams, bit_of, estimate
from millstream.models.event import Event
from millstream.models.event_set import ProfileParams
from millstream.models.profile import Profile

HOUR = 1_700_000_000_000 // HOUR_MS * HOUR_MS
SMALL = ProfileParams(events_max=10)


def robot(events: int, items: int, params: ProfileParams = SMALL) -> Profile:
    """Somebody who does so much within one hour."""
    profile = Profile()
    for n in range(events):
        profile.add(Event(f"e{n:05d}", "r", f"m{n % items}", "click", HOUR + n), params)
    return profile


def test_an_hour_is_counted_exactly_while_it_is_kept() -> None:
    caps = CapParams(user_per_hour=5, item_per_user=0)
    profile = robot(4, 4)
    assert not profile.is_capped("new", HOUR + 100, caps)
    profile = robot(5, 5)
    assert profile.is_capped("new", HOUR + 100, caps)
    assert not profile.is_capped("new", HOUR + HOUR_MS, caps), "the next hour begins anew"
    assert not profile.is_capped("new", HOUR - 1, caps), "and so did the one before"


@pytest.mark.parametrize("events", [50, 200, 500, 1000, 2000])
def test_beyond_what_is_kept_an_hour_is_counted_to_within_a_few_percent(events: int) -> None:
    profile = robot(events, 30)
    assert profile._within_hour(HOUR) == pytest.approx(events, rel=0.08, abs=4)
    assert len(profile.items) == 10
    assert len(profile.pack()) < 1000


def test_when_every_bit_is_set_nothing_teaches() -> None:
    assert estimate((1 << BITS) - 1) == float("inf")
    assert estimate(0) == 0.0
    assert {bit_of(str(n).encode()).bit_count() for n in range(100)} == {1}


def test_a_busy_hour_is_forgotten_with_the_next_and_the_order_does_not_show() -> None:
    events = [Event(f"e{n:03d}", "r", f"m{n}", "click", HOUR + n) for n in range(40)]
    later = Event("later", "r", "x", "click", HOUR + HOUR_MS)
    chance = random.Random(1)
    whole = robot(0, 1)
    for event in [*events, later]:
        whole.add(event, SMALL)
    assert whole.busy is None
    packed = set()
    for _ in range(20):
        chance.shuffle(events)
        one, other = Profile(), Profile()
        for n, event in enumerate(events):
            (one, other)[n % 2].add(event, SMALL)
        one.merge(other, SMALL)
        assert one.busy is not None
        packed.add(one.pack())
    assert len(packed) == 1


def test_one_item_teaches_so_often_and_another_still_does() -> None:
    caps = CapParams(user_per_hour=0, item_per_user=3)
    profile = robot(6, 2)
    assert profile.is_capped("m0", HOUR + 10 * HOUR_MS, caps)
    assert not profile.is_capped("m2", HOUR + 10 * HOUR_MS, caps)
    assert not profile.is_capped("m0", HOUR, CapParams(user_per_hour=0, item_per_user=0))
