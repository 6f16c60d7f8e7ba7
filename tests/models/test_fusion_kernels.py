"""The arithmetic of fusion against numpy in double: each step, and the gradient of the network."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.fusion_kernels import (
    CURVED_FROM,
    adam,
    add_solution,
    backward,
    forward,
    linear,
    newton,
    probabilities,
    standardise,
)


def softmax(scores):
    e = np.exp(scores - scores.max())
    return e / e.sum()


def test_features_are_signed_logs_of_z_scores_over_the_candidates():
    candidates = np.array([[5, -1, 6, 4]], np.int32)
    features = np.array([[[0.0, 77.0, 3.0, 3.0]], [[1.0, -9.0, 1.0, 1.0]]], np.float32)
    listed, place = np.zeros(4, np.int32), np.zeros(4, np.int32)
    z = np.full((2, 4), 9.0, np.float32)
    n = standardise(candidates, features, 0, listed, place, z)
    assert (n, listed[:3].tolist(), place[:3].tolist()) == (3, [5, 6, 4], [0, 2, 3])
    expected = np.array([-np.log1p(2 / np.sqrt(2)), *[np.log1p(1 / np.sqrt(2))] * 2])
    assert z[0, :3] == pytest.approx(expected, abs=3e-5)
    assert not z[1, :3].any(), "what is the same for all says nothing"


def test_standardising_knows_neither_scale_nor_shift():
    random = np.random.default_rng(0)
    features = random.normal(size=(3, 1, 50)).astype(np.float32)
    candidates = np.arange(50, dtype=np.int32)[None, :]
    listed, place = np.zeros(50, np.int32), np.zeros(50, np.int32)
    one, other = np.zeros((3, 50), np.float32), np.zeros((3, 50), np.float32)
    standardise(candidates, features, 0, listed, place, one)
    standardise(candidates, features * np.float32(40) + np.float32(7), 0, listed, place, other)
    assert other == pytest.approx(one, abs=1e-4)


def test_no_candidates_are_no_fault():
    listed, place = np.zeros(2, np.int32), np.zeros(2, np.int32)
    z = np.zeros((1, 2), np.float32)
    none = np.full((1, 2), -1, np.int32)
    assert standardise(none, np.ones((1, 1, 2), np.float32), 0, listed, place, z) == 0


def test_a_linear_score_and_its_probabilities():
    random = np.random.default_rng(1)
    z, w = random.normal(size=(4, 9)).astype(np.float32), random.normal(size=4).astype(np.float32)
    scores, p = np.full(9, 5.0, np.float32), np.full(9, 5.0, np.float32)
    linear(z, 7, w, scores)
    assert scores[:7] == pytest.approx((w @ z)[:7], abs=1e-5)
    probabilities(scores, 7, p)
    assert p[:7] == pytest.approx(softmax(scores[:7].astype(float)), rel=1e-5)
    assert p[7:].tolist() == scores[7:].tolist() == [5.0, 5.0], "what is beyond n is left alone"


def test_probabilities_bear_any_scores():
    scores, p = np.array([1e30, -1e30, 1e30], np.float32), np.zeros(3, np.float32)
    probabilities(scores, 3, p)
    assert p == pytest.approx([0.5, 0.0, 0.5])


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 14), st.integers(0, 2**32 - 1))
def test_a_positive_definite_system_is_solved(k, seed):
    random = np.random.default_rng(seed)
    root = random.normal(size=(k, k))
    a, b, start = root @ root.T + np.eye(k), random.normal(size=k), random.normal(size=k)
    out = start.copy()
    add_solution(a, b, out)
    assert out == pytest.approx(start + np.linalg.solve(a, b), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("worth", [1.0, 0.3, 0.0])
def test_a_newton_step_is_numpys(worth):
    random = np.random.default_rng(3)
    k, n = 5, 30
    z = random.normal(size=(k, n)).astype(np.float32)
    weights = random.normal(size=k).astype(np.float32)
    p = softmax((weights @ z).astype(float)).astype(np.float32)
    own, shared = random.normal(size=(2, k))
    own_curvature, shared_curvature = np.eye(k) * 3.0, np.eye(k) * 50.0
    expected = []
    curved = p > CURVED_FROM
    assert 2 < curved.sum() < n, "some candidates are left out"
    share = p.astype(float) * curved
    mean = (z * share).sum(1)
    covariance = (z * share) @ z.T - np.outer(mean, mean) / share.sum()
    gradient = worth * (z[:, 7] - z.astype(float) @ p)
    for weight, curvature in ((own, own_curvature), (shared, shared_curvature)):
        after = curvature + worth * covariance
        expected.append((weight + np.linalg.solve(after, gradient), after))
    newton(z, n, p, 7, worth, own, own_curvature, shared, shared_curvature)
    found = ((own, own_curvature), (shared, shared_curvature))
    for (weight, curvature), (true_weight, true_curvature) in zip(found, expected, strict=True):
        assert curvature == pytest.approx(true_curvature, rel=1e-5, abs=1e-6)
        assert weight == pytest.approx(true_weight, rel=1e-5, abs=1e-6)


def network(random, d=8, h=16):
    into = random.normal(0, 0.5, (d, h)).astype(np.float32)
    bias, out = random.normal(0, 0.5, (2, h)).astype(np.float32)
    return into, bias, out


def said(inputs, into, bias, out):
    """What the network adds, in double."""
    hidden = inputs.astype(float) @ into + bias
    return (hidden / (1 + np.abs(hidden))) @ out


def test_the_network_adds_its_word():
    random = np.random.default_rng(4)
    into, bias, out = network(random)
    inputs = random.normal(size=(6, 8)).astype(np.float32)
    scores = random.normal(size=6).astype(np.float32)
    expected = scores + said(inputs, into, bias, out)
    expected[5] = scores[5]
    forward(inputs, 5, into, bias, out, np.zeros((6, 16), np.float32), scores)
    assert scores == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_the_gradient_is_that_of_finite_differences(n):
    random = np.random.default_rng(5)
    into, bias, out = network(random)
    inputs = random.normal(size=(8, 8)).astype(np.float32)
    base = random.normal(size=8).astype(np.float32)
    target, worth = n // 2, 0.7

    def log_probability(into, bias, out):
        scores = base[:n] + said(inputs[:n], into, bias, out)
        return worth * np.log(softmax(scores)[target])

    parts = [into.astype(float), bias.astype(float), out.astype(float)]
    expected = []
    for part in parts:
        gradient = np.zeros(part.shape)
        for at in np.ndindex(part.shape):
            ends = []
            for step in (1e-5, -1e-5):
                part[at] += step
                ends.append(log_probability(*parts))
                part[at] -= step
            gradient[at] = (ends[0] - ends[1]) / 2e-5
        expected.append(gradient)

    hidden, scores, p = np.zeros((8, 16), np.float32), base.copy(), np.zeros(8, np.float32)
    forward(inputs, n, into, bias, out, hidden, scores)
    probabilities(scores, n, p)
    found = [np.full(part.shape, 9.0, np.float32) for part in parts]
    backward(inputs, n, target, p, worth, out, hidden, *found)
    for one, true in zip(found, expected, strict=True):
        assert one == pytest.approx(true, rel=1e-3, abs=2e-6)


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_is_that_of_the_paper(decay):
    random = np.random.default_rng(6)
    weights = random.normal(size=12).astype(np.float32)
    moments = np.zeros((2, 12), np.float32)
    w, m, v = weights.astype(float), np.zeros(12), np.zeros(12)
    for step in range(1, 40):
        gradient = random.normal(size=12).astype(np.float32)
        adam(weights, gradient, moments, step, 0.01, decay)
        g = gradient - decay * w
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w = w + 0.01 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-6)
        assert weights == pytest.approx(w, abs=1e-4)


def test_a_first_step_of_adam_is_the_rate_whatever_the_gradients_size():
    weights, moments = np.zeros(3, np.float32), np.zeros((2, 3), np.float32)
    adam(weights, np.array([1e-3, -5.0, 0.0], np.float32), moments, 1, 0.01, 0.0)
    assert weights == pytest.approx([0.01, -0.01, 0.0], rel=2e-3)
