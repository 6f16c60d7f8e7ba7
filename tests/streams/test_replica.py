"""A replica takes in what continues it, drops what repeats, and says when something is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from millstream.models.frame import decode_frame, encode_frame
from millstream.streams.log import Message
from millstream.streams.replica import MEND_EVERY_MS, RECORDS_A_CATCH_UP

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.streams.conftest import System

    from millstream.streams.learn import LearnCore


def learnt(system: System, frames: int, learner: LearnCore | None = None) -> LearnCore:
    """Let a learner emit so many frames of two interactions each."""
    core = system.recommend()
    learner = learner or system.learn()
    for n in range(2 * frames):
        system.event(f"u{n % 3}", f"m{n * n % 11}")
        core.sweep()
        if n % 2:
            system.clock.ms += 300
            learner.sweep()
    return learner


def values(system: System) -> list[bytes]:
    return [record.value or b"" for record in system.records("item_deltas")]


def test_frames_are_followed_as_they_come(system: System) -> None:
    replica = system.replica()
    learner = learnt(system, 3)
    assert replica.model.offset == 0
    system.catch_up(replica)
    assert (replica.applied, replica.dropped, replica.broken) == (3, 0, "")
    assert replica.model.digest() == learner.model.digest()


def test_what_one_call_takes_in_is_bounded(system: System) -> None:
    replica = system.replica()
    learnt(system, RECORDS_A_CATCH_UP + 5)
    replica.catch_up()
    assert replica.applied == RECORDS_A_CATCH_UP
    replica.catch_up()
    assert replica.applied == RECORDS_A_CATCH_UP + 5


def test_it_has_caught_up_when_all_that_was_there_at_its_opening_is_in(system: System) -> None:
    learnt(system, RECORDS_A_CATCH_UP + 5)
    replica = system.new_replica()
    assert not replica.caught_up()
    replica.open()
    replica.catch_up()
    assert not replica.caught_up()
    replica.catch_up()
    assert replica.caught_up()


def test_a_snapshot_is_where_it_begins(system: System) -> None:
    learner = learnt(system, 3)
    learner.snapshot()
    learnt(system, 2, learner)
    replica = system.replica()
    assert replica.applied == 2
    assert replica.model.digest() == learner.model.digest()


def test_repeated_and_stale_frames_are_dropped(system: System) -> None:
    learner = learnt(system, 3)
    first, second, _ = values(system)
    stale = decode_frame(first)
    stale.writer = "zombie"
    stale.stop = 1
    for value in (first, second, encode_frame(stale)):
        system.log.append("item-deltas", [Message(None, value)])
    replica = system.replica()
    assert (replica.applied, replica.dropped, replica.broken) == (3, 3, "")
    assert replica.model.digest() == learner.model.digest()


def without_second(frames: list[bytes]) -> list[bytes]:
    return [frames[0], *frames[2:]]


def with_second_flipped(frames: list[bytes]) -> list[bytes]:
    second = frames[1][:-3] + bytes([frames[1][-3] ^ 4]) + frames[1][-2:]
    return [frames[0], second, *frames[2:]]


def with_second_newer(frames: list[bytes]) -> list[bytes]:
    second = decode_frame(frames[1])
    second.format += 1
    return [frames[0], encode_frame(second), *frames[2:]]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (without_second, "a frame begins at 4, the replica is at 2"),
        (with_second_flipped, "checksum does not match"),
        (with_second_newer, "this code reads 1"),
    ],
)
def test_a_frame_missing_or_corrupt_breaks_it_until_a_snapshot_reaches_past_it(
    system: System, damage: Callable[[list[bytes]], list[bytes]], says: str
) -> None:
    learner = learnt(system, 3)
    frames = values(system)
    system.rewrite("item_deltas", damage(frames))
    replica = system.replica()
    assert says in replica.broken
    assert replica.model.offset == 2, "it stays at the last frame that was whole"
    assert not replica.caught_up()

    learner.snapshot()
    system.catch_up(replica)
    assert replica.broken, "it looks only every now and then"
    system.clock.ms += MEND_EVERY_MS
    replica.catch_up()
    assert replica.broken == ""
    learnt(system, 2, learner)
    system.catch_up(replica)
    assert replica.caught_up()
    assert replica.model.digest() == learner.model.digest()


def test_a_snapshot_that_does_not_reach_past_the_hole_does_not_mend_it(system: System) -> None:
    learner = learnt(system, 1)
    learner.snapshot()
    learnt(system, 2, learner)
    frames = values(system)
    system.rewrite("item_deltas", without_second(frames))
    replica = system.replica()
    system.clock.ms += MEND_EVERY_MS
    replica.catch_up()
    assert replica.broken
    assert replica.model.offset == 2


def test_frames_that_retention_removed_before_they_were_read_are_said(system: System) -> None:
    replica = system.replica()
    learner = learnt(system, 3)
    system.log.remove("item-deltas", 0, 2)
    replica.catch_up()
    assert "removed by retention" in replica.broken
    learner.snapshot()
    system.clock.ms += MEND_EVERY_MS
    replica.catch_up()
    assert replica.broken == ""
    assert replica.model.digest() == learner.model.digest()


def test_frames_of_other_settings_are_said_with_what_to_do(system: System) -> None:
    learnt(system, 1)
    frame = decode_frame(values(system)[0])
    frame.settings = "11111111"
    system.rewrite("item_deltas", [encode_frame(frame)])
    assert "start LEARN and RECOMMEND with the same settings" in system.replica().broken


def test_the_catalogue_comes_with_it(system: System) -> None:
    replica = system.replica()
    system.item("m1", hidden=True)
    system.item("m2", title="shown")
    system.raw(b"rubbish", b"m3", "items")
    system.raw(msgspec.json.encode({"hidden": True}), b"bad\nid", "items")
    system.catch_up(replica)
    assert set(replica.catalogue.gates) == {"m1"}
    assert sum(replica.catalogue.versions) == 4, "what is no item counts as read too"
