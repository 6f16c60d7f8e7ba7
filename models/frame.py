"""What LEARN tells its replicas: a range of interactions and what they changed."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.errors import StateRefused
from millstream.models.histories import Steps

FORMAT: Final = 1
CHECK_BYTES: Final = 8

Array = npt.NDArray[np.generic]


class PackedArray(msgspec.Struct, array_like=True, gc=False):
    """An array on the wire: dtype, shape, bytes in C order."""

    dtype: str
    shape: list[int]
    data: bytes


class PackedSteps(msgspec.Struct, array_like=True, gc=False):
    """Steps of the range as flat arrays; the history of step n is rows[ptr[n]:ptr[n + 1]]."""

    row: bytes  # int32
    weight: bytes  # float32
    ts: bytes  # int64
    user: bytes  # uint64
    ptr: bytes  # int64, one more than steps
    history: bytes  # int32
    history_weight: bytes  # float32
    history_ts: bytes  # int64


class Frame(msgspec.Struct, array_like=True, gc=False):
    """Interactions [start, stop) of one writer, folded; applied where a replica is at start."""

    format: int
    settings: str
    writer: str
    start: int
    stop: int
    forgotten: list[int]  # rows given up before the steps
    items: list[tuple[int, str]]  # rows given to new items before the steps
    steps: PackedSteps
    changes: dict[str, dict[str, PackedArray]]  # by source, for those that do not learn from steps
    newest_ts: int  # append time of the last interaction record, ms


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode


def pack_array(array: Array) -> PackedArray:
    """Return an array's wire form."""
    return PackedArray(array.dtype.str, list(array.shape), np.ascontiguousarray(array).tobytes())


def unpack_array(packed: PackedArray) -> Array:
    """Return the array of a wire form; read-only."""
    array: Array = np.frombuffer(packed.data, np.dtype(packed.dtype)).reshape(packed.shape)
    return array


def pack_steps(parts: Sequence[Steps]) -> PackedSteps:
    """Return the wire form of all parts, one after another."""
    ends = np.cumsum([0, *(len(part.history) for part in parts)], dtype=np.int64)
    ptr = [np.zeros(1, np.int64)]
    ptr += [part.ptr[1:] + end for part, end in zip(parts, ends, strict=False)]
    return PackedSteps(
        b"".join(part.rows.tobytes() for part in parts),
        b"".join(part.weights.tobytes() for part in parts),
        b"".join(part.ts_ms.tobytes() for part in parts),
        b"".join(part.users.tobytes() for part in parts),
        np.concatenate(ptr).tobytes(),
        b"".join(part.history.tobytes() for part in parts),
        b"".join(part.history_weights.tobytes() for part in parts),
        b"".join(part.history_ts_ms.tobytes() for part in parts),
    )


def unpack_steps(packed: PackedSteps) -> Steps:
    """Return the steps of a wire form; read-only."""
    return Steps(
        np.frombuffer(packed.row, np.int32),
        np.frombuffer(packed.weight, np.float32),
        np.frombuffer(packed.ts, np.int64),
        np.frombuffer(packed.user, np.uint64),
        np.frombuffer(packed.ptr, np.int64),
        np.frombuffer(packed.history, np.int32),
        np.frombuffer(packed.history_weight, np.float32),
        np.frombuffer(packed.history_ts, np.int64),
    )


def encode_frame(frame: Frame) -> bytes:
    """Return the record value: 8 bytes of BLAKE2b, then msgpack."""
    body = _encode(frame)
    return blake2b(body, digest_size=CHECK_BYTES).digest() + body


def decode_frame(value: bytes | None) -> Frame:
    """Return the frame in a record. Raises StateRefused when it is torn, foreign or newer."""
    if value is None or len(value) <= CHECK_BYTES:
        raise StateRefused("a frame has no content")
    body = memoryview(value)[CHECK_BYTES:]
    if blake2b(body, digest_size=CHECK_BYTES).digest() != value[:CHECK_BYTES]:
        raise StateRefused("a frame's checksum does not match its content")
    try:
        frame = _decode(body)
    except msgspec.DecodeError as error:
        raise StateRefused(f"a frame cannot be read: {error}") from error
    if frame.format != FORMAT:
        raise StateRefused(f"a frame has format {frame.format}, this code reads {FORMAT}")
    return frame


def digest(ids: list[str], arrays: Mapping[str, Array]) -> str:
    """Return 16 hex digits over item ids and named arrays: equal only for equal states."""
    total = blake2b("\0".join(ids).encode(), digest_size=8)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total.update(f"{name}{array.dtype.str}{array.shape}".encode())
        total.update(array.data if array.size else b"")
    return total.hexdigest()
