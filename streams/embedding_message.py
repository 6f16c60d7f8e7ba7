"""The wire form of `item-embeddings`: an `Embedding` as bytes, and back or a reason.

A byte of format, then msgpack: [[modality, encoder version, digest, float16 little-endian], …].
"""

from typing import Final, Literal

import msgspec
import numpy as np

from millstream.models.embedding import (
    DIGEST_BYTES,
    DIM_MAX,
    BadVector,
    Embedding,
    Modality,
    Part,
    unit_vector,
)

FORMAT: Final = 1
VERSION_CHARACTERS: Final = 128
_WIDTH: Final = 2

EmbeddingReason = Literal["no-value", "unknown-format", "torn", "bad-vector"]


class RejectedEmbedding(msgspec.Struct, frozen=True):
    """Why a record is no embedding."""

    reason: EmbeddingReason


class _Part(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    modality: Modality
    version: str
    digest: bytes
    vector: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Part]).decode


def encode_embedding(embedding: Embedding) -> bytes:
    """Return an embedding as its topic holds it; equal embeddings give equal bytes."""
    parts = [
        _Part(modality, version, digest, embedding.parts[modality].vector.astype("<f2").tobytes())
        for modality, version, digest in embedding.fingerprint()
    ]
    return bytes([FORMAT]) + _encode(parts)


def decode_embedding(value: bytes) -> Embedding | RejectedEmbedding:
    """Return what `encode_embedding` encoded, else the reason; never raises."""
    if not value:
        return RejectedEmbedding("no-value")
    if value[0] != FORMAT:
        return RejectedEmbedding("unknown-format")
    try:
        found = _decode(memoryview(value)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        return RejectedEmbedding("torn")
    parts: dict[Modality, Part] = {}
    for one in found:
        if one.modality in parts or not _plausible(one):
            return RejectedEmbedding("torn")
        try:
            vector = unit_vector(np.frombuffer(one.vector, "<f2"))
        except BadVector:
            return RejectedEmbedding("bad-vector")
        parts[one.modality] = Part(vector, one.version, one.digest)
    return Embedding(parts)


def _plausible(part: _Part) -> bool:
    size = len(part.vector)
    return (
        len(part.digest) == DIGEST_BYTES
        and 0 < len(part.version) <= VERSION_CHARACTERS
        and size % _WIDTH == 0
        and 0 < size <= DIM_MAX * _WIDTH
    )
