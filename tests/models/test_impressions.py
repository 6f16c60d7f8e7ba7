"""What was shown and not taken up rests, by a rule that the order of arrival cannot change."""

import itertools

import pytest

from millstream.models.event import Event
from millstream.models.event_set import ProfileParams
from millstream.models.impressions import HOUR_MS, NO_FATIGUE, FatigueParams
from millstream.models.profile import Profile

NOW = 1_700_000_000_000
BOUNDS = ProfileParams(events_max=4, impressions_max=5)
TWICE = FatigueParams(impressions=2, rest_hours=10)


def event(hour: int, item: str, type_: str = "impression") -> Event:
    return Event(f"{hour}{item}{type_[0]}", "u", item, type_, NOW + hour * HOUR_MS)


def profile_of(*events: Event) -> Profile:
    profile = Profile()
    for one in events:
        profile.add(one, BOUNDS)
    return profile


def resting(profile: Profile, hour: float, params: FatigueParams = TWICE) -> list[str]:
    return profile.resting(NOW + int(hour * HOUR_MS), params)


@pytest.mark.parametrize(
    ("shown", "hour", "rests"),
    [
        ([0], 1, False),
        ([0, 1], 1, True),
        ([0, 1], 10.9, True),
        ([0, 1], 11, False),
        ([0, 30], 31, True),
        ([0, 1, 20], 25, True),
    ],
)
def test_an_item_shown_twice_rests_until_ten_hours_after_the_last_time(
    shown: list[int], hour: float, rests: bool
) -> None:
    profile = profile_of(*(event(n, "a") for n in shown))
    assert resting(profile, hour) == (["a"] if rests else [])
    assert resting(profile, hour, NO_FATIGUE) == []


def test_impressions_count_from_the_last_event_with_the_item() -> None:
    shown = [event(0, "a"), event(1, "a"), event(2, "a", "view"), event(3, "a")]
    for order in itertools.permutations(shown):
        assert resting(profile_of(*order), 4) == []
        assert resting(profile_of(*order, event(4, "a")), 4) == ["a"]


def test_many_impressions_push_out_each_other_and_no_event() -> None:
    clicks = [event(n, f"m{n}", "click") for n in range(4)]
    profile = profile_of(*clicks, *(event(10 + n, "a") for n in range(50)))
    assert profile.items == ["m0", "m1", "m2", "m3"]
    assert len(profile.shown.items) == 5
    assert len(profile.seen) == 0


def test_an_impression_older_than_all_that_are_kept_is_late() -> None:
    profile = profile_of(*(event(10 + n, "a") for n in range(5)))
    assert profile.add(event(1, "b"), BOUNDS) == "late"
    assert profile.add(event(12, "a"), BOUNDS) == "duplicate"
    assert profile.add(event(20, "b"), BOUNDS) == "new"


def test_one_id_as_an_impression_and_as_a_click_is_one_event_whichever_comes_first() -> None:
    shown = Event("e", "u", "a", "impression", NOW)
    clicked = Event("e", "u", "a", "click", NOW + 1)
    for order in ([shown, clicked], [clicked, shown]):
        profile = profile_of(*order)
        assert (profile.items, profile.shown.items) == (["a"], [])
    later = Event("e", "u", "a", "impression", NOW + 2)
    for order in ([later, clicked], [clicked, later]):
        profile = profile_of(*order)
        assert (profile.items, profile.shown.items) == ([], ["a"])


def test_without_a_bound_for_them_none_is_kept() -> None:
    profile = Profile()
    assert profile.add(event(0, "a"), ProfileParams(impressions_max=0)) == "late"
    assert not profile.shown.items
