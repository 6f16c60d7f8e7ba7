"""A frame is read as it was written, or refused: torn, altered and newer ones never get in."""

from hashlib import blake2b

import msgspec
import numpy as np
import pytest

from millstream.models.errors import StateRefused
from millstream.models.frame import (
    FORMAT,
    Array,
    Frame,
    PackedSteps,
    decode_frame,
    digest,
    encode_frame,
    pack_array,
    unpack_array,
)

STEPS = PackedSteps(b"\1\0\0\0", b"", b"", b"", b"", b"", b"", b"")


def frame(format_: int = FORMAT) -> Frame:
    changes = {"mf": {"rows": pack_array(np.array([3, 1], np.int32))}}
    return Frame(format_, "0f0f0f0f", "w", 10, 20, [4], [(4, "mé")], STEPS, changes, 10**12)


def test_a_frame_is_read_back_as_it_was_written() -> None:
    assert decode_frame(encode_frame(frame())) == frame()


def test_no_flipped_byte_gets_in() -> None:
    value = encode_frame(frame())
    for at in range(len(value)):
        altered = value[:at] + bytes([value[at] ^ 0x40]) + value[at + 1 :]
        with pytest.raises(StateRefused):
            decode_frame(altered)


def test_no_cut_frame_gets_in() -> None:
    value = encode_frame(frame())
    for length in range(len(value)):
        with pytest.raises(StateRefused):
            decode_frame(value[:length])


@pytest.mark.parametrize("body", [b"\xc1", b"\x90", b"[]", msgspec.msgpack.encode({"format": 1})])
def test_what_is_no_frame_is_refused_although_its_checksum_fits(body: bytes) -> None:
    with pytest.raises(StateRefused, match="cannot be read"):
        decode_frame(blake2b(body, digest_size=8).digest() + body)


def test_a_tombstone_is_refused() -> None:
    with pytest.raises(StateRefused, match="no content"):
        decode_frame(None)


def test_a_frame_from_newer_code_is_refused_by_its_format() -> None:
    with pytest.raises(StateRefused, match=f"format {FORMAT + 1}, this code reads {FORMAT}"):
        decode_frame(encode_frame(frame(FORMAT + 1)))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.int32).reshape(2, 3),
        np.arange(12, dtype=np.float64).reshape(3, 4).T,
        np.zeros((0, 4), np.float32),
        np.array([2**63], np.uint64),
    ],
    ids=["matrix", "transposed", "empty", "uint64"],
)
def test_an_array_keeps_dtype_shape_and_bytes(array: Array) -> None:
    again = unpack_array(pack_array(array))
    assert again.dtype == array.dtype
    assert np.array_equal(again, array)


def test_a_digest_tells_apart_what_differs_in_any_way() -> None:
    zeros = np.zeros(4, np.float32)
    negative = -zeros
    states: list[tuple[list[str], dict[str, Array]]] = [
        (["a", "b"], {"x": zeros}),
        (["b", "a"], {"x": zeros}),
        (["a"], {"x": zeros}),
        (["a", "b"], {"y": zeros}),
        (["a", "b"], {"x": zeros, "y": zeros}),
        (["a", "b"], {"x": zeros.reshape(2, 2)}),
        (["a", "b"], {"x": zeros.astype(np.int32)}),
        (["a", "b"], {"x": negative}),
    ]
    assert len({digest(ids, arrays) for ids, arrays in states}) == len(states)


def test_a_digest_does_not_depend_on_the_order_or_layout_of_arrays() -> None:
    matrix = np.arange(6, dtype=np.int32).reshape(2, 3)
    one = digest(["a"], {"x": matrix, "y": matrix})
    assert one == digest(["a"], {"y": np.asfortranarray(matrix), "x": matrix})
