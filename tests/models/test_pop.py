"""Popularity with a half-life."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.decayed import Decayed
from millstream.models.histories import Histories, Step, Steps
from millstream.models.pop import Pop, PopParams

NO_HISTORY = (np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.int64))


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


def asked(*newest_ms):
    """Somebody a time, whose newest item was met then; None for a stranger."""
    known = [ms for ms in newest_ms if ms is not None]
    return Histories(
        np.cumsum([0, *(ms is not None for ms in newest_ms)]).astype(np.int64),
        np.full(len(known), 2, np.int32),
        np.ones(len(known), np.float32),
        np.array(known, np.int64),
        np.zeros(len(newest_ms), np.int64),
        np.zeros(len(newest_ms), np.uint64),
    )


def taught(rows, times=None, weights=None, **params):
    """A source of three rows that has learnt these."""
    made = Pop(PopParams(head=8, **params))
    made.grow(3)
    times = times or [0] * len(rows)
    weights = weights or [1.0] * len(rows)
    made.learn(
        Steps.of(
            [
                Step(row, weight, ms, 1, *NO_HISTORY)
                for row, ms, weight in zip(rows, times, weights, strict=True)
            ]
        )
    )
    return made


def test_strangers_are_scored_by_what_is_trending_and_others_by_what_is_popular():
    pop = taught([0, 0, 0, 0, 1, 1], half_life=1000.0, trending_half_life=1.0)
    both = np.array([[0, 1], [0, 1]], np.int32)
    stranger, known = pop.score(asked(None, 0), both)[0].tolist()
    assert stranger[0] < stranger[1]
    assert known[0] > known[1]
    assert pop.retrieve(asked(None, 0), 4).tolist() == [[0, 1, -1, -1]] * 2
    assert pop.trending.top(9).tolist() == [1, 0]


def test_the_five_features_by_hand():
    # Row 0 is met at 1 s and 9 s, row 1 at 5 s with weight .5; nobody met row 2.
    made = taught(
        [0, 1, 0], [1_000, 5_000, 9_000], [1.0, 0.5, 1.0], half_life=2.0, trending_half_life=1.0
    )
    found = made.score(asked(21_000), np.array([[0, 1, 2, -1, 99]], np.int32))[:, 0]
    never = [0.0, 0.0, 0.0]
    assert found[0] == pytest.approx([1 + 0.5, 0.5 * 0.5**0.5, *never])
    assert found[1] == pytest.approx([1 + 0.25, 0.5 * 0.5, *never])
    assert found[2] == pytest.approx([0.0, np.log1p(1), *never], abs=3e-5)  # one came since
    assert found[3] == pytest.approx([np.log1p(2.0), np.log1p(0.5), *never], abs=3e-5)
    assert found[4] == pytest.approx([np.log1p(20), np.log1p(16), *never], abs=3e-5)
    assert list(Pop.features) == ["pop", "trend", "since", "count", "age"]


def test_an_item_that_came_after_ones_newest_event_has_no_age():
    found = taught([0], [9_000]).score(asked(1_000), np.array([[0]], np.int32))
    assert found[4, 0, 0] == 0.0


def test_an_items_age_begins_anew_when_its_row_is_given_to_another():
    made = taught([0, 1], [1_000, 2_000])
    made.forget(np.array([0], np.int32))
    assert not made.score(asked(5_000), np.array([[0]], np.int32)).any()
    made.learn(Steps.of([Step(0, 1.0, 4_000, 1, *NO_HISTORY)]))
    found = made.score(asked(5_000), np.array([[0]], np.int32))[:, 0, 0]
    assert found[4] == pytest.approx(np.log1p(1), abs=3e-5)
    assert found[3] == pytest.approx(np.log1p(1), abs=3e-5)
