"""Every event is learnt once, whoever published it and how often."""

import pytest

from millstream.models.interaction import Interaction
from millstream.models.repeats import RECENT_KEYS, Repeats


def met(offset: int, *, key: int | None = None, partition: int = 0, user: int = 1) -> Interaction:
    """An interaction of the source record at an offset; its event id stands in `key`."""
    event = 1000 + offset + 100_000 * partition if key is None else key
    return Interaction(0, partition, offset, user, event, "m", 1.0, 10**12, [], [], [])


def test_an_offset_that_is_not_above_the_highest_met_is_a_repeat() -> None:
    repeats = Repeats()
    assert [repeats.is_repeat(met(n), "t") for n in (0, 1, 5, 5, 3, 6)] == [
        False,
        False,
        False,
        True,
        True,
        False,
    ]


def test_offsets_are_told_apart_by_partition_and_by_topic_id() -> None:
    repeats = Repeats()
    assert not repeats.is_repeat(met(5), "t")
    assert not repeats.is_repeat(met(5, partition=1), "t")
    assert not repeats.is_repeat(met(5, key=77), "re-created")
    assert repeats.highest == {"t:0": 5, "t:1": 5, "re-created:0": 5}


def test_an_event_id_met_at_another_place_is_a_repeat() -> None:
    repeats = Repeats()
    assert not repeats.is_repeat(met(5, key=77), "t")
    assert repeats.is_repeat(met(9, key=77, partition=1), "t")
    assert repeats.highest["t:1"] == 9, "its place was met all the same"


def test_the_same_event_id_of_another_user_is_another_event() -> None:
    repeats = Repeats()
    assert not repeats.is_repeat(met(5, key=77, user=1), "t")
    assert not repeats.is_repeat(met(6, key=77, user=2), "t")


def test_event_ids_are_remembered_within_a_bound_the_oldest_leave() -> None:
    repeats = Repeats()
    for n in range(RECENT_KEYS + 1):
        assert not repeats.is_repeat(met(n, key=n), "t")
    assert len(repeats.recent()) == RECENT_KEYS
    assert repeats.is_repeat(met(0, key=1, partition=1), "t")
    assert not repeats.is_repeat(met(1, key=0, partition=1), "t")


@pytest.mark.parametrize("count", [0, 3])
def test_what_is_loaded_goes_on_as_what_was_saved(count: int) -> None:
    repeats, loaded = Repeats(), Repeats()
    for n in range(count):
        repeats.is_repeat(met(n), "t")
    loaded.load(list(repeats.highest), list(repeats.highest.values()), repeats.recent())
    probes = [met(count), met(0, partition=1, key=1000), met(1, partition=1), met(count)]
    assert [loaded.is_repeat(probe, "t") for probe in probes] == [
        repeats.is_repeat(probe, "t") for probe in probes
    ]
    assert loaded.recent().tolist() == repeats.recent().tolist()
