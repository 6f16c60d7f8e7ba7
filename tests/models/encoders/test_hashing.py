"""The fallback: spelling, not meaning, as a pure function of the text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.encoders.hashing import DIM, HashingText

ENCODER = HashingText()
KNOWN_PLACE, KNOWN_VALUE = 16, 0.3013


def cosine(one: str, other: str) -> float:
    a, b = ENCODER.encode([one, other])
    return float(a @ b)


def test_a_text_is_nearest_to_one_that_shares_its_words() -> None:
    assert cosine("wireless headphones", "headphones, WIRELESS") == pytest.approx(1.0)
    assert cosine("wireless headphones", "wireless headphone") > 0.6
    assert abs(cosine("wireless headphones", "red wine")) < 0.15


def test_chinese_words_are_found_within_a_sentence_without_spaces() -> None:
    assert cosine("无线耳机", "无线降噪耳机") > 0.4
    assert cosine("无线耳机", "无线降噪耳机") > cosine("无线耳机", "红烧牛肉面") + 0.3


def test_full_width_letters_are_those_of_half_width() -> None:
    assert cosine("\uff21\uff22\uff23 iPhone", "abc IPHONE") == pytest.approx(1.0)


def test_a_word_said_often_counts_more_but_not_in_proportion() -> None:
    once, often = cosine("cat dog", "cat"), cosine("cat cat cat cat dog", "cat")
    assert once < often < 0.99


def test_two_texts_without_a_letter_are_rows_of_zeros() -> None:
    assert not ENCODER.encode(["", "!!! —"]).any()


def test_no_items_give_no_rows() -> None:
    assert ENCODER.encode([]).shape == (0, DIM)


def test_a_lone_surrogate_is_a_character_like_any_other() -> None:
    assert np.isfinite(ENCODER.encode(["\ud800 word"])).all()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_a_row_is_finite_of_length_one_or_nought_and_its_own(texts: list[str]) -> None:
    together = ENCODER.encode(texts)
    assert together.dtype == np.float32
    lengths = np.linalg.norm(together, axis=1)
    assert np.all(np.isclose(lengths, 1, atol=1e-5) | (lengths == 0))
    for text, row in zip(texts, together, strict=True):
        assert ENCODER.encode([text]).tobytes() == row.tobytes()


def test_the_first_numbers_of_a_vector_are_what_they_were() -> None:
    (row,) = ENCODER.encode(["The quick brown fox 敏捷的狐狸"])
    assert float(row[KNOWN_PLACE]) == pytest.approx(KNOWN_VALUE, abs=1e-4)
