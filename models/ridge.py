"""Exact ridge solutions for implicit feedback: the maths of `mf`, in strict order.

    (w0 S + sum_n max(w_n - w0, 0) v_n v_n' + ridge I) x = sum_n w_n v_n

What was met counts w_n for 1, everything else w0 for 0; S is the Gram matrix of all vectors
(Hu et al. 2008; He et al. 2016, eALS). The number of factors is a multiple of 4: loops take
four vectors at a time over whole rows, which compiles to wide arithmetic without fastmath
(128 vectors of 32: 30 us against 160). Work arrays come from the caller.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.histories import Rows
from millstream.models.jit import kernel

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

PIVOT_MIN: Final = np.float32(1e-6)
ONE: Final = np.float32(1.0)
INITIAL_SD: Final = 0.1


@kernel
def fold_in(
    vectors: Floats,
    rows: Rows,
    weights: Floats,
    gram: Doubles,
    unobserved: float,
    ridge: float,
    a: Floats,
    out: Floats,
) -> None:
    """Write to `out` (K,) the ridge solution for `rows` met with `weights`; `a` is (K, K) work."""
    k = len(out)
    for x in range(k):
        out[x] = 0.0
        for y in range(k):
            a[x, y] = unobserved * gram[x, y]
        a[x, x] += np.float32(ridge)
    extra = np.zeros(len(rows) + 4, np.float32)
    strong = np.zeros(len(rows) + 4, np.int32)
    n_strong = 0
    for n in range(len(rows)):
        v = vectors[rows[n]]
        weight = weights[n]
        for x in range(k):
            out[x] += weight * v[x]
        if weight > unobserved:
            strong[n_strong] = rows[n]
            extra[n_strong] = weight - unobserved
            n_strong += 1
    for n in range(0, n_strong, 4):  # the last group is filled up with weight 0
        v0, v1, v2, v3 = (
            vectors[strong[n]],
            vectors[strong[n + 1]],
            vectors[strong[n + 2]],
            vectors[strong[n + 3]],
        )
        for x in range(k):
            f0 = extra[n] * v0[x]
            f1 = extra[n + 1] * v1[x]
            f2 = extra[n + 2] * v2[x]
            f3 = extra[n + 3] * v3[x]
            ax = a[x]
            for y in range(k):
                ax[y] += (f0 * v0[y] + f1 * v1[y]) + (f2 * v2[y] + f3 * v3[y])
    _solve(a, out)


@kernel
def _solve(a: Floats, b: Floats) -> None:
    """Replace b by the solution of a x = b; a's upper half is overwritten by its Cholesky root."""
    k = len(b)
    for start in range(0, k, 4):
        for p in range(start, start + 4):
            ap = a[p]
            for j in range(start, p):
                aj = a[j]
                factor = aj[p]
                for y in range(k):
                    ap[y] -= factor * aj[y]
            inverse = ONE / np.sqrt(max(ap[p], PIVOT_MIN))
            for y in range(k):
                ap[y] *= inverse
            b[p] *= inverse
            known = b[p]
            for y in range(p + 1, k):
                b[y] -= ap[y] * known
        a0, a1, a2, a3 = a[start], a[start + 1], a[start + 2], a[start + 3]
        for x in range(start + 4, k):
            f0, f1, f2, f3 = a0[x], a1[x], a2[x], a3[x]
            ax = a[x]
            for y in range(k):
                ax[y] -= (f0 * a0[y] + f1 * a1[y]) + (f2 * a2[y] + f3 * a3[y])
    for p in range(k - 1, -1, -1):
        ap = a[p]
        rest = b[p]
        for y in range(p + 1, k):
            rest -= ap[y] * b[y]
        b[p] = rest / ap[p]


@kernel
def exchange(gram: Doubles, old: Floats, new: Floats) -> None:
    """Put `new` in the place of `old` in a Gram matrix, and in `old` itself."""
    k = len(old)
    for x in range(k):
        new_x = np.float64(new[x])
        old_x = np.float64(old[x])
        gx = gram[x]
        for y in range(k):
            gx[y] += new_x * np.float64(new[y]) - old_x * np.float64(old[y])
    for x in range(k):
        old[x] = new[x]


@kernel
def begin(seed: int, key: int, out: Floats) -> None:
    """Write a vector that is a hash of (seed, key): uniform, mean 0, sd 0.1."""
    state = np.uint64(seed) * np.uint64(0xD1342543DE82EF95) ^ np.uint64(key)
    for x in range(len(out)):  # splitmix64
        state += np.uint64(0x9E3779B97F4A7C15)
        z = state
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
        share = np.float64(z >> np.uint64(11)) / 9007199254740992.0
        out[x] = (2.0 * share - 1.0) * (INITIAL_SD * np.sqrt(3.0))
