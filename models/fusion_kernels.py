"""The arithmetic of fusion: standardise, a linear score, one Newton step, a small network.

Loops run over candidates or hidden units, which vectorises, and their sums keep their order. The
products of matrices (`np.dot`) are BLAS's, whose last bits differ from machine to machine: so
replicas are sent the weights rather than learning them. `z` is (K, C) float32: features by
candidates, of which the first n count.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.elementary import dot, exponential, signed_log, total
from millstream.models.histories import Rows, Scores
from millstream.models.jit import kernel

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

SD_MIN: Final = np.float32(1e-9)
CURVED_FROM: Final = np.float32(1e-3)
"""Candidates of less probability are left out of the curvature: they are many and say little."""
PIVOT_MIN: Final = 1e-9
ONE: Final = np.float32(1.0)
ADAM_MEAN: Final = np.float32(0.9)
ADAM_SQUARE: Final = np.float32(0.999)
ADAM_TINY: Final = np.float32(1e-6)


@kernel
def standardise(
    candidates: Rows, features: Scores, b: int, listed: Rows, place: Rows, z: Floats
) -> int:
    """Write user b's features as signed logs of z-scores over the candidates; return how many.

    `listed` gets the candidates' rows without padding, `place` where each stood. A feature that
    is the same for all is 0 for all.
    """
    n = 0
    for c in range(candidates.shape[1]):
        if candidates[b, c] >= 0:
            listed[n] = candidates[b, c]
            place[n] = c
            n += 1
    share = np.float32(1.0 / max(n, 1))
    squares = np.empty(n, np.float32)
    for k in range(len(z)):
        row = z[k][:n]
        for q in range(n):
            row[q] = features[k, b, place[q]]
        mean = total(row) * share
        for q in range(n):
            row[q] -= mean
            squares[q] = row[q] * row[q]
        inverse = ONE / (np.sqrt(total(squares) * share) + SD_MIN)
        for q in range(n):
            row[q] *= inverse
        signed_log(row)
    return n


@kernel
def linear(z: Floats, n: int, weights: Floats, out: Floats) -> None:
    """Write the weighted sum of the features of each candidate."""
    for q in range(n):
        out[q] = 0.0
    for k in range(len(z)):
        for q in range(n):
            out[q] += weights[k] * z[k, q]


@kernel
def probabilities(scores: Floats, n: int, out: Floats) -> None:
    """Write the softmax of the first n scores."""
    most = scores[0]
    for q in range(n):
        most = max(most, scores[q])
    for q in range(n):
        out[q] = scores[q] - most
    exponential(out[:n])
    inverse = ONE / total(out[:n])
    for q in range(n):
        out[q] *= inverse


@kernel
def newton(
    z: Floats,
    n: int,
    p: Floats,
    target: int,
    worth: float,
    own: Doubles,
    own_curvature: Doubles,
    shared: Doubles,
    shared_curvature: Doubles,
) -> None:
    """Move both weight vectors by one Newton step towards the target under the softmax `p`.

    w += A^-1 (z_y - E z), where the curvatures A gather the covariance of the features under p.
    A choice of less worth moves them less.
    """
    k = len(z)
    one = np.empty(k)
    mean = np.empty(k)
    for x in range(k):
        mean[x] = np.dot(z[x, :n], p[:n])
    likely = np.empty((k, n), np.float32)
    roots = np.empty(n, np.float32)
    mass = np.float32(0.0)
    m = 0
    for q in range(n):
        if p[q] > CURVED_FROM:
            mass += p[q]
            roots[m] = np.sqrt(p[q])
            for x in range(k):
                likely[x, m] = z[x, q] * roots[m]
            m += 1
    if m > 0:
        chosen = np.ascontiguousarray(likely[:, :m])
        square = np.dot(chosen, chosen.T)
        curved = np.dot(chosen, roots[:m])
        for x in range(k):
            for y in range(k):
                covariance = worth * (square[x, y] - curved[x] * curved[y] / mass)
                own_curvature[x, y] += covariance
                shared_curvature[x, y] += covariance
    for x in range(k):
        one[x] = worth * (z[x, target] - mean[x])
    add_solution(own_curvature, one, own)
    add_solution(shared_curvature, one, shared)


@kernel
def add_solution(a: Doubles, b: Doubles, out: Doubles) -> None:
    """Add the solution x of a x = b to `out`, `a` positive definite: Cholesky."""
    n = len(b)
    low = np.empty((n, n))
    x = np.empty(n)
    for i in range(n):
        for j in range(i + 1):
            rest = a[i, j]
            for k in range(j):
                rest -= low[i, k] * low[j, k]
            low[i, j] = np.sqrt(max(rest, PIVOT_MIN)) if i == j else rest / low[j, j]
    for i in range(n):
        rest = b[i]
        for k in range(i):
            rest -= low[i, k] * x[k]
        x[i] = rest / low[i, i]
    for i in range(n - 1, -1, -1):
        rest = x[i]
        for k in range(i + 1, n):
            rest -= low[k, i] * x[k]
        x[i] = rest / low[i, i]
    for i in range(n):
        out[i] += x[i]


@kernel
def forward(
    inputs: Floats, n: int, into: Floats, bias: Floats, out: Floats, hidden: Floats, scores: Floats
) -> None:
    """Add the network's word to the scores of n candidates; inputs (n, D), hidden (n, H) work.

    softsign(inputs `into` + bias) . out; softsign ranks as tanh does and costs a tenth.
    """
    np.dot(inputs[:n], into, hidden[:n])
    for q in range(n):
        unit = hidden[q]
        for x in range(len(bias)):
            unit[x] += bias[x]
            unit[x] = unit[x] / (ONE + abs(unit[x]))
        scores[q] += dot(out, unit)


@kernel
def backward(
    inputs: Floats,
    n: int,
    target: int,
    p: Floats,
    worth: float,
    out: Floats,
    hidden: Floats,
    into_gradient: Floats,
    bias_gradient: Floats,
    out_gradient: Floats,
) -> None:
    """Write the gradient of the target's log-probability, after `forward` and the softmax `p`.

    Overwrites `hidden`.
    """
    bias_gradient[:] = 0.0
    out_gradient[:] = 0.0
    for q in range(n):
        miss = np.float32(worth) * ((ONE if q == target else np.float32(0.0)) - p[q])
        unit = hidden[q]
        for x in range(len(out)):
            out_gradient[x] += miss * unit[x]
            rest = ONE - abs(unit[x])
            unit[x] = miss * out[x] * rest * rest
            bias_gradient[x] += unit[x]
    np.dot(inputs[:n].T, hidden[:n], into_gradient)


@kernel
def adam(
    weights: Floats, gradient: Floats, moments: Floats, step: int, rate: float, decay: float
) -> None:
    """Climb the gradient by one step of Adam (Kingma & Ba 2015), moments (2, len(weights))."""
    first = np.float32(1.0 / (1.0 - 0.9 ** min(step, 200)))
    second = np.float32(1.0 / (1.0 - 0.999 ** min(step, 20_000)))
    for k in range(len(weights)):
        g = gradient[k] - np.float32(decay) * weights[k]
        moments[0, k] = ADAM_MEAN * moments[0, k] + (ONE - ADAM_MEAN) * g
        moments[1, k] = ADAM_SQUARE * moments[1, k] + (ONE - ADAM_SQUARE) * g * g
        step_size = np.float32(rate) * (moments[0, k] * first)
        weights[k] += step_size / (np.sqrt(moments[1, k] * second) + ADAM_TINY)
