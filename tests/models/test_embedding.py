"""Embeddings, the text they are made of, and the cache of their vectors."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from millstream.models.embedding import (
    DIM_MAX,
    BadVector,
    Embedding,
    Mark,
    Part,
    content_digest,
    unit_vector,
)
from millstream.models.item_text import (
    DESCRIPTION_CHARACTERS,
    TITLE_CHARACTERS,
    WORD_CHARACTERS,
    WORDS_MAX,
    item_text,
)
from millstream.models.vector_cache import ENTRY_BYTES, VectorCache


def unit(*numbers: float) -> npt.NDArray[np.float32]:
    given = np.array(numbers, np.float32)
    return np.asarray(given / np.linalg.norm(given), np.float32)


def test_an_embedding_has_the_vectors_that_there_are_and_none_for_the_others() -> None:
    text = Part(unit_vector(unit(3, 4)), "a1", content_digest(b"x"))
    embedding = Embedding({"text": text})
    assert embedding.vector("text") == pytest.approx([0.6, 0.8], abs=1e-3)
    assert embedding.vector("image") is None
    assert embedding.fingerprint() == (("text", "a1", content_digest(b"x")),)
    assert embedding == Embedding({"text": text})
    assert embedding != Embedding({"text": Part(text.vector, "a2", text.digest)})
    assert embedding != Embedding({"text": Part(unit_vector(unit(4, 3)), "a1", text.digest)})


def test_a_vector_is_kept_as_halves_and_cannot_be_written() -> None:
    vector = unit_vector(unit(1, 2, 2))
    assert vector.dtype == np.float16
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 0


@pytest.mark.parametrize(
    "given",
    [
        np.array([np.nan, 1.0]),
        np.array([np.inf, 0.0]),
        np.zeros(3),
        np.array([2.0, 0.0]),
        np.zeros(0),
        np.eye(2),
        np.full(DIM_MAX + 1, 1 / np.sqrt(DIM_MAX + 1)),
    ],
)
def test_what_is_no_unit_vector_is_refused(given: npt.NDArray[np.float64]) -> None:
    with pytest.raises(BadVector):
        unit_vector(given)


@over(st.lists(st.binary(max_size=5), max_size=3), st.lists(st.binary(max_size=5), max_size=3))
def test_digests_are_equal_only_for_equal_contents(one: list[bytes], two: list[bytes]) -> None:
    assert (content_digest(*one) == content_digest(*two)) == (one == two)


def test_the_text_of_an_item_is_its_parts_in_one_order() -> None:
    assert item_text("Heat", "", ["crime"], ["pacino", "crime"]) == "Heat\ncrime\npacino, crime"
    assert item_text("") == ""
    assert item_text(" ", "\n", ["", " "]) == ""


def test_each_part_of_the_text_has_a_cap() -> None:
    many = [f"{n} " + "w" * 100 for n in range(50)]
    title, description, categories, tags = item_text("t" * 999, "d" * 9999, many, many).split("\n")
    assert (len(title), len(description)) == (TITLE_CHARACTERS, DESCRIPTION_CHARACTERS)
    for line in (categories, tags):
        assert [len(word) for word in line.split(", ")] == [WORD_CHARACTERS] * WORDS_MAX


@over(st.text(), st.text(), st.lists(st.text(), max_size=4))
def test_white_space_does_not_make_another_text(title: str, text: str, tags: list[str]) -> None:
    spaced = item_text(f"  {title}\n", f"\t{text} ", [f" {tag} " for tag in tags])
    if len(title) < 200 and len(text) < 200:
        assert spaced == item_text(title, text, tags)


def test_the_cache_holds_no_more_than_it_may_and_lets_the_least_used_go() -> None:
    vector = unit_vector(unit(*range(1, 51)))
    cache = VectorCache(3 * (vector.nbytes + ENTRY_BYTES))
    marks: list[Mark] = [("text", "a1", bytes([n])) for n in range(5)]
    for mark in marks[:3]:
        cache.put(mark, vector)
    assert cache.get(marks[0]) is vector
    cache.put(marks[3], vector)
    assert [mark in cache for mark in marks] == [True, False, True, True, False]
    assert (len(cache), cache.bytes) == (3, 3 * (vector.nbytes + ENTRY_BYTES))
    cache.put(marks[3], vector)
    assert len(cache) == 3
    assert cache.get(marks[1]) is None
    assert (cache.hits, cache.misses) == (1, 1)


def test_a_cache_of_no_size_holds_nothing() -> None:
    cache = VectorCache(0)
    cache.put(("text", "a1", b"x"), unit_vector(unit(1, 2)))
    assert (len(cache), cache.bytes) == (0, 0)
