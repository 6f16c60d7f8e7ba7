"""The graph of neighbours: what is kept, what is given up, what is forgotten."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.histories import Step, Steps
from millstream.models.neighbours import NEAR_MIN, Neighbours

PAIR = np.array([1.0, 0.5, 0.25, 0.125], np.float32)
RULE = np.array([1.0, 0.4], np.float32)
NEAR_S = 100.0


def graph(width=4, rows=10):
    made = Neighbours(width, PAIR, RULE, NEAR_S)
    made.grow(rows)
    return made


def learn(made, row, history, weight=1.0, worth=None, ts_ms=0, times=None):
    worth = [1.0] * len(history) if worth is None else worth
    times = [ts_ms] * len(history) if times is None else times
    step = Step(
        row,
        weight,
        ts_ms,
        1,
        np.array(history, np.int32),
        np.array(worth, np.float32),
        np.array(times, np.int64),
    )
    made.learn(Steps.of([step]))


def edges(made, row, name="co"):
    n = made.filled[row]
    sums = getattr(made, name)[row, :n]
    return dict(zip(made.ids[row, :n].tolist(), sums.tolist(), strict=True))


def test_the_three_sums_of_an_edge_by_hand():
    made = graph()
    # 5 comes after 1 (50 s before), 2 (a rule of distance 2), 3 (no rule so far back), 4, and 6
    # (beyond all pairs); an older item is worth half.
    learn(
        made,
        5,
        [1, 2, 3, 4, 6],
        weight=2.0,
        worth=[1.0, 1.0, 0.5, 1.0, 1.0],
        ts_ms=1_000_000,
        times=[950_000, 800_000, 1_000_000, 0, 0],
    )
    assert edges(made, 5) == {1: 2.0, 2: 1.0, 3: 0.25, 4: 0.25}
    assert edges(made, 1) == {5: 2.0}
    assert edges(made, 3) == {5: 0.25}
    assert edges(made, 6) == {}
    assert edges(made, 1, "sr") == {5: 2.0}
    assert edges(made, 2, "sr") == {5: pytest.approx(0.8)}
    assert edges(made, 3, "sr") == {5: 0.0}
    assert edges(made, 5, "sr") == {1: 0.0, 2: 0.0, 3: 0.0, 4: 0.0}, "rules are one way"
    near = {1: 2 * np.exp(-0.5), 2: 2 * np.exp(-2.0), 3: 1.0, 4: 0.0}
    assert edges(made, 5, "near") == pytest.approx(near)
    assert {n: edges(made, n, "near")[5] for n in (1, 2, 3, 4)} == pytest.approx(near)
    assert made.totals.tolist()[:6] == [0, 0, 0, 0, 0, 2.0]


def test_a_history_from_the_future_is_as_near_as_the_moment_itself():
    made = graph()
    learn(made, 1, [2], ts_ms=1_000, times=[9_000])
    assert edges(made, 1, "near") == {2: 1.0}


def test_a_full_row_gives_up_its_lightest_edge_and_a_newcomer_starts_at_its_own_weight():
    made = graph(width=2)
    for row, weight in ((1, 3.0), (2, 1.0), (1, 2.0), (3, 0.5)):
        learn(made, row, [0], weight=weight)
    for name in ("co", "sr", "near"):
        assert edges(made, 0, name) == {1: 5.0, 3: 0.5}


def test_what_is_given_up_is_chosen_by_co_alone():
    made = graph(width=2)
    learn(made, 1, [0], ts_ms=0)
    learn(made, 2, [9, 8, 0], ts_ms=0)  # a pair at distance 3: co .25, near 1
    learn(made, 1, [0], ts_ms=10_000_000, times=[0])  # co 2, near 1
    learn(made, 3, [0], weight=0.75)
    assert edges(made, 0) == {1: 2.0, 3: 0.75}


def test_there_is_never_an_edge_to_itself():
    made = graph()
    learn(made, 1, [2, 1, 3])
    assert edges(made, 1) == {2: 1.0, 3: 0.25}


@pytest.mark.parametrize("name", ["co", "sr", "near"])
def test_forgetting_a_row_closes_the_gaps_that_it_leaves(name):
    made = graph()
    for row in (1, 2, 3):
        learn(made, row, [0], weight=float(row))
    made.forget(np.array([2], np.int32))
    assert edges(made, 0, name) == {1: 1.0, 3: 3.0}
    assert edges(made, 1, name) == {0: 0.0 if name == "sr" else 1.0}
    assert edges(made, 2, name) == {}
    assert made.totals.tolist()[:4] == [0.0, 1.0, 0.0, 3.0]
    assert not made.ids[0, 2:].any()
    assert not getattr(made, name)[0, 2:].any()
    assert not getattr(made, name)[2].any()


a_history = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 900)), max_size=5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), a_history), max_size=30))
def test_wide_enough_the_edges_equal_dense_matrices(taught):
    made = graph(width=8, rows=8)
    dense = {name: np.zeros((8, 8)) for name in ("co", "sr", "near")}
    totals = np.zeros(8)
    for row, met in taught:
        history = dict(met)
        times = [10**6 - 1000 * seconds for seconds in history.values()]
        learn(made, row, list(history), ts_ms=10**6, times=times)
        totals[row] += 1.0
        for k, (other, s) in enumerate(history.items()):
            if other == row or k >= len(PAIR):
                continue
            near = np.exp(-s / NEAR_S)
            for one, two in ((row, other), (other, row)):
                dense["co"][one, two] += PAIR[k]
                dense["near"][one, two] += near if near > NEAR_MIN else 0.0
            dense["sr"][other, row] += RULE[k] if k < len(RULE) else 0.0
    assert made.totals[:8] == pytest.approx(totals)
    for name, expected in dense.items():
        found = np.zeros((8, 8))
        for row in range(8):
            for other, value in edges(made, row, name).items():
                found[row, other] = value
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
