"""Elementary functions in float32 that give the same bits on every machine, and vectorise.

The C library's differ between versions, and a replica must hold what the learner holds.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.jit import kernel

Floats = npt.NDArray[np.float32]

LOG_2: Final = np.float32(0.69314718)
LOG: Final = tuple(
    np.float32(c) for c in (0.99949556, -0.49190896, 0.28947478, -0.13606275, 0.03215845)
)
"""log(1 + y) on [0, 1): Abramowitz & Stegun 4.1.43."""
LOG2_E: Final = np.float32(1.44269504)
EXP2: Final = tuple(
    np.float32(c) for c in (0.69314718, 0.24022651, 0.05550411, 0.00961813, 0.00133336, 0.00015403)
)
"""2^f - 1 on [-1/2, 1/2]: the Taylor series of exp(f log 2)."""
ROUND: Final = np.float32(12582912.0)
"""1.5 * 2^23: adding and taking it away again rounds a float32 to a whole number."""
EXP_MIN: Final = np.float32(-87.0)
EXP_MAX: Final = np.float32(88.0)
ONE: Final = np.float32(1.0)


@kernel
def signed_log(x: Floats) -> None:
    """Replace x by sign(x) log(1 + |x|), within 3e-5."""
    t = np.empty(len(x), np.float32)
    for q in range(len(x)):
        t[q] = ONE + abs(x[q])
    bits = t.view(np.int32)
    for q in range(len(x)):
        exponent = np.float32((bits[q] >> np.int32(23)) - np.int32(127))
        bits[q] = (bits[q] & np.int32(0x7FFFFF)) | np.int32(0x3F800000)
        y = t[q] - ONE
        log = (
            y * (LOG[0] + y * (LOG[1] + y * (LOG[2] + y * (LOG[3] + y * LOG[4]))))
            + exponent * LOG_2
        )
        x[q] = log if x[q] > 0.0 else -log


@kernel
def exponential(x: Floats) -> None:
    """Replace x by exp(x), within 3e-7 + 8e-8 |x| of itself; beyond -87 and 88 by that there."""
    scale = np.empty(len(x), np.int32)
    for q in range(len(x)):
        y = min(max(x[q], EXP_MIN), EXP_MAX) * LOG2_E
        whole = (y + ROUND) - ROUND
        scale[q] = (np.int32(whole) + np.int32(127)) << np.int32(23)
        f = y - whole
        x[q] = ONE + f * (
            EXP2[0] + f * (EXP2[1] + f * (EXP2[2] + f * (EXP2[3] + f * (EXP2[4] + f * EXP2[5]))))
        )
    power = scale.view(np.float32)
    for q in range(len(x)):
        x[q] *= power[q]


@kernel
def dot(a: Floats, b: Floats) -> np.float32:
    """Return the dot product of two vectors whose length is a multiple of 8.

    Eight sums side by side, in fixed order: one would wait for each addition.
    """
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0.0)
    for f in range(0, len(a), 8):
        s0 += a[f] * b[f]
        s1 += a[f + 1] * b[f + 1]
        s2 += a[f + 2] * b[f + 2]
        s3 += a[f + 3] * b[f + 3]
        s4 += a[f + 4] * b[f + 4]
        s5 += a[f + 5] * b[f + 5]
        s6 += a[f + 6] * b[f + 6]
        s7 += a[f + 7] * b[f + 7]
    return ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7))


@kernel
def dots(vectors: Floats, rows: npt.NDArray[np.int32], with_: Floats, out: Floats) -> None:
    """Write the dot product of each row's vector; 0 for rows that there are not. See `dot`."""
    lane = np.empty(8, np.float32)
    for c in range(len(rows)):
        out[c] = 0.0
        if 0 <= rows[c] < len(vectors):
            vector = vectors[rows[c]]
            for x in range(8):
                lane[x] = with_[x] * vector[x]
            for f in range(8, len(with_), 8):
                for x in range(8):
                    lane[x] += with_[f + x] * vector[f + x]
            first = (lane[0] + lane[4]) + (lane[1] + lane[5])
            out[c] = first + ((lane[2] + lane[6]) + (lane[3] + lane[7]))


@kernel
def draw(seed: int, step: int, n: int) -> np.int64:
    """Return 31 bits by hash of the three, n below 1024: splitmix64 (Steele et al. 2014)."""
    x = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(step) * np.uint64(1024)
    x += np.uint64(n) + np.uint64(1)
    x *= np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.int64((x ^ (x >> np.uint64(31))) >> np.uint64(33))


@kernel
def total(x: Floats) -> np.float32:
    """Return the sum of a vector of any length, in eight sums side by side."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0.0)
    whole = len(x) // 8 * 8
    for f in range(0, whole, 8):
        s0 += x[f]
        s1 += x[f + 1]
        s2 += x[f + 2]
        s3 += x[f + 3]
        s4 += x[f + 4]
        s5 += x[f + 5]
        s6 += x[f + 6]
        s7 += x[f + 7]
    for f in range(whole, len(x)):
        s0 += x[f]
    return ((s0 + s4) + (s1 + s5)) + ((s2 + s6) + (s3 + s7))
