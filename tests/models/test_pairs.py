"""The nine readings of the graph of neighbours, what it proposes, and the reasons it gives."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.histories import Histories
from millstream.models.pair_reading import FLOOR, FLOOR_DECAY, TIMED_ITEMS, WALK_FROM, WALK_ITEMS
from millstream.models.pairs import PLACES, RETRIEVED, Pairs, PairsParams

NAMES = list(Pairs.features)
CO, CO_SHORT, CO_LONG, SR, SR_SHORT = (decay for decay, _ in PLACES)


def histories(*people):
    """One history a person: (row, weight, seconds before the newest), newest first."""
    flat = [met for person in people for met in person]
    return Histories(
        np.cumsum([0, *map(len, people)]).astype(np.int64),
        np.array([row for row, _, _ in flat], np.int32),
        np.array([weight for _, weight, _ in flat], np.float32),
        np.array([10**7 - 1000 * s for _, _, s in flat], np.int64),
        np.full(len(people), 10**7, np.int64),
        np.zeros(len(people), np.uint64),
    )


def plain(*rows):
    return [(row, 1.0, 0) for row in rows]


def pairs_of(edges, totals, width=4, **params):
    """A source that holds these edges: {(from, to): (co, sr, near)}."""
    made = Pairs(PairsParams(width=width, **params))
    in_order = sorted(edges, key=lambda edge: edge[0])
    arrays: dict[str, np.ndarray] = {
        "ids": np.array([to for _, to in in_order], np.int32),
        "filled": np.bincount([row for row, _ in in_order], minlength=len(totals)),
        "totals": np.array(totals, np.float64),
    }
    for at, name in enumerate(("co", "sr", "near")):
        arrays[name] = np.array([edges[edge][at] for edge in in_order], np.float32)
    made.load(arrays)
    return made


def tiny():
    """0 (met 4 times) leads to 1 and 2, 1 (9 times) to 2 and 3, 2 (16 times) to 3 (once)."""
    return pairs_of(
        {
            (0, 2): (2.0, 1.0, 0.5),
            (0, 1): (1.0, 0.0, 0.25),
            (1, 3): (3.0, 2.0, 1.5),
            (1, 2): (0.5, 0.25, 0.4),
            (2, 3): (0.7, 0.0, 0.8),
        },
        [4.0, 9.0, 16.0, 1.0],
    )


# Somebody met 0 just now, and 1, which counts double, a minute before.
ASKED = [(0, 1.0, 0), (1, 2.0, 60)]
ROOT_0, ROOT_1 = 1.0 / 2.0, 2.0 / 3.0  # weight / sqrt(times met)
SLOW, FAST = math.exp(-60 / 120), math.exp(-60 / 20)
FLOOR_0, FLOOR_1 = float(FLOOR), float(FLOOR * FLOOR_DECAY)
STEP_0, STEP_1 = ROOT_0 * (1 + FLOOR_0), ROOT_1 * (SLOW + FLOOR_1)


@pytest.mark.parametrize(
    ("name", "of_2", "of_3"),
    [
        ("co", (ROOT_0 * 2 + CO * ROOT_1 * 0.5) / 4, CO * ROOT_1 * 3),
        ("co_short", (ROOT_0 * 2 + CO_SHORT * ROOT_1 * 0.5) / 4, CO_SHORT * ROOT_1 * 3),
        ("co_long", (ROOT_0 * 2 + CO_LONG * ROOT_1 * 0.5) / 4, CO_LONG * ROOT_1 * 3),
        ("sr", ROOT_0 * 1 + SR * ROOT_1 * 0.25, SR * ROOT_1 * 2),
        ("sr_short", ROOT_0 * 1 + SR_SHORT * ROOT_1 * 0.25, SR_SHORT * ROOT_1 * 2),
        (
            "sr_soon",
            ROOT_0 * (1 + FLOOR_0) + ROOT_1 * (SLOW + FLOOR_1) * 0.25,
            ROOT_1 * (SLOW + FLOOR_1) * 2,
        ),
        (
            "near",
            (ROOT_0 * (1 + FLOOR_0) * 0.5 + ROOT_1 * (SLOW + FLOOR_1) * 0.4) / 4,
            ROOT_1 * (SLOW + FLOOR_1) * 1.5,
        ),
        (
            "near_short",
            (ROOT_0 * (1 + FLOOR_0) * 0.5 + ROOT_1 * (FAST + FLOOR_1) * 0.4) / 4,
            ROOT_1 * (FAST + FLOOR_1) * 1.5,
        ),
        # From 0 to 1 and 2, from 1 to 2 and 3; from there on, over the times each was met.
        (
            "walk",
            STEP_0 * 0.25 / 9 * 0.4 / 4,
            STEP_0 * 0.25 / 9 * 1.5 + (STEP_0 * 0.5 + STEP_1 * 0.4) / 16 * 0.8,
        ),
    ],
)
def test_a_reading_worked_by_hand(name, of_2, of_3):
    candidates = np.array([[3, -1, 2, 99]], np.int32)
    found = tiny().score(histories(ASKED), candidates)[NAMES.index(name), 0]
    assert found == pytest.approx([of_3, 0.0, of_2, 0.0], rel=2e-5)


def test_every_reading_is_worked_by_hand():
    tried = test_a_reading_worked_by_hand.pytestmark[0].args[1]
    assert [name for name, _, _ in tried] == NAMES


def test_readings_look_back_as_far_as_they_should():
    # A chain of items none of which says anything but the last: who still hears it?
    for depth in range(45):
        history = [(row + 1, 1.0, 0) for row in range(depth)] + [(0, 1.0, 0)]
        made = pairs_of({(0, 50): (1.0, 1.0, 1.0)}, [1.0] * 51, profile_items=40)
        heard = made.score(histories(history), np.array([[50]], np.int32))[:, 0, 0] > 0
        for name, (_, reach) in zip(NAMES, PLACES, strict=False):
            assert heard[NAMES.index(name)] == (depth < min(reach, 40)), (name, depth)
        for name in ("sr_soon", "near", "near_short"):
            assert heard[NAMES.index(name)] == (depth < TIMED_ITEMS), (name, depth)
        assert not heard[NAMES.index("walk")], "the walk takes two steps"


def test_the_walk_begins_at_the_best_neighbours_only():
    edges = {(0, n): (1.0, 0.0, float(n)) for n in range(1, WALK_FROM + 2)}
    edges |= {(n, 20 + n): (1.0, 0.0, 1.0) for n in range(1, WALK_FROM + 2)}
    made = pairs_of(edges, [1.0] * 40, width=16)
    asked = np.arange(21, 22 + WALK_FROM, dtype=np.int32)[None, :]
    found = made.score(histories(plain(0)), asked)[NAMES.index("walk"), 0]
    expected = (1 + FLOOR_0) * np.arange(1.0, WALK_FROM + 2)
    expected[0] = 0.0  # the weakest of eleven is not taken
    assert found == pytest.approx(expected)


def test_proposals_are_the_best_by_co():
    edges = {(0, n): (10.0 - n, 0.0, 0.0) for n in (1, 2, 3, 4)}
    edges |= {(0, n): (0.1 * n, 50.0, 50.0) for n in (5, 6, 7)}
    made = pairs_of(edges, [1.0, 1.0, 100.0, *[1.0] * 5], width=8)
    assert made.retrieve(histories(plain(0)), 6).tolist() == [[1, 3, 4, 2, 7, 6]]


def test_equal_proposals_stand_in_the_order_of_their_rows():
    made = pairs_of({(0, n): (1.0, 0.0, 0.0) for n in (5, 3, 4)}, [1.0] * 6)
    assert made.retrieve(histories(plain(0)), 4).tolist() == [[3, 4, 5, -1]]


def test_proposals_weigh_the_newest_items_most():
    made = pairs_of({(0, 2): (1.0, 0.0, 0.0), (1, 3): (1.1, 0.0, 0.0)}, [1.0] * 4)
    assert RETRIEVED[0] < 1 / 1.1
    assert made.retrieve(histories(plain(0, 1), plain(1, 0)), 2).tolist() == [[2, 3], [3, 2]]


def test_the_reason_is_the_item_that_gave_most():
    made = tiny()
    listed = np.array([[2, 3, -1, 99], [2, 3, -1, 99]], np.int32)
    # 2 has 1 / 2 * 2 from 0 and .8 * 2 / 3 * .5 from 1; for the other person 1 is the newest.
    found = made.because(histories(ASKED, plain(1)), listed)
    assert found.tolist() == [[0, 1, -1, -1], [1, 1, -1, -1]]


def test_a_history_that_knows_nothing_scores_nothing():
    made = tiny()
    asked = np.array([[0, 1, 2, 3]] * 3, np.int32)
    assert not made.score(histories([], plain(3), plain(77)), asked).any()
    assert made.retrieve(histories([], plain(3), plain(77)), 2).tolist() == [[-1, -1]] * 3


def dense_readings(edges, totals, history, n):
    """The nine readings of rows 0 .. n - 1 by matrices, in double."""
    co, sr, near = (np.zeros((n, n)) for _ in range(3))
    for (row, to), sums in edges.items():
        co[row, to], sr[row, to], near[row, to] = sums
    root = np.where(totals > 0, 1 / np.sqrt(np.maximum(totals, 1e-9)), 0.0)
    out = np.zeros((9, n))
    floor = float(FLOOR)
    first = np.zeros(n)
    for k, (row, weight, seconds) in enumerate(history):
        for x, (decay, depth) in enumerate(PLACES):
            if k < depth:
                out[x] += weight * root[row] * decay**k * (co if x < 3 else sr)[row]
        slow, fast = (math.exp(-seconds / s) + floor for s in (120.0, 20.0))
        for x, matrix, by_time in ((5, sr, slow), (6, near, slow), (7, near, fast)):
            out[x] += weight * root[row] * by_time * matrix[row]
        if k < WALK_ITEMS:
            first += weight * root[row] * slow * near[row]
        floor *= float(FLOOR_DECAY)
    out[8] = (first * root * root) @ near
    out[:, totals == 0] = 0.0
    for x in (0, 1, 2, 6, 7, 8):
        out[x] *= root
    return out


values = st.tuples(*(st.floats(0, 10, width=16) for _ in range(3)))
asked_of = st.lists(
    st.tuples(st.integers(0, 7), st.floats(0.25, 2, width=16), st.integers(0, 500)),
    max_size=8,
    unique_by=lambda met: met[0],
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.tuples(st.integers(0, 7), st.integers(0, 7)), values, max_size=40),
    st.lists(st.integers(0, 20), min_size=8, max_size=8),
    asked_of,
)
def test_readings_equal_those_of_dense_matrices(edges, totals, history):
    history = sorted(history, key=lambda met: met[2])
    history = [(row, weight, s - history[0][2]) for row, weight, s in history]
    edges = {(row, to): sums for (row, to), sums in edges.items() if totals[to]}
    made = pairs_of(edges, totals, width=8)
    found = made.score(histories(history), np.arange(8, dtype=np.int32)[None, :])[:, 0]
    expected = dense_readings(edges, np.array(totals, float), history, 8)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
