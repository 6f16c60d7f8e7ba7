"""A robot in the house: their list is theirs, the others' lists stay what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millstream.models.caps import CapParams
from millstream.models.interaction import decode_batch

if TYPE_CHECKING:
    from tests.streams.conftest import MakeSystem, System


def town(system: System) -> System:
    """What four people did."""
    for user, items in {"x": "abcd", "y": "abe", "z": "bcd", "w": "ace"}.items():
        for item in items:
            system.event(user, item)
    return system


def weights(system: System, item: str) -> list[float]:
    """What each event with an item taught, in order."""
    found = []
    for record in system.records("interactions"):
        batch = decode_batch(record.value)
        assert batch is not None
        found += [one.weight for one in batch.interactions if one.item == item]
    return found


def test_beyond_the_hours_cap_a_person_teaches_nothing_and_is_served_all_the_same(
    make_system: MakeSystem,
) -> None:
    caps = CapParams(user_per_hour=3, item_per_user=0)
    calm, noisy = town(make_system(caps=caps)), town(make_system(caps=caps))
    for system in (calm, noisy):
        for item in "aec":
            system.event("robot", item)
    for _ in range(60):
        noisy.event("robot", "e")
    noisy.event("robot", "d")
    for system in (calm, noisy):
        system.work("one")
        system.event("ann", "a")
        system.work("two")
        found = system.audit()
        assert found.clean, found.faults
    assert weights(noisy, "e") == [1.0, 1.0, 1.0, *[0.0] * 60]
    # Scores differ in their last digits: the events of both came some milliseconds apart.
    assert [e.item for e in noisy.listing("ann").items] == [
        e.item for e in calm.listing("ann").items
    ]
    assert noisy.profile("robot").items[-1] == "d"


def test_one_person_teaches_so_often_about_one_item(make_system: MakeSystem) -> None:
    system = make_system(caps=CapParams(user_per_hour=0, item_per_user=2))
    for _ in range(5):
        system.event("fan", "a")
    system.event("fan", "b")
    system.event("other", "a")
    system.work()
    assert weights(system, "a") == [1.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    assert weights(system, "b") == [1.0]
    assert system.audit().clean


def test_after_the_hour_a_person_teaches_again(make_system: MakeSystem) -> None:
    system = make_system(caps=CapParams(user_per_hour=2, item_per_user=0))
    for item in "abc":
        system.event("ann", item)
    system.clock.ms += 3_600_000
    system.event("ann", "d")
    system.work()
    assert [weights(system, item) for item in "abcd"] == [[1.0], [1.0], [0.0], [1.0]]
