"""Intervals and paired tests: examples worked by hand, and what must hold for any numbers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.streams.significance import mcnemar, paired, share_ci95

COINS = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=60)


def interval(hits: list[int], users: list[int]) -> tuple[float, float]:
    return share_ci95(np.array(hits, np.bool_), np.array(users, np.int32))


def test_mcnemar_of_few_pairs_is_the_binomial_by_hand() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 / 64)
    # 1 of 6: two tails of (1 + 6) / 64
    assert mcnemar(1, 5) == mcnemar(5, 1) == pytest.approx(14 / 64)
    assert mcnemar(3, 3) == 1.0


def test_mcnemar_of_many_pairs_is_the_binomial_in_whole_numbers() -> None:
    tail = sum(math.comb(1300, k) for k in range(601))
    assert mcnemar(600, 700) == mcnemar(700, 600) == pytest.approx(2 * tail / 2**1300, rel=1e-9)
    assert mcnemar(501, 500) == pytest.approx(1.0)
    chi_square = math.erfc(999 / math.sqrt(2 * 81_000))  # with continuity correction
    assert mcnemar(40_000, 41_000) == pytest.approx(chi_square, rel=1e-3)


def test_events_of_many_people_are_as_good_as_independent() -> None:
    # Everybody has one event: Wilson's interval for 30 of 100 is .219 to .396 (t for 99: 1.984).
    low, high = interval([1] * 30 + [0] * 70, list(range(100)))
    assert low == pytest.approx(0.218, abs=0.002)
    assert high == pytest.approx(0.397, abs=0.002)


def test_events_of_few_people_count_as_few() -> None:
    # Ten people, each all hits or none, ten events each: it is ten observations, not a hundred.
    users = [user for user in range(10) for _ in range(10)]
    hits = [int(user < 3) for user in users]
    low, high = interval(hits, users)
    alone = interval([1] * 3 + [0] * 7, list(range(10)))
    assert (low, high) == pytest.approx(alone)
    assert high - low > 0.4


def test_no_hit_at_all_is_no_certainty() -> None:
    low, high = interval([0] * 50, [n // 5 for n in range(50)])
    assert low == 0.0
    assert 0.2 < high < 0.4  # ten people without a hit
    assert interval([], []) == (0.0, 1.0)


def test_an_interval_of_two_people_is_students() -> None:
    # Users' sums 2 and 0 of 2 and 2 events: the mean is .5, its variance (1 + 1) * 2 / 16, and
    # Student's t at .975 with one degree of freedom is 12.7062.
    low, high = paired(np.zeros(4), np.array([1.0, 1.0, 0.0, 0.0]), np.array([1, 1, 2, 2])).ci95
    assert high - 0.5 == 0.5 - low == pytest.approx(12.7062 * 0.5, rel=1e-5)


def test_one_person_says_little_of_others() -> None:
    low, high = interval([1, 0] * 500, [7] * 1000)
    assert (low, high) == pytest.approx((0.05, 0.95), abs=0.06)


@given(COINS)
def test_an_interval_holds_its_share_within_0_and_1(rows: list[tuple[bool, int]]) -> None:
    hits = [int(hit) for hit, _ in rows]
    low, high = interval(hits, [user for _, user in rows])
    share = sum(hits) / len(hits)
    assert 0.0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1.0


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(300):
        taste = random.beta(2, 8, 60)  # people differ: their mean is .2
        users = np.repeat(np.arange(60), random.integers(1, 30, 60)).astype(np.int32)
        low, high = share_ci95(random.random(len(users)) < taste[users], users)
        held += low <= 0.2 <= high
    assert 0.91 <= held / 300 <= 0.99


def test_a_sign_flip_of_five_people_by_hand() -> None:
    # b has one more hit with each of five people: only all five flipped, or none, is as far from
    # 0, 2 of 32 choices of signs.
    a, b = np.zeros(10), np.tile([1.0, 0.0], 5)
    users = np.repeat(np.arange(5), 2).astype(np.int32)
    found = paired(a, b, users, flips=20_000)
    assert found.mean == 0.5
    assert found.p == pytest.approx(2 / 32, abs=0.006)
    assert found.ci95[0] == found.ci95[1] == 0.5  # each person says exactly the same


def test_the_same_ranks_differ_in_nothing() -> None:
    values = np.array([0.0, 1.0, 1.0])
    found = paired(values, values, np.array([1, 2, 3], np.int32))
    assert (found.mean, found.ci95, found.p) == (0.0, (0.0, 0.0), 1.0)


@pytest.mark.parametrize("n", [0, 4])
def test_nobody_and_one_person_prove_nothing(n: int) -> None:
    found = paired(np.zeros(n), np.ones(n), np.zeros(n, np.int32))
    assert (found.ci95, found.p) == ((-1.0, 1.0), 1.0)


@given(COINS, st.integers(0, 5))
def test_turned_round_it_says_the_opposite(rows: list[tuple[bool, int]], seed: int) -> None:
    a = np.array([float(hit) for hit, _ in rows])
    b = np.array([float(user % 2) for _, user in rows])
    users = np.array([user for _, user in rows], np.int32)
    one, other = paired(a, b, users, seed, 500), paired(b, a, users, seed, 500)
    assert one.mean == -other.mean
    assert one.p == other.p
    assert 0.0 < one.p <= 1.0


def test_one_persons_many_events_do_not_make_it_sure() -> None:
    # 200 more hits, all with one of 20 people, and 19 people who gain and lose alike.
    users = np.concatenate([np.zeros(200), np.arange(1, 20).repeat(2)]).astype(np.int32)
    b = np.ones(238)
    a = np.concatenate([np.zeros(200), np.ones(38)])
    b[200::2] = 0.0
    a[201::2] = 0.0
    assert mcnemar(19, 219) < 1e-30
    assert paired(a, b, users).p > 0.5
