"""A list whose items differ: greedy MAP inference for a determinantal point process.

    next = argmax_i  (1 - s) z_i + s log(d_i) / log(1 / (1 - rho^2))

z is the score's z-score within the list and s the strength. d is what the items already picked
leave unexplained of item i: det K grows by that factor when i joins, where K has ones on its
diagonal and rho x cosine beside it. So the second term is 0 for an item unlike all picked ones,
-1 for the twin of the first: at strength s a twin gives up s / (1 - s) standard deviations.

Chen, Zhang & Zhou 2018 (d by an incremental Cholesky root). docs/decisions/0006-diversity.md
says why rho is 1/2 and what a strength costs.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.histories import Rows, Scores
from millstream.models.jit import kernel

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

RHO: Final = np.float32(0.5)
"""Shrinks cosines, so that d stays within [1 - RHO, 1] for any number of items."""
TWIN: Final = np.float32(-1.0 / math.log(1.0 - float(RHO) ** 2))

ZERO: Final = np.float32(0.0)
ONE: Final = np.float32(1.0)
TWO: Final = np.float32(2.0)
LENGTH2_MIN: Final = np.float32(1e-30)
"""A vector shorter than its root is none: its squares would lose their digits."""
ODD: Final = tuple(np.float32(1.0 / n) for n in (3, 5, 7, 9))


def diversify(rows: Rows, scores: Scores, vectors: Floats, n: int, strength: float) -> Places:
    """Return which n places of each list to show, in order; (B, n), padded with -1.

    Lists are item rows (B, m), best first, with finite scores; padding (-1) is never shown. A
    row of zeros in the finite `vectors` (N, k), or no row, is an item unlike all others.
    Strength 0 keeps the first n, 1 looks at nothing but vectors after the first item. Scores
    count by their z-scores within the list, so their scale does not matter; ties go to the
    earlier place.
    Raises ValueError for a strength outside [0, 1].
    """
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength {strength}: it must lie between 0 and 1")
    order = np.empty((len(rows), n), np.int64)
    order.fill(-1)
    _diversify(rows, scores, vectors, np.float32(strength), order)
    return order


@kernel
def _diversify(
    rows: Rows, scores: Scores, vectors: Floats, strength: np.float32, order: Places
) -> None:
    lists, width = rows.shape
    n = order.shape[1]
    place = np.empty(width, np.int64)
    worth = np.empty(width, np.float32)
    across = np.empty((vectors.shape[1], width), np.float32)
    inverse = np.empty(width, np.float32)
    left = np.empty(width, np.float32)
    gain = np.empty(width, np.float32)
    root = np.empty((n, width), np.float32)
    for b in range(lists):
        m = 0
        for c in range(width):
            if rows[b, c] >= 0:
                place[m] = c
                m += 1
        if strength == ZERO:
            for e in range(min(n, m)):
                order[b, e] = place[e]
            continue
        for q in range(m):
            worth[q] = scores[b, place[q]]
        _weigh(worth[:m], ONE - strength)
        _gather(vectors, rows[b], place[:m], across, inverse)
        for q in range(m):
            left[q] = ONE
        for e in range(min(n, m)):
            _gains(worth[:m], left[:m], strength * TWIN, gain)
            at = 0
            for q in range(1, m):
                if gain[q] > gain[at]:
                    at = q
            order[b, e] = place[at]
            worth[at] = -np.inf
            if e + 1 < min(n, m):
                _explain(across, inverse[:m], root, e, at, left)


@kernel
def _weigh(worth: Floats, share: np.float32) -> None:
    """Replace scores by `share` times their z-scores; all equal gives 0."""
    mean = 0.0
    for q in range(len(worth)):
        mean += worth[q]
    mean /= len(worth)
    variance = 0.0
    for q in range(len(worth)):
        variance += (worth[q] - mean) ** 2
    sd = np.sqrt(variance / len(worth))
    factor = share / sd if sd > 0.0 else 0.0
    for q in range(len(worth)):
        worth[q] = (worth[q] - mean) * factor


@kernel
def _gather(vectors: Floats, row: Rows, place: Places, across: Floats, inverse: Floats) -> None:
    """Write the list's vectors, one a column, and 1 / length of each, 0 where there is none."""
    for q in range(len(place)):
        item = row[place[q]]
        if item < len(vectors):
            for x in range(len(across)):
                across[x, q] = vectors[item, x]
        else:
            for x in range(len(across)):
                across[x, q] = ZERO
        inverse[q] = ZERO
    for x in range(len(across)):
        ax = across[x]
        for q in range(len(place)):
            inverse[q] += ax[q] * ax[q]
    for q in range(len(place)):
        inverse[q] = ONE / np.sqrt(inverse[q]) if inverse[q] > LENGTH2_MIN else ZERO


@kernel
def _gains(worth: Floats, left: Floats, factor: np.float32, gain: Floats) -> None:
    """Write worth + factor x log(left); the series is within 2e-6 on [1/2, 1].

    log d = 2 artanh t, t = (d - 1) / (d + 1): it vectorises, and gives every machine the same
    bits, which the C library's log does not.
    """
    for q in range(len(worth)):
        t = (left[q] - ONE) / (left[q] + ONE)
        u = t * t
        series = ONE + u * (ODD[0] + u * (ODD[1] + u * (ODD[2] + u * ODD[3])))
        gain[q] = worth[q] + factor * (TWO * t * series)


@kernel
def _explain(across: Floats, inverse: Floats, root: Floats, e: int, at: int, left: Floats) -> None:
    """Take from `left` what the item `at`, picked as number e, explains: the root's row e."""
    new = root[e]
    for q in range(len(inverse)):
        new[q] = ZERO
    for x in range(len(across)):
        ax = across[x]
        factor = ax[at]
        for q in range(len(inverse)):
            new[q] += factor * ax[q]
    shrunk = RHO * inverse[at]
    for q in range(len(inverse)):
        new[q] *= shrunk * inverse[q]
    for f in range(e):
        old = root[f]
        factor = old[at]
        for q in range(len(inverse)):
            new[q] -= factor * old[q]
    factor = ONE / np.sqrt(left[at])
    for q in range(len(inverse)):
        new[q] *= factor
        left[q] -= new[q] * new[q]
