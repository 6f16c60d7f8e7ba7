"""The greedy re-ranking of a list for diversity."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.diversity import RHO, TWIN, diversify

STRENGTHS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


def floats(values):
    return np.array(values, np.float32)


def rows(*lists):
    return np.array(lists, np.int32)


def kernel_of(listed, vectors):
    """Ones on the diagonal, RHO x cosine beside it, in float64."""
    unit = np.zeros((len(listed), vectors.shape[1]))
    for place, row in enumerate(listed):
        if row < len(vectors) and vectors[row].any():
            vector = vectors[row].astype(np.float64)
            unit[place] = vector / np.linalg.norm(vector)
    kernel = float(RHO) * unit @ unit.T
    np.fill_diagonal(kernel, 1.0)
    return kernel


def log_det(kernel, places):
    return np.linalg.slogdet(kernel[np.ix_(places, places)])[1]


def z_scores(scores):
    scores = scores.astype(np.float64)
    if len(set(scores.tolist())) < 2:
        return np.zeros(len(scores))
    return (scores - scores.mean()) / scores.std()


def assert_greedy(order, listed, scores, vectors, n, strength):
    """Every pick gains as much as the best that determinants, taken whole, find at its turn."""
    kernel, z = kernel_of(listed, vectors), z_scores(scores)
    picked: list[int] = []
    for place in order.tolist():
        before = log_det(kernel, picked) if picked else 0.0
        gains = {
            i: (1 - strength) * z[i]
            + strength * float(TWIN) * (log_det(kernel, [*picked, i]) - before)
            for i in range(len(listed))
            if i not in picked
        }
        assert gains[place] >= max(gains.values()) - 1e-4
        picked.append(place)
    assert len(picked) == min(n, len(listed))


@st.composite
def asked(draw):
    """Lists with padding behind, of items with a vector, without one, and of twins."""
    lists, width, k = draw(st.integers(1, 3)), draw(st.integers(1, 9)), draw(st.integers(1, 5))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vectors = random.normal(size=(12, k)).astype(np.float32)
    vectors[draw(st.integers(0, 11))] = 0.0
    vectors[3] = 2.0 * vectors[4]
    listed = np.array([random.permutation(15)[:width] for _ in range(lists)], np.int32)
    scores = -np.sort(-random.normal(size=(lists, width)).astype(np.float32), axis=1)
    if draw(st.booleans()):
        scores = np.round(scores)
    for one in listed:
        one[draw(st.integers(0, width)) :] = -1
    return listed, scores, vectors, draw(st.integers(0, 11)), draw(st.sampled_from(STRENGTHS))


def test_the_twin_of_the_first_item_gives_way_once_it_costs_more_than_its_lead():
    listed, scores = rows([0, 1, 2]), floats([[3, 2, 1]])
    vectors = floats([[1, 0], [2, 0], [0, 5]])
    # z is (1.2247, 0, -1.2247): the twin loses s, the other one 1.2247 (1 - s); equal at .5505.
    assert diversify(listed, scores, vectors, 3, 0.55).tolist() == [[0, 1, 2]]
    assert diversify(listed, scores, vectors, 3, 0.551).tolist() == [[0, 2, 1]]


def test_a_second_twin_costs_more_than_the_first():
    # The third of three twins leaves 1 - 2/4 / (3/2) = 2/3 where the second left 3/4: 1.409 of
    # the first one's price. z is (1, 1, 1, -1, -1, -1): a lead of 2 (1 - s) is worth less than
    # s x 1.409 from .5866 on, less than s from .6667 on.
    listed, scores = rows([0, 1, 2, 3, 4, 5]), floats([[1, 1, 1, 0, 0, 0]])
    vectors = np.eye(6, dtype=np.float32)[[0, 0, 0, 1, 2, 3]]
    assert diversify(listed, scores, vectors, 3, 0.58).tolist() == [[0, 1, 2]]
    assert diversify(listed, scores, vectors, 3, 0.60).tolist() == [[0, 1, 3]]
    assert diversify(listed, scores, vectors, 3, 0.67).tolist() == [[0, 3, 4]]


def test_items_without_a_vector_are_unlike_all_others_and_unlike_each_other():
    listed, scores = rows([0, 1, 2, 9, 8]), floats([[5, 4, 3, 2, 1]])
    vectors = floats([[1, 1], [1, 1], [0, 0]])
    assert diversify(listed, scores, vectors, 4, 1.0).tolist() == [[0, 2, 3, 4]]


def test_equal_items_come_in_the_order_given():
    listed, scores = rows([4, 2, 3, 1]), floats([[7, 7, 7, 7]])
    same, unlike = np.ones((5, 2), np.float32), np.eye(5, dtype=np.float32)
    for strength in STRENGTHS:
        assert diversify(listed, scores, same, 4, strength).tolist() == [[0, 1, 2, 3]]
        assert diversify(listed, scores, unlike, 4, strength).tolist() == [[0, 1, 2, 3]]


def test_empty_lists_and_more_places_than_items_are_padded():
    vectors = np.eye(3, dtype=np.float32)
    for strength in (0.0, 0.5):
        found = diversify(
            rows([-1, -1], [2, -1]), np.zeros((2, 2), np.float32), vectors, 3, strength
        )
        assert found.tolist() == [[-1, -1, -1], [0, -1, -1]]
        none = np.zeros((0, 4), np.int32)
        assert diversify(none, none.astype(np.float32), vectors, 2, strength).shape == (0, 2)


def test_more_items_than_dimensions_are_all_listed():
    random = np.random.default_rng(3)
    listed, vectors = rows(np.arange(60)), random.normal(size=(60, 2)).astype(np.float32)
    scores = floats([np.arange(60)[::-1]])
    for strength in STRENGTHS:
        found = diversify(listed, scores, vectors, 60, strength)[0]
        assert sorted(found.tolist()) == list(range(60))
        assert_greedy(found, listed[0], scores[0], vectors, 60, strength)


@pytest.mark.parametrize("strength", [-0.01, 1.01, float("nan")])
def test_a_strength_outside_the_dial_is_refused(strength):
    with pytest.raises(ValueError, match="between 0 and 1"):
        diversify(rows([0]), floats([[1]]), floats([[1]]), 1, strength)


@settings(max_examples=150, deadline=None)
@given(asked())
def test_it_is_greedy_and_lists_distinct_places_that_are_not_padding(given_lists):
    listed, scores, vectors, n, strength = given_lists
    found = diversify(listed, scores, vectors, n, strength)
    assert found.shape == (len(listed), n)
    for order, its_rows, its_scores in zip(found, listed, scores, strict=True):
        m = int((its_rows >= 0).sum())
        assert (order[m:] == -1).all()
        assert len(set(order[:m].tolist())) == min(n, m)
        assert_greedy(order[:m], its_rows[:m], its_scores[:m], vectors, n, strength)


@settings(max_examples=50, deadline=None)
@given(asked())
def test_strength_0_keeps_the_order_given(given_lists):
    listed, scores, vectors, n, _ = given_lists
    found = diversify(listed, scores, vectors, n, 0.0)
    for order, its_rows in zip(found, listed, strict=True):
        m = min(n, int((its_rows >= 0).sum()))
        assert order.tolist() == [*range(m), *[-1] * (n - m)]


@settings(max_examples=50, deadline=None)
@given(asked(), st.sampled_from([0.25, 2.0, 1024.0]))
def test_neither_the_batch_nor_the_scale_of_scores_and_vectors_changes_a_list(given_lists, scale):
    listed, scores, vectors, n, strength = given_lists
    together = diversify(listed, scores, vectors, n, strength).tolist()
    alone = [
        diversify(listed[b : b + 1], scores[b : b + 1], vectors, n, strength).tolist()[0]
        for b in range(len(listed))
    ]
    assert alone == together
    scaled = diversify(listed, scores * np.float32(scale), vectors * np.float32(scale), n, strength)
    assert scaled.tolist() == together


def test_padding_between_items_is_passed_over():
    vectors = np.random.default_rng(5).normal(size=(9, 3)).astype(np.float32)
    dense = diversify(rows([3, 7, 1, 8]), floats([[4, 3, 2, 1]]), vectors, 4, 0.8)[0]
    sparse_scores = floats([[4, 99, 3, -99, 2, 1]])
    sparse = diversify(rows([3, -1, 7, -1, 1, 8]), sparse_scores, vectors, 4, 0.8)[0]
    assert np.array([0, 2, 4, 5])[dense].tolist() == sparse.tolist()


def test_at_full_strength_no_pair_with_the_first_item_spans_more():
    random = np.random.default_rng(7)
    for _ in range(50):
        vectors = random.normal(size=(8, 3)).astype(np.float32)
        kernel = kernel_of(range(8), vectors)
        found = diversify(rows(range(8)), floats([range(8, 0, -1)]), vectors, 2, 1.0)[0].tolist()
        assert found[0] == 0
        best = max(log_det(kernel, [0, other]) for other in range(1, 8))
        assert log_det(kernel, found) == pytest.approx(best, abs=1e-5)


def test_at_full_strength_lists_span_nearly_what_the_best_of_all_sets_do():
    random = np.random.default_rng(11)
    short, gained = [], []
    for _ in range(50):
        vectors = random.normal(size=(9, 4)).astype(np.float32)
        kernel = kernel_of(range(9), vectors)
        found = diversify(rows(range(9)), floats([range(9, 0, -1)]), vectors, 4, 1.0)[0].tolist()
        best = max(log_det(kernel, [0, *rest]) for rest in combinations(range(1, 9), 3))
        short.append(best - log_det(kernel, found))
        gained.append(log_det(kernel, found) - log_det(kernel, [0, 1, 2, 3]))
    assert max(short) < 0.1  # greedy is not optimal; what it gains over the first four is
    assert np.mean(gained) > 10 * np.mean(short)


def test_more_strength_gives_more_diversity_and_less_score():
    random = np.random.default_rng(13)
    vectors = random.normal(size=(300, 6)).astype(np.float32) + np.float32(0.7)
    listed = np.array([random.permutation(300)[:50] for _ in range(200)], np.int32)
    scores = -np.sort(-random.normal(size=(200, 50)).astype(np.float32), axis=1)
    spans, sums = [], []
    for strength in STRENGTHS:
        order = diversify(listed, scores, vectors, 8, strength)
        kept = np.take_along_axis(listed, order, 1)
        spans.append(np.mean([log_det(kernel_of(one, vectors), range(8)) for one in kept]))
        sums.append(np.take_along_axis(scores, order, 1).mean())
    assert (np.diff(spans) > 0).all()
    assert (np.diff(sums) < 0).all()
