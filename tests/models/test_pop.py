"""Popularity with a half-life."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.histories import Histories
from millstream.models.pop import Decayed, Pop, PopParams


def counted(rows, half_life=2.0, head=4, size=10):
    counts = Decayed(half_life, head)
    counts.grow(size)
    counts.add(np.array(rows, np.int32), np.ones(len(rows), np.float32))
    return counts


def test_a_count_halves_in_a_half_life_of_interactions():
    counts = counted([1, 2, 2])
    assert counts.read(np.array([[1, 2, 3, -1, 99]], np.int32))[0] == pytest.approx(
        [0.5, 1 + 0.5**0.5, 0, 0, 0]
    )


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=200), st.sampled_from([0.05, 1.0, 30.0, 1e9]))
def test_the_head_is_always_the_greatest_counts(rows, half_life):
    counts = counted(rows, half_life)
    now = counts.counts[:10]
    expected = [row for row in np.lexsort((np.arange(10), -now)) if now[row] > 0][:4]
    assert counts.top(4).tolist() == expected
    loaded = Decayed(half_life, 4)
    loaded.load(*counts.arrays())
    assert loaded.top(4).tolist() == expected


def test_strangers_are_scored_by_what_is_trending_and_others_by_what_is_popular():
    pop = Pop(PopParams(half_life=1000.0, trending_half_life=1.0, head=8))
    pop.grow(3)
    rows, weights = np.array([0, 0, 0, 0, 1, 1], np.int32), np.ones(6, np.float32)
    pop.popular.add(rows, weights)
    pop.trending.add(rows, weights)
    asked = Histories(
        np.array([0, 0, 1], np.int64),
        np.array([2], np.int32),
        np.ones(1, np.float32),
        np.zeros(1, np.int64),
        np.zeros(2, np.int64),
        np.zeros(2, np.uint64),
    )
    stranger, known = pop.score(asked, np.array([[0, 1], [0, 1]], np.int32)).tolist()
    assert stranger[0] < stranger[1]
    assert known[0] > known[1]
    assert pop.retrieve(asked, 4).tolist() == [[0, 1, -1, -1]] * 2
    assert pop.trending.top(9).tolist() == [1, 0]
