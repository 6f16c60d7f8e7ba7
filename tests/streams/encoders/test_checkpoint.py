"""A checkpoint is a pickle, and a pickle may call anything: here it calls nothing."""

import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from millstream.streams.encoders.checkpoint import MAGIC, read_checkpoint
from millstream.streams.errors import FoundWrong


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def tensor(key: str, count: int, offset: int, shape: str, strides: str) -> bytes:
    """Opcodes that rebuild a tensor of a storage, as PyTorch writes them."""
    storage = b"(S'storage'\n" + named("torch", "FloatStorage")
    storage += f"S'{key}'\nS'cpu'\nI{count}\ntQ".encode()
    layout = f"I{offset}\n{shape}{strides}".encode() + b"I00\nNtR"
    return named("torch._utils", "_rebuild_tensor_v2") + b"(" + storage + layout


def ints(*values: int) -> str:
    return "(" + "".join(f"I{value}\n" for value in values) + "t"


def archive(pickled: bytes, **storages: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("archive/data.pkl", pickled)
        for key, content in storages.items():
            file.writestr(f"archive/data/{key.removeprefix('s')}", content)
    return out.getvalue()


SIX = np.arange(6, dtype="<f4").tobytes()
TURNED = b"(dS'w'\n" + tensor("0", 6, 0, ints(3, 2), ints(1, 3)) + b"s."


def test_a_tensor_is_read_by_its_strides() -> None:
    found = read_checkpoint(archive(TURNED, s0=SIX))
    assert found["w"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_the_older_layout_is_read_too() -> None:
    machine: dict[str, int] = {}
    head = pickle.dumps(MAGIC, 2) + pickle.dumps(1001, 2) + pickle.dumps(machine, 2)
    numbers = pickle.dumps(["0"], 2) + struct.pack("<q", 6) + SIX
    found = read_checkpoint(head + TURNED + numbers)
    assert found["w"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_what_is_no_tensor_is_left_out() -> None:
    pickled = TURNED[:-1] + b"S'other'\n" + named("anything", "at_all") + b"(tRs."
    assert [*read_checkpoint(archive(pickled, s0=SIX))] == ["w"]


def test_a_call_of_the_system_is_not_made(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "made"),)

    found = read_checkpoint(archive(pickle.dumps(OrderedDict(w=Evil()), 2)))
    assert found == {}
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        archive(b"(dS'w'\n" + tensor("0", 6, 1, ints(3, 2), ints(1, 3)) + b"s.", s0=SIX),
        archive(b"(dS'w'\n" + tensor("0", 6, 0, ints(2, 2), ints(-1, 1)) + b"s.", s0=SIX),
        archive(TURNED, s0=SIX[:8]),
        archive(pickle.dumps([1, 2], 2)),
    ],
    ids=["nothing", "text", "beyond", "before", "short storage", "a list"],
)
def test_what_cannot_be_read_is_found_wrong(content: bytes) -> None:
    with pytest.raises(FoundWrong):
        read_checkpoint(content)
