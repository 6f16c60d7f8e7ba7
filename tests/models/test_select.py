"""The best k of many."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.select import best

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def chosen(scores, k):
    scores = np.array(scores, np.float32)
    rows = np.arange(len(scores), dtype=np.int32)[::-1].copy()
    top_scores, top_rows = np.zeros(k, np.float32), np.full(k, -1, np.int32)
    n = best(scores, rows, len(scores), top_scores, top_rows)
    pairs = sorted(zip((-scores).tolist(), rows.tolist(), strict=True))[:k]
    assert n == len(pairs)
    assert top_rows[:n].tolist() == [row for _, row in pairs]
    assert top_scores[:n].tolist() == [-score for score, _ in pairs]
    assert (top_rows[n:] == -1).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(FLOATS.map(lambda x: x + 0.0), max_size=40), st.integers(0, 50))
def test_it_sorts_by_score_then_by_row(scores, k):
    chosen(scores, k)


@pytest.mark.parametrize("k", [1, 20, 200, 900])
@pytest.mark.parametrize("kind", ["normal", "positive", "tied", "all equal"])
def test_many_are_pruned_to_the_same_result(kind, k):
    random = np.random.default_rng(k)
    scores = random.normal(size=2000)
    if kind == "positive":
        scores = np.exp(8 * scores)
    if kind == "tied":
        scores = np.round(scores)
    if kind == "all equal":
        scores[:] = 0.25
    chosen(scores + 0.0, k)
