"""Learners, replicas and the audit where every frame takes several records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from millstream.models.fism import FismParams
from millstream.models.frame import Frame
from millstream.models.mf import MfParams
from millstream.streams.learn import LearnCore, Superseded
from millstream.streams.log import LogUnavailable, Message
from millstream.streams.replica import MEND_EVERY_MS
from millstream.streams.segments import FrameReader, Segment
from millstream.streams.settings import LearnSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.streams.conftest import MakeSystem, System

    from millstream.streams.replica import Replica

LEAST = LearnSettings(frame_bytes_max=1000)
SOURCES = {  # wide: 384 bytes a row
    "mf": MfParams(factors=96, users_max=64, item_users=8),
    "fism": FismParams(factors=96),
}


@pytest.fixture
def system(make_system: MakeSystem) -> System:
    """A system in memory whose records of frames are as small as they can be set."""
    return make_system(learn=LEAST, sources=SOURCES)


def happen(system: System, count: int, first: int = 0) -> None:
    core = system.recommend()
    for n in range(first, first + count):
        system.event(f"u{n % 5}", f"m{n * n % 17}")
        core.sweep()


def learn_on(system: System, learner: LearnCore, count: int = 2) -> None:
    """Let people do something, and the learner tell it in a frame of its own."""
    happen(system, count, first=learner.model.offset)
    system.clock.ms += 300
    learner.sweep()


def values(system: System) -> list[bytes]:
    return [record.value or b"" for record in system.records("item_deltas")]


def frames(system: System) -> list[Frame]:
    reader = FrameReader()
    return [frame for value in values(system) if (frame := reader.take(value)) is not None]


def segment(value: bytes) -> Segment:
    return msgspec.msgpack.decode(value[9:], type=Segment)


def last_frame(system: System) -> int:
    """How many records the newest frame takes."""
    return segment(values(system)[-1]).count


def write(system: System, some: Sequence[bytes]) -> None:
    system.log.append(system.topic("item_deltas"), [Message(None, value) for value in some])


def expect_whole_chain(system: System, end: int) -> None:
    """One chain, the same for who reads all of it, who begins at a snapshot, and the audit."""
    at = 0
    for frame in frames(system):
        assert frame.start <= at, "a hole"
        at = frame.stop if frame.start == at else at
    assert at == end
    learner = system.learn("probe")
    assert learner.model.offset == end
    by_snapshot = system.replica()
    away = [(path, path.with_suffix(".away")) for path in system.snapshots.paths()]
    for path, aside in away:
        path.rename(aside)
    by_frames = system.replica()
    assert learner.model.digest() == system.learn("fold").model.digest()
    for path, aside in away:
        aside.rename(path)
    assert by_snapshot.model.digest() == by_frames.model.digest() == learner.model.digest()
    assert (by_snapshot.broken, by_frames.broken) == ("", "")
    found = system.audit()
    assert found.faults == []
    assert found.model_equal


def test_a_frame_of_many_records_is_followed_as_it_comes(system: System) -> None:
    replica = system.replica()
    learner = system.learn()
    for _ in range(3):
        learn_on(system, learner)
    assert [(f.start, f.stop) for f in frames(system)] == [(0, 2), (2, 4), (4, 6)]
    assert all(1 < segment(value).count < 100 for value in values(system)), "all are cut"
    assert all(len(value) <= 1000 for value in values(system))
    system.catch_up(replica)
    assert (replica.applied, replica.dropped, replica.broken) == (3, 0, "")
    assert replica.model.digest() == learner.model.digest()
    assert learner.is_last_writer()
    assert learner.learnt.frames == 3
    expect_whole_chain(system, 6)


def test_a_replica_takes_a_frame_in_when_its_last_record_is_there(system: System) -> None:
    learner = system.learn()
    learn_on(system, learner)
    whole = values(system)
    system.rewrite("item_deltas", [])
    replica = system.replica()
    for value in whole[:-1]:
        write(system, [value])
        system.catch_up(replica)
        assert (replica.model.offset, replica.broken) == (0, "")
    write(system, whole[-1:])
    system.catch_up(replica)
    assert replica.model.digest() == learner.model.digest()


def test_wherever_within_a_frame_a_learner_ends_the_next_one_continues_the_chain(
    system: System,
) -> None:
    first = system.learn("first")
    learn_on(system, first)
    first.snapshot()
    kept = values(system)
    learn_on(system, first)
    both = values(system)
    count = len(both) - len(kept)
    for n in (len(kept), len(kept) + 1, len(kept) + count // 2, len(both) - 1):
        system.rewrite("item_deltas", both[:n])
        second = system.learn("second")
        assert second.model.offset == 2, "what has no end is no frame"
        second.sweep()
        assert [(f.writer, f.start, f.stop) for f in frames(system)] == [
            ("first", 0, 2),
            ("second", 2, 4),
        ]
        expect_whole_chain(system, 4)


def tell_one_by_one(system: System, learner: LearnCore) -> None:
    for record in system.records("interactions")[learner.model.offset :]:
        system.clock.ms += 300
        learner.apply([record])
        learner.snapshot()


def test_killed_within_a_frame_again_and_again_it_leaves_one_chain(system: System) -> None:
    happen(system, 30)
    for n in range(12):
        system.failpoints.arm("learn.within-frame", 1 + n % 3)
        learner = system.learn(f"writer-{n}")
        with pytest.raises(system.failpoints.Crash):
            tell_one_by_one(system, learner)
    system.failpoints.disarm()
    system.learn("last").sweep()
    assert len({segment(value).writer for value in values(system)}) == 13
    expect_whole_chain(system, 30)


def test_what_a_dead_learner_had_on_its_way_may_land_after_its_heir_wrote_a_snapshot(
    system: System,
) -> None:
    """Else the heir's snapshot would begin within the dead one's frame, and never learn of it."""
    dead = system.learn("dead")
    learn_on(system, dead)
    kept = len(values(system))
    learn_on(system, dead)
    whole = values(system)
    system.rewrite("item_deltas", whole[:-1])
    heir = system.learn("heir")
    heir.snapshot()
    assert heir.model.offset == 2
    (snapshot,) = [system.snapshots.newest(system.settings.shape_hash(), heir._topic_id)]
    assert snapshot is not None
    assert snapshot.deltas == kept, "it ends where the last whole frame does"
    write(system, whole[-1:])
    with pytest.raises(Superseded, match="LEARN dead wrote the frame from 2 before this one"):
        learn_on(system, heir)
    assert not heir.is_last_writer()
    last = system.learn("last")
    assert last.model.offset == 4, "the dead one's frame counts"
    last.sweep()
    system.clock.ms += 300
    last.tick()
    expect_whole_chain(system, 6)


def test_of_two_writers_the_one_whose_frame_ended_second_leaves(system: System) -> None:
    """Their segments are mixed: who began first does not matter."""
    learn_on(system, system.learn("start"))
    happen(system, 2, first=2)
    one, other = system.learn("one"), system.learn("other")
    system.failpoints.at("learn.within-frame", other.sweep)
    with pytest.raises(Superseded, match="LEARN other wrote the frame from 2 before"):
        one.sweep()
    assert [f.writer for f in frames(system)] == ["start", "other", "one"]
    assert segment(values(system)[last_frame(system)]).writer == "one", "it began first"
    learn_on(system, other)
    expect_whole_chain(system, 6)


def test_anothers_frame_that_never_ended_is_no_reason_to_leave(system: System) -> None:
    happen(system, 4)
    one, other = system.learn("one"), system.learn("other")
    system.failpoints.arm("learn.within-frame")
    with pytest.raises(system.failpoints.Crash):
        other.sweep()
    one.sweep()
    assert [f.writer for f in frames(system)] == ["one"] * len(frames(system))
    expect_whole_chain(system, 4)


@pytest.mark.parametrize("late", [False, True], ids=["never lands", "lands later"])
@pytest.mark.parametrize("landed", [0, 1, 3, None], ids=["nothing", "one", "three", "all"])
def test_a_try_of_which_some_first_part_landed_is_no_foreign_frame(
    system: System, monkeypatch: pytest.MonkeyPatch, landed: int | None, late: bool
) -> None:
    learner = system.learn()
    append = system.log.append
    lost: list[Sequence[Message]] = []

    def failing(topic: str, messages: Sequence[Message], timeout_s: float = 30.0) -> list[int]:
        if topic == system.topic("item_deltas") and not lost:
            lost.append(messages[landed:] if landed is not None else [])
            append(topic, messages[:landed], timeout_s)
            raise LogUnavailable("no answer", 0.001)
        return append(topic, messages, timeout_s)

    happen(system, 2)
    monkeypatch.setattr(system.log, "append", failing)
    learner.sweep()
    assert learner.is_last_writer()
    if late:
        append(system.topic("item_deltas"), lost[0])
    learn_on(system, learner)
    assert [(f.writer, f.start) for f in frames(system)] == [("learn-1/1", 0), ("learn-1", 2)]
    learner.snapshot()
    expect_whole_chain(system, 4)


def test_a_try_whose_last_record_was_not_acknowledged_is_told_twice(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = system.learn()
    append, calls = system.log.append, []

    def deaf(topic: str, messages: Sequence[Message], timeout_s: float = 30.0) -> list[int]:
        offsets = append(topic, messages, timeout_s)
        if topic == system.topic("item_deltas"):
            calls.append(len(messages))
            if len(calls) == 2:
                raise LogUnavailable("no answer", 0.001)
        return offsets

    happen(system, 2)
    monkeypatch.setattr(system.log, "append", deaf)
    learner.sweep()
    learn_on(system, learner)
    assert [(f.writer, f.start) for f in frames(system)] == [
        ("learn-1", 0), ("learn-1/1", 0), ("learn-1", 2),
    ]  # fmt: skip
    assert calls[1] == 1, "the last record alone makes it a frame"
    assert system.replica().dropped == 1
    assert system.audit().frames_stale == 1
    expect_whole_chain(system, 4)


DAMAGES = ["first gone", "middle gone", "last gone", "middle doubled", "flipped", "order"]


def damaged(some: list[bytes], at: int, damage: str) -> list[bytes]:
    """Do it to the frame whose first record is at `at`."""
    count = segment(some[at]).count
    assert count >= 3
    frame, after = some[at : at + count], some[at + count :]
    flipped = frame[1][:-3] + bytes([frame[1][-3] ^ 4]) + frame[1][-2:]
    done = {
        "first gone": frame[1:],
        "middle gone": [frame[0], *frame[2:]],
        "last gone": frame[:-1],
        "middle doubled": [*frame[:2], *frame[1:]],
        "flipped": [frame[0], flipped, *frame[2:]],
        "order": [frame[1], frame[0], *frame[2:]],
    }
    return [*some[:at], *done[damage], *after]


def mended(system: System, replica: Replica, learner: LearnCore) -> None:
    """Expect that the next snapshot mends it."""
    assert not replica.caught_up()
    learner.snapshot()
    system.clock.ms += MEND_EVERY_MS
    replica.catch_up()
    learn_on(system, learner)
    system.catch_up(replica)
    assert replica.broken == ""
    assert replica.caught_up()
    assert replica.model.digest() == learner.model.digest()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_frame_breaks_a_replica_until_a_snapshot_reaches_past_it(
    system: System, damage: str
) -> None:
    learner = system.learn()
    learn_on(system, learner)
    second = len(values(system))
    learn_on(system, learner)
    learn_on(system, learner)
    system.rewrite("item_deltas", damaged(values(system), second, damage))
    replica = system.replica()
    assert replica.model.offset == 2, "it stays at the last frame that was whole"
    said = "checksum does not match" if damage == "flipped" else "a frame begins at 4"
    assert said in replica.broken
    mended(system, replica, learner)


SAYS = {
    "first gone": "segment 2 of {} of the frame from 0 of first stands without those before it",
    "middle gone": "segment 3 of {} of the frame from 0 of first follows segment 1",
    "last gone": "a frame is missing in item-deltas",
    "middle doubled": "segment 2 of {} of the frame from 0 of first stands twice",
    "flipped": "a segment's checksum does not match its content",
    "order": "segment 2 of {} of the frame from 0 of first stands without those before it",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_audit_names_what_was_done_to_segments(system: System, damage: str) -> None:
    life = lived(system)
    first = segment(values(life)[0])
    life.rewrite("item_deltas", damaged(values(life), 0, damage))
    found = life.audit()
    assert not found.clean
    assert not found.model_equal
    assert any(SAYS[damage].format(first.count) in fault for fault in found.faults), found.faults
    assert any("a frame is missing in item-deltas" in fault for fault in found.faults)


def lived(system: System) -> System:
    """Let people live in a system, one that audits clean and whose frames are all cut."""
    for n in range(12):
        system.event(f"u{n % 5}", f"m{n * n % 31}")
    system.work("first")
    for n in range(2):
        system.event(f"u{n % 5}", f"m{n % 9 + 1}")
    system.work("second")
    found = system.audit()
    assert found.clean, found.faults
    assert found.frames >= 2
    return system


@pytest.mark.parametrize("which", [0, -1], ids=["first", "last"])
def test_the_audit_names_a_segment_that_stands_again_behind_its_frame(
    system: System, which: int
) -> None:
    life = lived(system)
    count = segment(values(life)[0]).count
    write(life, [values(life)[:count][which]])
    found = life.audit()
    assert not found.model_equal
    assert any("from 0 of first stands twice" in fault for fault in found.faults), found.faults
    assert life.replica().broken == ""


def test_the_audit_names_a_last_frame_that_lost_its_end(system: System) -> None:
    life = lived(system)
    life.work("third")  # whose replica has seen it whole, and says so
    life.rewrite("item_deltas", values(life)[:-1])
    found = life.audit()
    assert any("the last frame ends at" in fault for fault in found.faults), found.faults


def test_a_log_that_retention_cut_within_a_frame_audits_as_one_cut_between(
    system: System,
) -> None:
    life = lived(system)
    life.log.remove(life.topic("item_deltas"), 0, 1)
    found = life.audit()
    assert found.clean, found.faults


def test_learner_and_replica_do_so_on_real_kafka(real_system: System) -> None:
    """Killed within a frame too."""
    system = real_system
    given = {"learn": LEAST, "sources": SOURCES}
    system.settings = msgspec.structs.replace(system.settings, **given)
    replica = system.replica()
    learner = system.learn("first")
    for _ in range(3):
        learn_on(system, learner)
    system.failpoints.arm("learn.within-frame")
    with pytest.raises(system.failpoints.Crash):
        learn_on(system, learner)
    second = system.learn("second")
    assert second.model.offset == 6
    second.snapshot()
    second.sweep()
    second.snapshot()
    expect_whole_chain(system, 8)
    system.catch_up(replica)
    assert (replica.applied, replica.dropped, replica.broken) == (4, 0, "")
    assert replica.model.digest() == second.model.digest()
