"""Vectors that are kept between runs."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from millstream.streams.vector_files import VectorFiles


def some(count: int, width: int = 4) -> dict[bytes, npt.NDArray[np.float16]]:
    return {
        n.to_bytes(16, "little"): np.eye(1, width, n % width, dtype=np.float16)[0]
        for n in range(count)
    }


def test_what_was_written_is_read_by_its_version_only(tmp_path: Path) -> None:
    files = VectorFiles(tmp_path / "vectors", 1_000_000)
    assert files.read("text", "a1") == {}
    files.write("text", "a1", some(5))
    found = files.read("text", "a1")
    assert {digest: row.tolist() for digest, row in found.items()} == {
        digest: row.tolist() for digest, row in some(5).items()
    }
    assert files.read("text", "a2") == {}
    assert files.read("image", "a1") == {}


def test_of_too_many_the_first_are_kept(tmp_path: Path) -> None:
    files = VectorFiles(tmp_path, 10_000)
    files.write("text", "a1", some(5000))
    assert list(files.read("text", "a1")) == list(some(10_000 // 3 // 24))


def test_files_that_were_not_used_for_longest_give_way(tmp_path: Path) -> None:
    files = VectorFiles(tmp_path, 9000)
    for n in range(5):
        files.write("text", f"a{n}", some(100))
        os.utime(tmp_path / f"text-a{n}.npz", (n, n))
    files.read("text", "a2")  # used again
    files.write("image", "b", some(100))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 9000
    assert files.read("image", "b")
    assert files.read("text", "a2")
    assert files.read("text", "a0") == {}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY", b"pickle"])
def test_a_torn_file_is_none(content: bytes, tmp_path: Path) -> None:
    files = VectorFiles(tmp_path, 10_000)
    (tmp_path / "text-a1.npz").write_bytes(content)
    assert files.read("text", "a1") == {}
    files.write("text", "a1", some(2))
    assert len(files.read("text", "a1")) == 2


def test_arrays_that_are_none_of_ours_are_not_read(tmp_path: Path) -> None:
    files = VectorFiles(tmp_path, 100_000)
    odd = {"digests": np.zeros((2, 16), np.uint8), "rows": np.zeros((3, 4), np.float16)}
    np.savez(tmp_path / "text-a1.npz", **odd)  # type: ignore[arg-type]
    assert files.read("text", "a1") == {}
    evil = np.array([{"a": 1}], object)
    np.savez(tmp_path / "text-a2.npz", digests=evil, rows=evil)
    assert files.read("text", "a2") == {}


def test_nothing_to_write_writes_nothing(tmp_path: Path) -> None:
    VectorFiles(tmp_path / "none", 10_000).write("text", "a1", {})
    VectorFiles(tmp_path / "none", 10).write("text", "a1", some(3))
    assert not (tmp_path / "none").exists()
