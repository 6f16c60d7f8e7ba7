"""What lists are like, by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.streams.evaluating import learnt, small_settings

from millstream.streams.listed import Lists, gini, list_distance, mean

CLICKS = [("u", "a"), ("u", "b"), ("v", "a"), ("v", "c"), ("w", "a"), ("w", "d")]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [([3, 3, 3], 0.0), ([0, 0, 0, 4], 0.75), ([1, 3], 0.25), ([0, 0], 0.0), ([5], 0.0)],
)
def test_gini_by_hand(counts: list[int], expected: float) -> None:
    assert gini(np.array(counts, np.float64)) == pytest.approx(expected)


@given(st.lists(st.integers(0, 100), min_size=1, max_size=50), st.integers(1, 5))
def test_gini_knows_neither_order_nor_scale(counts: list[int], factor: int) -> None:
    values = np.array(counts, np.float64)
    assert gini(values) + 1e-12 >= 0.0
    assert gini(values) < 1.0
    assert gini(factor * values[::-1]) == pytest.approx(gini(values))


def test_coverage_and_novelty_by_hand() -> None:
    model = learnt(small_settings(), CLICKS)
    lists = Lists()
    for _, item in CLICKS:
        lists.met(item)
    rows = model.rows.rows(["a", "b"])
    lists.shown(model, [*rows, -1, -1])
    lists.shown(model, rows[:1])
    figures = lists.figures()
    assert figures["coverage"] == 0.5  # a and b of a, b, c, d
    assert figures["gini"] == pytest.approx(gini(np.array([2.0, 1.0, 0.0, 0.0])), abs=1e-5)
    # a has 3 of 6 events, 1 bit; b has 1 of 6, log2 6 bits; the mean of two lists' means
    assert figures["novelty"] == pytest.approx(((1 + math.log2(6)) / 2 + 1) / 2, abs=1e-4)
    assert lists.counts().tolist() == [2, 1, 0, 0]
    assert list(lists.covered) == [0.5, 0.5]


def test_an_empty_list_counts_as_no_list() -> None:
    lists = Lists()
    lists.shown(learnt(small_settings(), []), [-1] * 10)
    assert set(lists.figures().values()) == {None}
    assert mean([math.nan]) is None


def test_only_the_first_ten_are_looked_at() -> None:
    clicks = [("u", f"m{n}") for n in range(15)]
    model = learnt(small_settings(), clicks)
    lists = Lists()
    for _, item in clicks:
        lists.met(item)
    lists.shown(model, model.rows.rows([item for _, item in clicks]))
    assert lists.counts().tolist() == [1] * 10 + [0] * 5


def test_the_distance_of_a_list_is_one_minus_the_mean_cosine_of_its_pairs() -> None:
    model = learnt(small_settings(), CLICKS)
    mf = model.sources["mf"]
    factors = getattr(mf, "factors")  # noqa: B009
    factors[:3] = np.eye(8)[0], 2 * np.eye(8)[1], 3 * np.eye(8)[:2].sum(0)
    half = math.sqrt(0.5)
    expected = 1 - (0 + half + half) / 3
    assert list_distance(model, np.array([0, 1, 2], np.int32)) == pytest.approx(expected)


def test_without_factors_it_is_told_by_who_is_met_together() -> None:
    settings = small_settings()
    del_mf = type(settings.model)(sources=("pairs", "pop"))
    only_pairs = type(settings)(model=del_mf, sources=settings.sources)
    model = learnt(only_pairs, [*CLICKS, ("x", "c"), ("x", "d")])
    near = list_distance(model, np.array(model.rows.rows(["a", "b"]), np.int32))
    far = list_distance(model, np.array(model.rows.rows(["b", "d"]), np.int32))
    assert near is not None
    assert far == 1.0  # nobody met both
    assert 0.0 <= near < 1.0


def test_without_either_there_is_no_telling() -> None:
    settings = small_settings()
    only_pop = type(settings)(model=type(settings.model)(sources=("pop",)))
    assert list_distance(learnt(only_pop, CLICKS), np.array([0, 1], np.int32)) is None
