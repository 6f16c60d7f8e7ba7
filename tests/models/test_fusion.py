"""Candidates, z-scores and the ranked list."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.fusion import candidates, rank, signed_log

NOBODY = np.zeros(2, np.int64)
NOTHING = np.zeros(0, np.int32)
OPEN = np.zeros(0, np.bool_)


def rows(*users):
    return np.array(users, np.int32)


def test_sources_take_turns_and_propose_nothing_twice():
    found = candidates([rows([1, 2, 3]), rows([2, 9, -1])], NOBODY, NOTHING, OPEN, 6)
    assert found.tolist() == [[1, 2, 9, 3, -1, -1]]
    assert candidates([rows([1, 2, 3]), rows([2, 9, -1])], NOBODY, NOTHING, OPEN, 3).tolist() == [
        [1, 2, 9]
    ]


def test_what_a_user_met_is_excluded_for_that_user_and_what_is_withheld_for_all():
    withheld = np.array([False, False, False, True])
    found = candidates(
        [rows([1, 2, 3, 7], [1, 2, 3, 7])],
        np.array([0, 2, 2], np.int64),
        np.array([1, -1], np.int32),
        withheld,
        4,
    )
    assert found.tolist() == [[2, 7, -1, -1], [1, 2, 7, -1]]


def test_no_proposals_and_no_users_give_no_candidates():
    assert candidates([], NOBODY, NOTHING, OPEN, 3).tolist() == [[-1, -1, -1]]
    assert candidates([rows([])], NOBODY, NOTHING, OPEN, 2).tolist() == [[-1, -1]]
    empty = candidates([np.zeros((0, 4), np.int32)], np.zeros(1, np.int64), NOTHING, OPEN, 2)
    assert empty.shape == (0, 2)


def test_a_ranking_worked_by_hand():
    one = np.array([[0.0, 3.0, 77.0, 3.0]], np.float32)  # of rows 5, 6, padding, 4
    two = np.array([[1.0, 1.0, -9.0, 1.0]], np.float32)
    found = rank(rows([5, 6, -1, 4]), [one, two], [2.0, 1.0], 5, squash=False)
    z = np.array([-2.0, 1.0, 1.0]) / math.sqrt(2.0)
    assert found.rows.tolist() == [[4, 6, 5, -1, -1]]
    assert found.scores[0] == pytest.approx([2 * z[1], 2 * z[2], 2 * z[0], 0.0, 0.0], rel=1e-6)
    assert found.parts[0, 0] == pytest.approx([2 * z[1], 0.0])
    assert found.sources()[0, 0] == 0


def test_no_candidates_and_no_sources_give_padding():
    assert rank(rows([-1, -1]), [np.zeros((1, 2), np.float32)], [1.0], 2).rows.tolist() == [
        [-1, -1]
    ]
    assert rank(rows([3, 1]), [], [], 2).rows.tolist() == [[1, 3]]
    assert rank(np.zeros((0, 3), np.int32), [], [], 2).rows.shape == (0, 2)


def test_the_signed_log_is_within_a_hundred_thousandth_and_odd():
    z = np.concatenate((np.linspace(-50, 50, 5001), [1e20, -1e20, 0.0])).astype(np.float32)
    found = z.copy()
    signed_log(found)
    expected = np.sign(z) * np.log1p(np.abs(z.astype(np.float64)))
    assert np.abs(found - expected).max() < 3e-5
    assert (found[:2500] == -found[5000:2500:-1]).all()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(st.floats(-1e6, 1e6, width=32), min_size=6, max_size=6), min_size=1, max_size=3
    ),
    st.permutations(list(range(6))),
    st.booleans(),
)
def test_the_score_is_the_sum_of_its_parts_and_every_candidate_has_its_place(scores, order, squash):
    found = rank(
        rows(order), [np.array([s], np.float32) for s in scores], [1.0] * len(scores), 6, squash
    )
    assert sorted(found.rows[0].tolist()) == list(range(6))
    assert found.scores[0] == pytest.approx(found.parts[0].sum(axis=1), abs=1e-4)
    assert (np.diff(found.scores[0]) <= 0).all()
