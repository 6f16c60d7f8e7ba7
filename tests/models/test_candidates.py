"""What the sources propose, in turns, without what may not be listed."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.candidates import candidates

NOBODY = np.zeros(2, np.int64)
NOTHING = np.zeros(0, np.int32)
OPEN = np.zeros(0, np.bool_)


def rows(*users):
    return np.array(users, np.int32)


def test_sources_take_turns_and_propose_nothing_twice():
    found = candidates([rows([1, 2, 3]), rows([2, 9, -1])], NOBODY, NOTHING, OPEN, 10, 6)
    assert found.tolist() == [[1, 2, 9, 3, -1, -1]]
    assert candidates(
        [rows([1, 2, 3]), rows([2, 9, -1])], NOBODY, NOTHING, OPEN, 10, 3
    ).tolist() == [[1, 2, 9]]


def test_a_source_that_proposes_more_goes_on_when_the_others_are_done():
    found = candidates([rows([1]), rows([2, 3, 4]), rows([5, 6])], NOBODY, NOTHING, OPEN, 10, 9)
    assert found.tolist() == [[1, 2, 5, 3, 6, 4, -1, -1, -1]]


def test_what_a_user_met_is_excluded_for_that_user_and_what_is_withheld_for_all():
    withheld = np.array([False, False, False, True])
    found = candidates(
        [rows([1, 2, 3, 7], [1, 2, 3, 7])],
        np.array([0, 2, 2], np.int64),
        np.array([1, -1], np.int32),
        withheld,
        10,
        4,
    )
    assert found.tolist() == [[2, 7, -1, -1], [1, 2, 7, -1]]


def test_no_proposals_and_no_users_give_no_candidates():
    assert candidates([], NOBODY, NOTHING, OPEN, 10, 3).tolist() == [[-1, -1, -1]]
    assert candidates([rows([])], NOBODY, NOTHING, OPEN, 10, 2).tolist() == [[-1, -1]]
    empty = candidates([np.zeros((0, 4), np.int32)], np.zeros(1, np.int64), NOTHING, OPEN, 10, 2)
    assert empty.shape == (0, 2)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 12))
def test_they_are_the_turns_without_repeats_and_exclusions_whoever_shares_the_batch(
    seed, sources, most
):
    random = np.random.default_rng(seed)
    users = 3
    proposals = [
        random.integers(-1, 10, (users, random.integers(0, 7))).astype(np.int32)
        for _ in range(sources)
    ]
    excluded = random.integers(-1, 14, 6).astype(np.int32)
    ptr = np.array([0, 1, 1, 6], np.int64)
    withheld = random.random(8) < 0.2
    found = candidates(proposals, ptr, excluded, withheld, 10, most)
    for b in range(users):
        expected: list[int] = []
        for place in range(7):
            for one in proposals:
                row = int(one[b, place]) if place < one.shape[1] else -1
                away = row < 0 or row in excluded[ptr[b] : ptr[b + 1]]
                if not (away or row in expected or (row < 8 and withheld[row])):
                    expected.append(row)
        expected = expected[:most]
        assert found[b].tolist() == expected + [-1] * (most - len(expected))
        alone = candidates(
            [one[b : b + 1] for one in proposals],
            ptr[b : b + 2] - ptr[b],
            excluded[ptr[b] : ptr[b + 1]],
            withheld,
            10,
            most,
        )
        assert alone[0].tolist() == found[b].tolist()
