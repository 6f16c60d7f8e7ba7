"""Lists and what was shown, hidden or bought before: fatigue and repeats through a whole system."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from millstream.models.event_set import ProfileParams
from millstream.models.impressions import FatigueParams
from millstream.streams.settings import ListSettings

if TYPE_CHECKING:
    from tests.streams.conftest import MakeSystem, System

HOUR_MS = 3_600_000


def town(system: System) -> System:
    """What four people did; let the item model learn it."""
    for user, items in {"x": "abcd", "y": "abe", "z": "bcd", "w": "ace"}.items():
        for item in items:
            system.event(user, item)
    system.work()
    return system


def shown(system: System, user: str, item: str, times: int) -> None:
    for _ in range(times):
        system.event(user, item, role="feedback", type="impression")


def clean(system: System) -> None:
    found = system.audit()
    assert found.clean, found.faults


def test_what_was_shown_twice_rests_and_comes_back_when_it_has_rested(system: System) -> None:
    town(system)
    system.event("ann", "a")
    system.work("one")
    assert "b" in system.listed("ann")
    shown(system, "ann", "b", 1)
    system.work("two")
    assert "b" in system.listed("ann")
    shown(system, "ann", "b", 1)
    system.work("three")
    assert "b" not in system.listed("ann")
    assert "c" in system.listed("ann")
    clean(system)
    system.clock.ms += 24 * HOUR_MS
    system.event("ann", "d")
    system.work("four")
    assert "b" in system.listed("ann")
    clean(system)


def test_by_setting_nothing_rests(make_system: MakeSystem) -> None:
    system = town(make_system(fatigue=FatigueParams(impressions=0)))
    system.event("ann", "a")
    shown(system, "ann", "b", 5)
    system.work("one")
    assert "b" in system.listed("ann")


def test_a_click_wakes_nothing_that_is_met_but_repeats_may_come_again(
    make_system: MakeSystem,
) -> None:
    system = town(make_system(list=ListSettings(repeats=True)))
    system.event("ann", "a")
    shown(system, "ann", "b", 2)
    system.work("one")
    assert "b" not in system.listed("ann")
    system.event("ann", "b", role="feedback", type="purchase")
    system.work("two")
    assert "b" in system.listed("ann"), "bought: it is no longer tired of"
    clean(system)


@pytest.mark.parametrize("repeats", [False, True])
def test_what_was_met_is_listed_again_only_where_repeats_are_wanted(
    make_system: MakeSystem, repeats: bool
) -> None:
    """Narrow, so that the first purchases are known by their hashes alone."""
    narrow = ProfileParams(events_max=2, seen_max=8)
    system = town(make_system(list=ListSettings(repeats=repeats), profile=narrow))
    for item in "abce":
        system.event("ann", item, role="feedback", type="purchase")
    system.work("one")
    assert set(system.listed("ann")) == (set("abcde") if repeats else {"d"})
    clean(system)


@pytest.mark.parametrize("type_", ["hide", "dislike"])
@pytest.mark.parametrize("repeats", [False, True])
def test_what_is_hidden_leaves_the_list_with_that_event_and_stays_away(
    make_system: MakeSystem, repeats: bool, type_: str
) -> None:
    narrow = ProfileParams(events_max=2, seen_max=8)
    system = town(make_system(list=ListSettings(repeats=repeats), profile=narrow))
    system.event("ann", "a")
    system.work("one")
    first = system.listing("ann")
    assert "b" in system.listed("ann")
    system.event("ann", "b", role="feedback", type=type_)
    system.work("two")
    assert system.listing("ann").id != first.id
    assert "b" not in system.listed("ann")
    for item in "cd":
        system.event("ann", item)
    system.work("three")
    assert "b" not in system.profile("ann").items, "it is known by its hash alone"
    assert "b" not in system.listed("ann")
    clean(system)


def test_what_was_hidden_and_then_taken_up_may_be_listed_again(make_system: MakeSystem) -> None:
    system = town(make_system(list=ListSettings(repeats=True)))
    system.event("ann", "b", role="feedback", type="hide")
    system.event("ann", "b", role="feedback", type="purchase")
    system.work("one")
    assert "b" in system.listed("ann")
