"""Which newcomers fit a taste: cosines, standardised over newcomers, with learned weights."""

import numpy as np
import numpy.typing as npt

from millstream.models.content_kernels import (
    NONE,
    cosines,
    joined,
    mean_of_there,
    one_over,
    scaled,
)
from millstream.models.elementary import total
from millstream.models.histories import Rows
from millstream.models.jit import kernel
from millstream.models.select import best
from millstream.models.space import Codes, Floats

Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@kernel
def standards(cosine: Floats, means: Floats, inverses: Floats) -> None:
    """Write the mean of each line of cosines (M, N) that are there, and one over the deviation.

    What is not there counts as the mean, which leaves the mean and makes the deviation smaller.
    """
    there = np.empty(cosine.shape[1], np.float32)
    for m in range(len(cosine)):
        row = cosine[m]
        mean = mean_of_there(row, there)
        for q in range(len(row)):
            from_mean = row[q] - mean if row[q] != NONE else np.float32(0.0)
            there[q] = from_mean * from_mean
        means[m] = mean
        inverses[m] = one_over(np.float32(np.sqrt(total(there) / np.float32(max(len(row), 1)))))


@kernel
def standardise(cosine: Floats, means: Floats, inverses: Floats) -> None:
    """Make z-scores of cosines (M, N); 0 of those that are not there."""
    for m in range(len(cosine)):
        row, mean, inverse = cosine[m], means[m], inverses[m]
        for q in range(len(row)):
            here = np.float32(1.0) if row[q] != NONE else np.float32(0.0)
            row[q] = here * ((row[q] - mean) * inverse)


@kernel
def standings(
    codes: Codes,
    scales: Floats,
    taste: Codes,
    taste_scales: Floats,
    worth: Floats,
    rows: Rows,
    z: Floats,
) -> None:
    """Write z-scores over the rows of each cosine to one taste, and of the joint, (M + 1, N)."""
    many = len(worth)
    means, inverses = np.empty(many + 1, np.float32), np.empty(many + 1, np.float32)
    cosines(codes, scales, taste, taste_scales, rows, z[:many])
    joined(z[:many], worth, z[many])
    standards(z, means, inverses)
    standardise(z, means, inverses)


@kernel
def fits(
    codes: Codes,
    scales: Floats,
    taste: Codes,
    taste_scales: Floats,
    worth: Floats,
    weights: Floats,
    sunk: Floats,
    sample: Rows,
    dots: Floats,
    pools: Rows,
    excluded_ptr: Longs,
    excluded: Rows,
    met: Flags,
    top: Rows,
    values: Floats,
) -> None:
    """Write each person's best newcomers by w . z + sunk, (B, k), best first.

    Out of each person's pool (B, N), padded with -1, or of the sample itself where there are no
    pools; z is over the sample, whose `dots_of` are given. `sunk` and `met`, all False and left so,
    are by row.
    """
    many, alike = len(worth), len(pools) == 0
    means, inverses = np.empty(many + 1, np.float32), np.empty(many + 1, np.float32)
    over = np.empty((many + 1, len(sample)), np.float32)
    z = over if alike else np.empty((many + 1, pools.shape[1]), np.float32)
    sums, rows = np.empty(z.shape[1], np.float32), np.empty(z.shape[1], np.int32)
    for b in range(len(top)):
        if taste_scales[b].max() <= 0.0:
            continue
        scaled(dots[:, b], scales, taste_scales[b], sample, over[:many])
        joined(over[:many], worth, over[many])
        standards(over, means, inverses)
        pool = sample if alike else pools[b]
        if not alike:
            cosines(codes, scales, taste[b], taste_scales[b], pool, z[:many])
            joined(z[:many], worth, z[many])
        standardise(z, means, inverses)
        sums[:] = 0.0
        for m in range(many + 1):
            for q in range(len(pool)):
                sums[q] += weights[m] * z[m, q]
        for e in range(excluded_ptr[b], excluded_ptr[b + 1]):
            if 0 <= excluded[e] < len(met):
                met[excluded[e]] = True
        n = 0
        for q in range(len(pool)):
            row = pool[q]
            if row >= 0 and not met[row]:
                sums[n], rows[n] = sums[q] + sunk[row], row
                n += 1
        for e in range(excluded_ptr[b], excluded_ptr[b + 1]):
            if 0 <= excluded[e] < len(met):
                met[excluded[e]] = False
        best(sums, rows, n, values[b], top[b])
