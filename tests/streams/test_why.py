"""Why an item is in a person's list, asked of a system that has worked."""

import pytest
from tests.streams.conftest import MakeSystem, System

from millstream.models.event_set import ProfileParams
from millstream.streams.errors import WorldMissing
from millstream.streams.why import Answer, ask


def asked(system: System, user: str, item: str) -> Answer:
    return ask(
        system.settings, system.log, system.store, user, item, system.clock, system.snapshots
    )


@pytest.fixture
def busy(system: System) -> System:
    """Four people who went round in a circle, and one who began."""
    for n in range(40):
        system.event(f"u{n % 4}", f"m{n // 4 + n % 4}")
    system.event("ann", "m3")
    system.work()
    return system


def test_what_is_listed_now_is_what_the_store_lists(busy: System) -> None:
    busy.work()  # the list of ann was made before all was learnt
    for place, item in enumerate(busy.listed("ann"), 1):
        found = asked(busy, "ann", item)
        assert (found.why.verdict, found.known) == ("listed", True)
        assert found.stored_place is not None
        assert f"is number {found.why.place} of 20" in found.sentence
        assert place <= 20


def test_deleted_is_told_apart_from_hidden(busy: System) -> None:
    busy.item("m5", title="Lamp", hidden=True)
    busy.item("m6")
    busy.encode().apply([r for p in range(2) for r in busy.records("items", p)])
    assert asked(busy, "ann", "m5").sentence == (
        "Lamp is hidden in the catalogue, so it is shown to nobody"
    )
    found = asked(busy, "ann", "m6")
    assert (found.why.verdict, found.deleted) == ("hidden", True)
    assert found.sentence == "m6 was deleted from the catalogue"


def test_moments_beyond_the_calendar_are_said_too(busy: System) -> None:
    busy.item("m5", title="", available_from=2**61)
    busy.item("m6", title="", expires_at=86_400_000)
    assert str(2**61) in asked(busy, "ann", "m5").sentence
    assert asked(busy, "ann", "m6").sentence.endswith("1970-01-02T00:00:00+00:00")


def test_a_stranger_is_ranked_as_one_and_nothing_is_written(busy: System) -> None:
    before = (busy.append_ends(), busy.lists())
    found = asked(busy, "nobody", "m4")
    assert (found.known, found.stored_place) == (False, None)
    assert found.why.verdict == "listed"
    assert (busy.append_ends(), busy.lists()) == before


def test_a_model_of_other_settings_cannot_be_asked(busy: System, make_system: MakeSystem) -> None:
    other = make_system(profile=ProfileParams(events_max=7, seen_max=64)).settings
    with pytest.raises(WorldMissing, match="settings"):
        ask(other, busy.log, busy.store, "ann", "m4", busy.clock)
