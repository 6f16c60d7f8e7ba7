"""Snapshots are whole or passed over, bounded in number, and leave nothing half written."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from millstream.models.frame import Array
from millstream.streams.snapshots import FORMAT, Snapshot, SnapshotRefused, Snapshots

HASH, TOPIC = "0f0f0f0f", "topic-id"


def snapshot(offset: int, settings: str = HASH, topic: str = TOPIC) -> Snapshot:
    arrays: dict[str, Array] = {
        "mf.factors": np.full((3, 2), offset, np.float32),
        "fold.items": np.frombuffer(b"\0a\0b", np.uint8),
        "empty": np.zeros((0, 4), np.int64),
    }
    return Snapshot(offset, 2 * offset, settings, topic, arrays)


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    return Snapshots(tmp_path / "snapshots", kept=3)


def newest(snapshots: Snapshots) -> int | None:
    found = snapshots.newest(HASH, TOPIC)
    return None if found is None else found.offset


def test_a_snapshot_is_read_back_as_it_was_saved(snapshots: Snapshots) -> None:
    saved = snapshot(7)
    path = snapshots.save(saved)
    assert path.name == "model-00000000000000000007.snapshot"
    found = snapshots.newest(HASH, TOPIC)
    assert found is not None
    assert (found.offset, found.deltas, found.settings, found.topic) == (7, 14, HASH, TOPIC)
    assert found.arrays.keys() == saved.arrays.keys()
    for name, array in saved.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert np.array_equal(found.arrays[name], array)


def test_where_there_is_none_there_is_none(snapshots: Snapshots) -> None:
    assert newest(snapshots) is None
    assert snapshots.oldest(HASH, TOPIC) is None
    assert snapshots.paths() == []


def test_the_newest_is_taken_and_the_number_kept_is_bounded(snapshots: Snapshots) -> None:
    for offset in (5, 9, 20, 30, 100):
        snapshots.save(snapshot(offset))
    assert newest(snapshots) == 100
    assert [int(path.stem.partition("-")[2]) for path in snapshots.paths()] == [100, 30, 20]
    found = snapshots.oldest(HASH, TOPIC)
    assert found is not None
    assert found.offset == 20
    at_most = snapshots.newest(HASH, TOPIC, at_most=99)
    assert at_most is not None
    assert at_most.offset == 30


def test_snapshots_of_a_topic_that_was_created_anew_take_the_place_of_the_old_ones(
    snapshots: Snapshots,
) -> None:
    for offset in (100, 200, 300):
        snapshots.save(snapshot(offset, topic="before"))
    snapshots.save(snapshot(1))
    snapshots.save(snapshot(2))
    assert newest(snapshots) == 2
    assert len(snapshots.paths()) == 3


def torn(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    at = len(data) * 3 // 4
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def newer(data: bytes) -> bytes:
    head, _, body = data.partition(b"\n")
    meta = msgspec.json.decode(head) | {"format": FORMAT + 1}
    return msgspec.json.encode(meta) + b"\n" + body


def emptied(_: bytes) -> bytes:
    return b""


def foreign(_: bytes) -> bytes:
    return b"\x80\x04cos\nsystem\n"


@pytest.mark.parametrize("damage", [torn, flipped, newer, emptied, foreign])
def test_a_damaged_snapshot_is_passed_over_for_the_one_before(
    snapshots: Snapshots, damage: Callable[[bytes], bytes]
) -> None:
    snapshots.save(snapshot(10))
    path = snapshots.save(snapshot(20))
    path.write_bytes(damage(path.read_bytes()))
    assert newest(snapshots) == 10
    assert snapshots.refused == 1
    path.unlink()
    (snapshots.folder / path.name).mkdir()
    assert newest(snapshots) == 10, "neither is a folder of that name"


def test_no_flipped_byte_of_the_data_gets_in(snapshots: Snapshots) -> None:
    path = snapshots.save(snapshot(10))
    whole = path.read_bytes()
    for at in range(0, len(whole), 17):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x20]) + whole[at + 1 :])
        found = snapshots.newest(HASH, TOPIC) if at > whole.index(b"\n") else None
        assert found is None


def test_other_settings_are_refused_with_what_to_do(snapshots: Snapshots) -> None:
    snapshots.save(snapshot(10, settings="11111111"))
    with pytest.raises(SnapshotRefused) as refused:
        snapshots.newest(HASH, TOPIC)
    assert str(refused.value) == (
        f"the snapshots in {snapshots.folder} were made with settings 11111111, "
        "these are 0f0f0f0f; go back to those, or delete the folder to learn again "
        "from the start of the log"
    )
    assert refused.value.exit_code == 1


def test_snapshots_of_another_log_are_left_alone(snapshots: Snapshots) -> None:
    snapshots.save(snapshot(10))
    snapshots.save(snapshot(99, settings="11111111", topic="re-created"))
    assert newest(snapshots) == 10


def files(snapshots: Snapshots) -> list[str]:
    return sorted(path.name for path in snapshots.folder.iterdir())


def test_a_fault_before_the_rename_leaves_the_old_ones_and_nothing_half_written(
    tmp_path: Path,
) -> None:
    class PowerCut(Exception):
        pass

    def cut(name: str) -> None:
        assert name == "snapshot.written"
        raise PowerCut

    Snapshots(tmp_path, 3).save(snapshot(10))
    with pytest.raises(PowerCut):
        Snapshots(tmp_path, 3, cut).save(snapshot(20))
    assert newest(Snapshots(tmp_path, 3)) == 10
    assert files(Snapshots(tmp_path, 3)) == ["model-00000000000000000010.snapshot"]


def test_what_a_killed_worker_left_half_written_is_removed(snapshots: Snapshots) -> None:
    snapshots.save(snapshot(10))
    (snapshots.folder / "model-00000000000000000015.4711.part").write_bytes(b"half")
    assert newest(snapshots) == 10
    snapshots.save(snapshot(20))
    assert not [name for name in files(snapshots) if name.endswith(".part")]


def test_a_full_disk_raises_and_leaves_the_old_ones(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        Snapshots(tmp_path / "file" / "snapshots", 3).save(snapshot(1))
