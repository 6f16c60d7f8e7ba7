"""PyTorch checkpoints as numpy arrays, without PyTorch and without running what they hold.

A checkpoint is a pickle, which may call anything; this unpickler knows three calls, all of them
its own, and takes every other name for a thing without content. Both layouts are read: the
archive of 1.6 and later, and the older sequence of pickles with the numbers behind them.
"""

import pickle
import struct
import zipfile
from collections import OrderedDict
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray

from millstream.streams.errors import FoundWrong

DTYPES: Final = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "u1",
}
MAGIC: Final = 0x1950A86A20F9469CFC6C
Array = NDArray[np.generic]


def read_checkpoint(content: bytes) -> dict[str, Array]:
    """Return the tensors of a state_dict, the first of a tuple if there are several, by name.

    Raises FoundWrong.
    """
    try:
        archive = zipfile.is_zipfile(BytesIO(content))
        found = _read_archive(content) if archive else _read_sequence(content)
        if isinstance(found, tuple):
            found = found[0]
        if not isinstance(found, dict):
            raise FoundWrong("the checkpoint holds no state_dict")
        return {str(k): v.array() for k, v in found.items() if isinstance(v, _Tensor)}
    except FoundWrong:
        raise
    except Exception as error:  # pickles fail in every way there is
        raise FoundWrong(f"the checkpoint cannot be read: {error}") from error


class _Storage:
    def __init__(self, dtype: str, count: int) -> None:
        self.dtype = np.dtype(dtype)
        self.count = count
        self.values: Array = np.empty(0)

    def fill(self, content: bytes) -> None:
        self.values = np.frombuffer(content, self.dtype, self.count)


class _Tensor:
    def __init__(self, storage: _Storage, offset: int, *layout: tuple[int, ...]) -> None:
        self.storage = storage
        self.offset = offset
        self.shape, self.strides = layout

    def array(self) -> Array:
        steps = tuple(step * self.storage.dtype.itemsize for step in self.strides)
        last = sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        if self.offset < 0 or min(self.strides, default=0) < 0:
            raise FoundWrong("a tensor of the checkpoint lies before its storage")
        if self.offset + last >= len(self.storage.values):
            raise FoundWrong("a tensor of the checkpoint reaches beyond its storage")
        begin = self.storage.values[self.offset :]
        return np.lib.stride_tricks.as_strided(begin, self.shape, steps).copy()


class _Nothing:
    """What stands for any other thing that a checkpoint names."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def _tensor(storage: _Storage, offset: int, *layout: tuple[int, ...]) -> _Tensor:
    return _Tensor(storage, offset, *layout[:2])


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BytesIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in DTYPES:
            return name
        return _Nothing

    def persistent_load(self, pid: tuple[str, str, str, str, int]) -> _Storage:
        _, kind, key, _, count = pid[:5]
        if key not in self.storages:
            self.storages[key] = _Storage(DTYPES[kind], count)
        return self.storages[key]


def _read_archive(content: bytes) -> object:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        (pickled,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
        reader = _Unpickler(BytesIO(archive.read(pickled)))
        found: object = reader.load()
        for key, storage in reader.storages.items():
            storage.fill(archive.read(f"{pickled.removesuffix('data.pkl')}data/{key}"))
    return found


def _read_sequence(content: bytes) -> object:
    file = BytesIO(content)
    if _Unpickler(file).load() != MAGIC:
        raise FoundWrong("the file is no PyTorch checkpoint")
    for _ in range(2):  # protocol and machine
        _Unpickler(file).load()
    reader = _Unpickler(file)
    found: object = reader.load()
    for key in _Unpickler(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        storage = reader.storages[key]
        storage.fill(file.read(count * storage.dtype.itemsize))
    return found
