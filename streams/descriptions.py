"""The wire form of a description: a record of `interactions` that says what items look like.

It stands in the log that LEARN folds, so that a model is a function of that one log. ENCODE writes
it; it is msgpack, [2, [[item, embedding as in item-embeddings, or nil], …]]. A repeat is harmless.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from millstream.models.embedding import Embedding
from millstream.models.interaction import BATCH_BYTES
from millstream.streams.embedding_message import (
    RejectedEmbedding,
    decode_embedding,
    encode_embedding,
)

FORMAT: Final = 2
"""Unlike `interaction.FORMAT`: by this number the two kinds of record are told apart."""

ITEMS_MAX: Final = 190
"""Items of a record: at 500 bytes each they are about half of what a frame may have."""

Described = Sequence[tuple[str, Embedding]]
"""Items with what they look like now; an empty Embedding: the item is gone."""


class _Wire(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    format: int
    items: list[tuple[str, bytes | None]]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Wire).decode


def encode_descriptions(embedded: Sequence[tuple[str, Embedding | None]]) -> list[bytes]:
    """Return record values that hold these in order, each small enough for one frame."""
    told = [
        (item, None if made is None or not made.parts else encode_embedding(made))
        for item, made in embedded
    ]
    return [_encode(_Wire(FORMAT, some)) for some in _cut(told)]


def decode_descriptions(value: bytes | None) -> Described | None:
    """Return what a record describes, None when it is no description of this format."""
    if value is None:
        return None
    try:
        wire = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        return None
    if wire.format != FORMAT or len(wire.items) > ITEMS_MAX:
        return None
    described = []
    for item, value_of in wire.items:
        found = Embedding() if value_of is None else decode_embedding(value_of)
        if isinstance(found, RejectedEmbedding):
            return None
        described.append((item, found))
    return described


def _cut(
    told: Sequence[tuple[str, bytes | None]],
) -> Iterator[list[tuple[str, bytes | None]]]:
    some: list[tuple[str, bytes | None]] = []
    size = 0
    for item, value in told:
        weight = 4 * len(item) + len(value or b"") + 10
        if some and (size + weight > BATCH_BYTES or len(some) == ITEMS_MAX):
            yield some
            some, size = [], 0
        some.append((item, value))
        size += weight
    if some:
        yield some
