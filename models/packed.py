"""A profile as it is stored: msgpack after eight bytes that are a hash of it, its version."""

from hashlib import blake2b
from typing import Final

import msgspec

from millstream.models.errors import StateRefused

VERSION_BYTES: Final = 8
FORMAT: Final = 2

Mark = tuple[int, bytes, str]
"""When and by which event a guest was merged, and into whom."""


class Packed(msgspec.Struct, array_like=True, gc=False):
    """The columns of a profile; of times the first, then what each adds to the one before."""

    format: int
    items: list[str]
    ts: list[int]
    keys: list[bytes]
    types: list[int]
    values: dict[int, float]  # by place, those that are not 0
    seen: bytes
    as_of: dict[str, int]
    floor: tuple[int, bytes] | None = None
    mark: Mark | None = None
    busy: tuple[int, bytes] | None = None
    shown: tuple[list[str], list[int], list[bytes]] = ([], [], [])  # items, times, keys


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Packed).decode


def encode_packed(packed: Packed) -> bytes:
    """Return the stored form."""
    body = _encode(packed)
    return blake2b(body, digest_size=VERSION_BYTES).digest() + body


def decode_packed(stored: bytes) -> Packed:
    """Return what `encode_packed` stored. Raises StateRefused."""
    try:
        packed = _decode(memoryview(stored)[VERSION_BYTES:])
    except msgspec.DecodeError as error:
        raise StateRefused(f"a stored profile cannot be read: {error}") from error
    if packed.format != FORMAT:
        raise StateRefused(
            f"a stored profile has format {packed.format}, this code reads {FORMAT}; delete the "
            "keys under redis.prefix, and the workers fill them again from the log"
        )
    return packed
