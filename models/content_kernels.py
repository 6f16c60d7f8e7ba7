"""How codes are read: what a history looks like, and how near items are to that."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.elementary import total
from millstream.models.histories import Rows, Scores
from millstream.models.jit import kernel, loose_kernel
from millstream.models.select import best
from millstream.models.space import Codes, Floats

Longs = npt.NDArray[np.int64]
TINY: Final = np.float32(1e-9)
NONE: Final = np.float32(-2.0)
"""Stands for the cosine of what is not there."""
NO_DOTS: Final = np.zeros((1, 0, 0), np.float32)
"""Where dot products are not those of everybody's pool."""
PEOPLE: Final = 64
"""So many are looked up at once: their dot products with a pool take 3 MB."""
ALIKE: Final = np.float32(1e-5)
"""Scores that deviate less are all the same but for rounding: nobody stands out among them."""


@kernel
def tastes(
    codes: Codes,
    scales: Floats,
    ptr: Longs,
    rows: Rows,
    weights: Floats,
    decay: Floats,
    taste: Codes,
    taste_scales: Floats,
    lengths: Floats,
) -> None:
    """Write each person's taste, one direction a modality, as codes (B, M, D) and scales (B, M).

    The mean of what the history's newest items look like, weighed by w_k decay_k; `lengths` says
    how long it was before it was made 1: 1 where all items look alike, near 0 where none do.
    """
    modalities, width = codes.shape[1], codes.shape[2]
    sums = np.empty(width, np.float32)
    for b in range(len(taste)):
        depth = min(len(decay), ptr[b + 1] - ptr[b])
        for m in range(modalities):
            sums[:] = 0.0
            mass = np.float32(0.0)
            for k in range(depth):
                row = rows[ptr[b] + k]
                if 0 <= row < len(scales) and scales[row, m] > 0.0:
                    factor = decay[k] * weights[ptr[b] + k]
                    mass += factor
                    factor *= scales[row, m]
                    code = codes[row, m]
                    for x in range(width):
                        sums[x] += factor * np.float32(code[x])
            square, most = np.float32(0.0), np.float32(0.0)
            for x in range(width):
                square += sums[x] * sums[x]
                most = max(most, abs(sums[x]))
            lengths[b, m] = 0.0
            taste_scales[b, m] = 0.0
            if most > TINY and mass > TINY:
                length = np.float32(np.sqrt(square))
                lengths[b, m] = length / mass
                taste_scales[b, m] = most / (np.float32(127.0) * length)
                for x in range(width):
                    taste[b, m, x] = np.int8(np.rint(sums[x] * (np.float32(127.0) / most)))


@loose_kernel
def dot_codes(codes: Codes, with_: Floats) -> np.float32:
    """Return the dot product of codes and whole numbers, exact: it stays below 2^24."""
    dot = np.float32(0.0)
    for x in range(len(codes)):
        dot += np.float32(codes[x]) * with_[x]
    return dot


@kernel
def cosines(
    codes: Codes,
    scales: Floats,
    taste: Codes,
    taste_scales: Floats,
    rows: Rows,
    out: Floats,
) -> None:
    """Write the cosine of each row to one person's taste, (M, N); NONE where either lacks it."""
    width = codes.shape[2]
    mine = np.empty(width, np.float32)
    for m in range(codes.shape[1]):
        for x in range(width):
            mine[x] = np.float32(taste[m, x])
        for q in range(len(rows)):
            row = rows[q]
            out[m, q] = NONE
            if 0 <= row < len(scales) and scales[row, m] > 0.0 and taste_scales[m] > 0.0:
                out[m, q] = dot_codes(codes[row, m], mine) * scales[row, m] * taste_scales[m]


@kernel
def scaled(dots: Floats, scales: Floats, taste_scales: Floats, rows: Rows, out: Floats) -> None:
    """Write the cosine of each row to one person's taste as `cosines` does, from `dots` (M, N)."""
    for m in range(len(dots)):
        mine = taste_scales[m]
        for q in range(len(rows)):
            scale = scales[rows[q], m]
            out[m, q] = dots[m, q] * scale * mine if scale > 0.0 and mine > 0.0 else NONE


def as_columns(codes: Codes) -> Floats:
    """Return the codes of a pool (N, M, D) as floats, (M, D, N), for `dots_of`."""
    return codes.astype(np.float32).transpose(1, 2, 0)


def dots_of(columns: Floats, tastes: Codes) -> Floats:
    """Return the dot products of tastes' codes (B, M, D) and a pool's, (M, B, N), by BLAS.

    Whole numbers below 2^24 add up exactly in whatever order, so who shares the batch does not
    show; for a batch it takes a fifth of the time of a loop.
    """
    mine = tastes.astype(np.float32).transpose(1, 0, 2)
    return np.asarray(np.matmul(mine, columns), np.float32)


def in_parts(people: int) -> Iterator[slice]:
    """Yield slices of so many people, PEOPLE at a time."""
    for start in range(0, people, PEOPLE):
        yield slice(start, start + PEOPLE)


@kernel
def joined(cosine: Floats, worth: Floats, out: Floats) -> None:
    """Write the dot product of joint vectors, (N,): modalities weighed by `worth` (M,).

    What an item lacks takes no part: the others count for it. NONE where it has nothing.
    """
    sums, mass = np.zeros(len(out), np.float32), np.zeros(len(out), np.float32)
    for m in range(len(worth)):
        row = cosine[m]
        for q in range(len(out)):
            here = worth[m] if row[q] != NONE else np.float32(0.0)
            sums[q] += here * row[q]
            mass[q] += here
    for q in range(len(out)):
        out[q] = sums[q] / mass[q] if mass[q] > 0.0 else NONE


@kernel
def mean_of_there(cosine: Floats, there: Floats) -> np.float32:
    """Return the mean of a line of cosines that are there; `there` becomes those, 0 elsewhere."""
    n = 0
    for q in range(len(cosine)):
        here = cosine[q] != NONE
        there[q] = cosine[q] if here else np.float32(0.0)
        n += here
    return total(there) / np.float32(max(n, 1))


@kernel
def fill(cosine: Floats, rows: Rows) -> None:
    """Put the mean of those that have it in the place of each cosine that is not there, (M, N)."""
    there = np.empty(len(rows), np.float32)
    for m in range(len(cosine)):
        row = cosine[m]
        mean = mean_of_there(row, there)
        for q in range(len(rows)):
            if row[q] == NONE:
                row[q] = mean
            if rows[q] < 0:
                row[q] = 0.0


@kernel
def near(
    codes: Codes,
    scales: Floats,
    taste: Codes,
    taste_scales: Floats,
    worth: Floats,
    pools: Rows,
    dots: Floats,
    top: Rows,
) -> None:
    """Write the rows that are nearest to each person's taste, (B, k), best first.

    Of everybody's pool (1, N), given its `dots_of`, or of each person's own (B, N), padded with
    -1, with NO_DOTS.
    """
    cosine = np.empty((len(worth), pools.shape[1]), np.float32)
    joint = np.empty(pools.shape[1], np.float32)
    kept = np.empty(top.shape[1], np.float32)
    shared = dots.shape[1] > 0
    for b in range(len(top)):
        if taste_scales[b].max() <= 0.0:
            continue
        pool = pools[0] if shared else pools[b]
        if shared:
            scaled(dots[:, b], scales, taste_scales[b], pool, cosine)
        else:
            cosines(codes, scales, taste[b], taste_scales[b], pool, cosine)
        joined(cosine, worth, joint)
        n = len(pool)
        while n and pool[n - 1] < 0:
            n -= 1
        best(joint, pool, n, kept, top[b])


@kernel
def one_over(deviation: np.float32) -> np.float32:
    """Return what makes a z-score of a difference from the mean; 0 where all are alike."""
    return np.float32(1.0) / deviation if deviation > ALIKE else np.float32(0.0)


@kernel
def apart(scores: Floats, rows: Rows, counts: Rows, young: int, out: Floats) -> None:
    """Write z-scores over what is there, for items that at most `young` have met; 0 elsewhere."""
    there = np.empty(len(rows), np.float32)
    n = 0
    for q in range(len(rows)):
        there[q] = scores[q] if rows[q] >= 0 else np.float32(0.0)
        n += rows[q] >= 0
    many = np.float32(max(n, 1))
    mean = total(there) / many
    for q in range(len(rows)):
        from_mean = scores[q] - mean if rows[q] >= 0 else np.float32(0.0)
        there[q] = from_mean * from_mean
    inverse = one_over(np.float32(np.sqrt(total(there) / many)))
    for q in range(len(rows)):
        fresh = 0 <= rows[q] < len(counts) and counts[rows[q]] <= young
        out[q] = (scores[q] - mean) * inverse if fresh else np.float32(0.0)


@kernel
def score(
    codes: Codes,
    scales: Floats,
    taste: Codes,
    taste_scales: Floats,
    attention: Floats,
    spread: Codes,
    spread_scales: Floats,
    worth: Floats,
    counts: Rows,
    young: int,
    apiece: bool,
    together: bool,
    candidates: Rows,
    out: Scores,
) -> None:
    """Write the features of the candidates (B, C) into `out` (F, B, C).

    Each modality's cosine if `apiece`, the joint one if `together`, then spread, fresh and
    fresh_spread.
    """
    many, width = len(worth), candidates.shape[1]
    cosine = np.empty((many, width), np.float32)
    joint = np.empty((1, width), np.float32)
    last = len(out) - 1
    for b in range(len(candidates)):
        rows = candidates[b]
        cosines(codes, scales, spread[b], spread_scales[b], rows, cosine)
        joined(cosine, worth, joint[0])
        fill(joint, rows)
        out[last - 2, b] = joint[0]
        apart(joint[0], rows, counts, young, out[last, b])
        cosines(codes, scales, taste[b], taste_scales[b], rows, cosine)
        joined(cosine, attention[b], joint[0])
        fill(joint, rows)
        apart(joint[0], rows, counts, young, out[last - 1, b])
        if together:
            out[last - 3, b] = joint[0]
        if apiece:
            fill(cosine, rows)
            for m in range(many):
                out[m, b] = cosine[m]
