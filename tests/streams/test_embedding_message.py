"""The wire form of embeddings: there and back, and a reason for whatever is none."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.models.embedding import MODALITIES, Embedding, Part, unit_vector
from millstream.streams.embedding_message import (
    RejectedEmbedding,
    decode_embedding,
    encode_embedding,
)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    dim = draw(st.integers(1, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    row = np.random.default_rng(seed).standard_normal(dim)
    version = draw(st.text("0123456789abcdef", min_size=1, max_size=64))
    row = row / np.linalg.norm(row)
    return Part(unit_vector(row), version, draw(st.binary(min_size=16, max_size=16)))


EMBEDDINGS = st.dictionaries(st.sampled_from(MODALITIES), parts(), max_size=3).map(Embedding)


@given(EMBEDDINGS)
def test_an_embedding_comes_back_as_it_was(embedding: Embedding) -> None:
    back = decode_embedding(encode_embedding(embedding))
    assert isinstance(back, Embedding)
    assert back == embedding
    assert encode_embedding(back) == encode_embedding(embedding)


@given(EMBEDDINGS, st.integers(0, 10_000), st.integers(1, 255))
def test_torn_or_damaged_bytes_are_an_embedding_or_a_reason(
    embedding: Embedding, place: int, flip: int
) -> None:
    value = encode_embedding(embedding)
    cut = value[: place % len(value)]
    assert isinstance(decode_embedding(cut), RejectedEmbedding)
    damaged = bytearray(value)
    damaged[place % len(value)] ^= flip
    found = decode_embedding(bytes(damaged))
    assert isinstance(found, Embedding | RejectedEmbedding)
    if isinstance(found, Embedding):
        for part in found.parts.values():
            assert np.linalg.norm(part.vector.astype(np.float32)) == pytest.approx(1, abs=0.02)


@given(st.binary(max_size=300))
def test_no_bytes_raise(value: bytes) -> None:
    for one in (value, b"\x01" + value):
        assert isinstance(decode_embedding(one), Embedding | RejectedEmbedding)


def wire(*given: list[object]) -> bytes:
    return b"\x01" + msgspec.msgpack.encode(list(given))


HALF = np.array([1.0], "<f2").tobytes()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "no-value"),
        (b"\x02\x90", "unknown-format"),
        (b"\x01", "torn"),
        (b"\x01\x90\x00", "torn"),
        (wire(["text", "a1", b"d" * 15, HALF]), "torn"),
        (wire(["text", "", b"d" * 16, HALF]), "torn"),
        (wire(["smell", "a1", b"d" * 16, HALF]), "torn"),
        (wire(["text", "a1", b"d" * 16, HALF + b"\0"]), "torn"),
        (wire(["text", "a1", b"d" * 16, b""]), "torn"),
        (wire(["text", "a1", b"d" * 16, HALF * 9000]), "torn"),
        (wire(["text", "a1", b"d" * 16, HALF], ["text", "a1", b"d" * 16, HALF]), "torn"),
        (wire(["text", "a1", b"d" * 16, HALF * 2]), "bad-vector"),
        (wire(["text", "a1", b"d" * 16, b"\xff\xff"]), "bad-vector"),
    ],
)
def test_what_is_no_embedding_says_why(value: bytes, reason: str) -> None:
    assert decode_embedding(value) == RejectedEmbedding(reason)  # type: ignore[arg-type]


def test_the_bytes_of_a_known_embedding_stay_what_they_are() -> None:
    part = Part(unit_vector(np.array([0.6, 0.8], np.float32)), "a1", b"d" * 16)
    assert encode_embedding(Embedding({"text": part})).hex() == (
        "019194a474657874a26131c410" + "64" * 16 + "c404cd38663a"
    )


def test_an_embedding_of_nothing_is_one_too() -> None:
    assert decode_embedding(encode_embedding(Embedding())) == Embedding()
