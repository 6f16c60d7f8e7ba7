"""Fixed-width neighbours: what is kept, what is given up, what is read."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.histories import Histories, Step, Steps
from millstream.models.neighbours import Neighbours


def histories(*rows):
    flat = [row for each in rows for row in each]
    return Histories(
        np.cumsum([0, *map(len, rows)]).astype(np.int64),
        np.array(flat, np.int32),
        np.ones(len(flat), np.float32),
        np.zeros(len(flat), np.int64),
        np.zeros(len(rows), np.int64),
        np.zeros(len(rows), np.uint64),
    )


def graph(width=4, decay=(1.0, 0.5), cosine=False, rows=10):
    made = Neighbours(width, decay, cosine)
    made.grow(rows)
    return made


def learn(made, row, history, edges, weight=1.0, both=False):
    rows = np.array(history, np.int32)
    ages = np.zeros(len(rows), np.int64)
    worth = np.array(edges, np.float32) / np.float32(weight)
    step = Step(row, weight, 0, 1, rows, worth, ages)
    made.learn(Steps.of([step]), np.ones(max(len(rows), 1), np.float32), both)


def edges(made, row):
    n = made.filled[row]
    return dict(zip(made.ids[row, :n].tolist(), made.values[row, :n].tolist(), strict=True))


def test_a_full_row_gives_up_its_lightest_edge_and_a_newcomer_starts_at_its_own_weight():
    made = graph(width=2)
    for row, weight in ((1, 3.0), (2, 1.0), (1, 2.0), (3, 0.5)):
        learn(made, row, [0], [weight])
    assert edges(made, 0) == {1: 5.0, 3: 0.5}


def test_pairing_both_ways_adds_the_edge_back_and_never_an_edge_to_itself():
    made = graph()
    learn(made, 1, [2, 1, 3], [1.0, 9.0, 0.5], both=True)
    assert edges(made, 1) == {2: 1.0, 3: 0.5}
    assert edges(made, 2) == {1: 1.0}
    assert edges(made, 3) == {1: 0.5}


def test_a_cosine_worked_by_hand():
    made = graph(cosine=True)
    learn(made, 0, [], [], weight=4.0)
    learn(made, 1, [0], [2.0], weight=9.0, both=True)
    learn(made, 2, [1, 0], [1.0, 0.5], weight=1.0, both=True)
    asked = histories([1, 0], [0])
    found = made.score(asked, np.array([[2, 0, 7, -1], [2, 1, 7, -1]], np.int32))
    from_1_to_2 = 1.0 / np.sqrt(9.0 * 1.0)
    from_0_to_2 = 0.5 / np.sqrt(4.0 * 1.0)
    from_1_to_0 = 2.0 / np.sqrt(9.0 * 4.0)
    assert found[0] == pytest.approx([from_1_to_2 + 0.5 * from_0_to_2, from_1_to_0, 0.0, 0.0])
    assert found[1] == pytest.approx([from_0_to_2, from_1_to_0, 0.0, 0.0])
    assert made.retrieve(asked, 3).tolist() == [[2, 0, 1], [1, 2, -1]]
    assert made.because(asked, np.array([[2, 0, 7], [2, 1, -1]], np.int32)).tolist() == [
        [1, 1, -1],
        [0, 0, -1],
    ]


def test_equal_proposals_stand_in_the_order_of_their_rows():
    made = graph()
    learn(made, 0, [], [])
    learn(made, 5, [0], [1.0])
    learn(made, 3, [0], [1.0])
    learn(made, 4, [0], [1.0])
    assert made.retrieve(histories([0]), 3).tolist() == [[3, 4, 5]]


def test_forgetting_a_row_closes_the_gaps_that_it_leaves():
    made = graph()
    for row in (1, 2, 3):
        learn(made, row, [0], [float(row)], both=True)
    made.forget(np.array([2], np.int32))
    assert edges(made, 0) == {1: 1.0, 3: 3.0}
    assert edges(made, 2) == {}
    assert made.totals.tolist()[:4] == [0.0, 1.0, 0.0, 1.0]
    assert not made.ids[0, 2:].any()
    assert not made.values[0, 2:].any()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.lists(st.integers(0, 7), max_size=5, unique=True)),
        max_size=30,
    ),
    st.lists(st.integers(0, 7), max_size=6, unique=True),
)
def test_wide_enough_a_graph_equals_a_dense_matrix(taught, asked):
    made = graph(width=8, decay=(1.0, 0.8, 0.6, 0.4), rows=8)
    dense, totals = np.zeros((8, 8)), np.zeros(8)
    for row, history in taught:
        learn(made, row, history, [0.5**k for k in range(len(history))], both=True)
        totals[row] += 1.0
        for k, other in enumerate(history):
            if other != row:
                dense[other, row] += 0.5**k
                dense[row, other] += 0.5**k
    expected = np.zeros(8)
    for decay, row in zip((1.0, 0.8, 0.6, 0.4), asked, strict=False):
        if totals[row]:
            expected += decay * dense[row] / np.sqrt(totals[row])
    expected[totals == 0.0] = 0.0
    found = made.score(histories(asked), np.arange(8, dtype=np.int32)[None, :])[0]
    assert found == pytest.approx(expected, rel=1e-5)
