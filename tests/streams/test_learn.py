"""LEARN: one chain of frames without hole or overlap, whoever writes the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from millstream.streams.learn import LearnCore, Superseded
from millstream.streams.log import LogUnavailable, Message
from millstream.streams.segments import FrameReader
from millstream.streams.settings import LearnSettings, ModelSettings
from millstream.streams.snapshots import SnapshotRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.streams.conftest import MakeSystem, System

    from millstream.models.frame import Frame

TP = ("interactions", 0)
FAILPOINTS = ["learn.before-frame", "learn.after-frame", "snapshot.written"]


def happen(system: System, count: int, first: int = 0) -> None:
    """Let people do things, one interaction a record, until they stand in `interactions`."""
    core = system.recommend()
    for n in range(first, first + count):
        system.event(f"u{n % 5}", f"m{n * n % 17}")
        core.sweep()


def frames(system: System) -> list[Frame]:
    reader, records = FrameReader(), system.records("item_deltas")
    return [frame for record in records if (frame := reader.take(record.value)) is not None]


def expect_whole_chain(system: System, end: int) -> None:
    """Frames that follow one another from 0 to the end give the model that the fold gives."""
    at = 0
    for frame in frames(system):
        if frame.start == at:
            at = frame.stop
        else:
            assert frame.start < at, "a hole"
    assert at == end
    whole = system.learn("probe").model
    assert whole.offset == end
    assert system.replica().model.digest() == whole.digest() == fold(system)


def fold(system: System) -> str:
    """The digest of a learner that begins at the start of the log, without any snapshot."""
    for path in system.snapshots.paths():
        path.rename(path.with_suffix(".away"))
    learner = system.learn("fold")
    for path in system.snapshots.folder.glob("*.away"):
        path.rename(path.with_suffix(".snapshot"))
    return learner.model.digest()


def later(system: System, learner: LearnCore, ms: int = 300) -> None:
    system.clock.ms += ms
    learner.tick()


def test_what_is_read_is_told_in_a_frame_with_its_range(system: System) -> None:
    happen(system, 3)
    learner = system.learn()
    learner.sweep()
    (frame,) = frames(system)
    assert (frame.start, frame.stop, frame.writer) == (0, 3, "learn-1")
    assert frame.settings == system.settings.shape_hash()
    assert learner.learnt.learnt == 3
    assert system.replica().model.digest() == learner.model.digest()


def test_frames_are_emitted_when_due_and_not_before(system: System) -> None:
    learner = system.learn()
    happen(system, 1)
    learner.sweep()
    for n in range(1, 4):
        happen(system, 1, first=n)
        system.clock.ms -= 10
        learner.sweep()
    assert [(f.start, f.stop) for f in frames(system)] == [(0, 1)]
    later(system, learner)
    later(system, learner)
    assert [(f.start, f.stop) for f in frames(system)] == [(0, 1), (1, 4)]


def test_a_frame_is_emitted_before_it_grows_large(make_system: MakeSystem) -> None:
    system = make_system(learn=LearnSettings(frame_bytes_max=2000))
    happen(system, 40)
    system.learn().sweep()
    assert len(frames(system)) > 4
    expect_whole_chain(system, 40)


def test_repeats_and_gaps_in_what_is_delivered_do_not_matter(system: System) -> None:
    happen(system, 10)
    records = system.records("interactions")
    learner = system.learn()
    learner.apply([*records[:3], *records[1:4], records[8], records[2], records[9]])
    assert learner.model.offset == 10
    assert learner.learnt.learnt == 10
    later(system, learner)
    expect_whole_chain(system, 10)


def test_a_record_that_is_no_interaction_is_counted_and_passed_over(system: System) -> None:
    happen(system, 2)
    system.log.append("interactions", [Message(None, b"rubbish"), Message(b"k", None)])
    happen(system, 2, first=2)
    learner = system.learn()
    learner.sweep()
    assert (learner.learnt.unreadable, learner.learnt.learnt) == (2, 4)
    expect_whole_chain(system, 6)


@pytest.mark.parametrize("snapshot", [False, True], ids=["from the log", "from a snapshot"])
def test_a_restart_begins_exactly_where_the_last_frame_ends(system: System, snapshot: bool) -> None:
    happen(system, 6)
    first = system.learn("first")
    records = system.records("interactions")
    first.apply(records[:2])
    if snapshot:
        first.snapshot()
    system.clock.ms += 300
    first.apply(records[2:4])
    first.apply(records[4:])
    assert first.model.offset == 6, "two records are folded and in no frame"
    second = system.learn("second")
    assert second.model.offset == 4
    assert second.learnt.learnt == 0, "what the first one has counted is folded in silence"
    second.sweep()
    assert [(f.start, f.stop) for f in frames(system)] == [(0, 2), (2, 4), (4, 6)]
    expect_whole_chain(system, 6)


def test_a_snapshot_that_is_behind_the_frames_is_brought_up_to_them(system: System) -> None:
    happen(system, 4)
    learner = system.learn("first")
    learner.sweep()
    learner.snapshot()
    happen(system, 4, first=4)
    system.clock.ms += 300
    learner.sweep()
    assert [(f.start, f.stop) for f in frames(system)] == [(0, 4), (4, 8)]
    (path,) = system.snapshots.paths()
    assert path.name.startswith("model-0000000000000000000" + "4")
    assert system.learn("second").model.offset == 8
    expect_whole_chain(system, 8)


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("failpoint", [*FAILPOINTS, "learn.within-frame"])
@pytest.mark.parametrize("items_max", [200_000, 6], ids=["with room", "forgetting"])
def test_after_a_crash_the_next_one_continues_the_chain(
    make_system: MakeSystem, failpoint: str, nth: int, items_max: int
) -> None:
    cut = failpoint == "learn.within-frame"
    system = make_system(
        model=ModelSettings(items_max=items_max, history_max=10),
        learn=LearnSettings(frame_bytes_max=1000 if cut else 200_000),
    )
    happen(system, 40)
    records = system.records("interactions")

    def run(writer: str) -> LearnCore:
        learner = system.learn(writer)
        for at in range(0, 40, 5):
            system.clock.ms += 300
            learner.apply(records[at : at + 5])
            if at % 10 == 5:
                learner.snapshot()
        return learner

    system.failpoints.arm(failpoint, nth)
    with pytest.raises(system.failpoints.Crash, match=failpoint):
        run("first")
    assert not list(system.snapshots.folder.glob("*.part"))
    second = run("second")
    assert second.model.offset == 40
    expect_whole_chain(system, 40)


def test_crashes_at_every_failpoint_one_after_the_other_leave_one_chain(system: System) -> None:
    happen(system, 60)
    crashes = 0
    for n in range(24):
        system.failpoints.arm(FAILPOINTS[n % 3], 1 + n // 3 % 2)
        try:
            learner = system.learn(f"writer-{n}")
            start = learner.model.offset
            for record in system.records("interactions")[start : start + 5]:
                system.clock.ms += 300
                learner.apply([record])
                learner.snapshot()
        except system.failpoints.Crash:
            crashes += 1
    system.failpoints.disarm()
    assert crashes > 15
    system.learn("last").sweep()
    expect_whole_chain(system, 60)


def test_of_two_writers_the_one_whose_frame_came_second_leaves(system: System) -> None:
    happen(system, 4)
    records = system.records("interactions")
    one, other = system.learn("one"), system.learn("other")
    one.apply(records[:2])
    with pytest.raises(Superseded, match=r"LEARN one wrote the frame from 0 .* \(other\)"):
        other.apply(records)
    later(system, one)
    one.apply(records)
    later(system, one)
    assert [(f.writer, f.start, f.stop) for f in frames(system)] == [
        ("one", 0, 2),
        ("other", 0, 4),
        ("one", 2, 4),
    ]
    expect_whole_chain(system, 4)


def test_a_zombie_that_wakes_behind_the_new_owner_leaves(system: System) -> None:
    happen(system, 6)
    records = system.records("interactions")
    zombie = system.learn("zombie")
    zombie.apply(records[:2])
    heir = system.learn("heir")
    assert heir.model.offset == 2
    heir.apply(records)
    system.clock.ms += 300
    with pytest.raises(Superseded):
        zombie.apply(records[2:4])
    later(system, heir)
    expect_whole_chain(system, 6)


def test_its_own_frame_written_twice_is_no_foreign_one(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker took it, the answer was lost, it was sent again: replicas drop the second."""
    happen(system, 2)
    learner = system.learn()
    append, failures = system.log.append, [1]

    def lost(topic: str, messages: Sequence[Message], timeout_s: float = 30.0) -> list[int]:
        offsets = append(topic, messages, timeout_s)
        if failures[0]:
            failures[0] -= 1
            raise LogUnavailable("no answer", 0.001)
        return offsets

    monkeypatch.setattr(system.log, "append", lost)
    learner.sweep()
    happen(system, 2, first=2)
    later(system, learner)
    learner.sweep()
    later(system, learner)
    assert [(f.start, f.stop) for f in frames(system)] == [(0, 2), (0, 2), (2, 4)]
    assert system.replica().dropped == 1
    found = system.audit()
    assert found.model_equal, found.faults
    assert (found.faults, found.frames_stale) == ([], 1)
    expect_whole_chain(system, 4)


def test_interactions_removed_by_retention_are_counted_and_the_rest_is_learnt(
    system: System,
) -> None:
    happen(system, 8)
    system.log.remove("interactions", 0, 5)
    learner = system.learn()
    learner.sweep()
    assert (learner.learnt.removed, learner.learnt.learnt) == (5, 3)
    assert learner.model.offset == 8
    assert system.replica().model.digest() == learner.model.digest()


def test_what_a_snapshot_holds_may_be_removed_without_a_loss(system: System) -> None:
    happen(system, 8)
    learner = system.learn("first")
    learner.sweep()
    learner.snapshot()
    system.log.remove("interactions", 0, 8)
    system.log.remove("item-deltas", 0, 1)
    happen(system, 2, first=8)
    second = system.learn("second")
    second.sweep()
    later(system, second)
    assert second.learnt.removed == 0
    assert system.replica().model.digest() == second.model.digest()


def test_a_snapshot_of_other_settings_is_refused_with_what_to_do(
    system: System, make_system: MakeSystem
) -> None:
    happen(system, 2)
    learner = system.learn()
    learner.sweep()
    learner.snapshot()
    other = make_system(model=ModelSettings(history_max=9))
    other.log, other.snapshots = system.log, system.snapshots
    with pytest.raises(SnapshotRefused, match="delete the folder to learn again"):
        other.learn()


def test_a_full_disk_is_counted_and_learning_goes_on(system: System) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    happen(system, 2)
    learner = system.learn()
    system.failpoints.at("snapshot.written", full)
    learner.sweep()
    learner.snapshot()
    assert (learner.learnt.snapshots, learner.learnt.snapshots_failed) == (0, 1)
    happen(system, 2, first=2)
    later(system, learner)
    learner.sweep()
    learner.snapshot()
    assert (learner.learnt.snapshots, learner.learnt.snapshots_failed) == (1, 1)
    expect_whole_chain(system, 4)


def test_snapshots_come_at_their_interval_and_only_when_something_was_learnt(
    system: System,
) -> None:
    happen(system, 1)
    learner = system.learn()
    learner.sweep()
    assert learner.learnt.snapshots == 0
    later(system, learner, 30_000)
    assert learner.learnt.snapshots == 1
    later(system, learner, 30_000)
    assert learner.learnt.snapshots == 1, "nothing was learnt since"


def test_a_frame_log_that_was_emptied_does_not_stop_the_next_learner(system: System) -> None:
    happen(system, 4)
    system.learn("first").sweep()
    system.rewrite("item_deltas", [])
    second = system.learn("second")
    assert second.model.offset == 0, "nobody was told anything"
    second.sweep()
    expect_whole_chain(system, 4)


def test_a_standby_takes_over_where_the_owner_left(system: System) -> None:
    happen(system, 10)
    records = system.records("interactions")
    owner, standby = system.assembly("owner").learn(), system.assembly("standby").learn()
    for job in (owner, standby):
        job.open()
    assert owner.assign([TP]) == {TP: 0}
    assert standby.assign([]) == {}
    assert standby.health().details["role"] == "standby"
    owner.apply(records[:6])
    standby.apply(records)
    standby.idle()
    assert {f.writer for f in frames(system)} == {"owner"}
    owner.close()
    assert standby.assign([TP]) == {TP: 6}
    assert standby.health().details == {"role": "owner", "model": 6}
    standby.apply(records[6:])
    standby.close()
    assert {f.writer for f in frames(system)} == {"owner", "standby"}
    expect_whole_chain(system, 10)


def test_an_owner_whose_partition_was_taken_away_writes_nothing_more(system: System) -> None:
    happen(system, 10)
    records = system.records("interactions")
    owner, heir = system.assembly("owner").learn(), system.assembly("heir").learn()
    for job in (owner, heir):
        job.open()
    owner.assign([TP])
    owner.apply(records[:4])
    owner.apply(records[4:6])
    owner.revoke()
    begin = heir.assign([TP])[TP]
    assert begin == 4
    heir.apply(records[begin:])
    system.clock.ms += 60_000
    owner.idle()
    owner.apply(records[6:])
    owner.close()
    heir.idle()
    assert [(f.writer, f.start) for f in frames(system)][:2] == [("owner", 0), ("heir", 4)]
    assert sum(f.writer == "owner" for f in frames(system)) == 1
    expect_whole_chain(system, 10)
