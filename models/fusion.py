"""Fusion: candidates from the sources, z-scores over them, one fixed weight a source.

    s(c) = sum_s  w_s sign(z) log(1 + |z|),   z = (x_s(c) - mean) / sd  over the candidates

The signed log keeps one source's outlier from deciding alone; what else was tried is in
docs/decisions/0002-sources.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.arrays import missing
from millstream.models.histories import Rows, Scores
from millstream.models.jit import kernel
from millstream.models.neighbours import last_place
from millstream.models.select import best

SD_MIN: Final = 1e-9
LOG_2: Final = np.float32(0.69314718)
LOG: Final = tuple(
    np.float32(c) for c in (0.99949556, -0.49190896, 0.28947478, -0.13606275, 0.03215845)
)
"""log(1 + y) on [0, 1): Abramowitz & Stegun 4.1.43."""


class FusionParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of fusion; each source's own weight and proposals stand in its section."""

    candidates_max: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 250
    squash: bool = True


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best of each user's candidates, best first; padded with row -1, score 0, part 0."""

    rows: Rows  # (B, n)
    scores: Scores  # (B, n)
    parts: Scores  # (B, n, S): what each source gave to the score

    def sources(self) -> npt.NDArray[np.int64]:
        """Return the number of the source that gave most to each entry, (B, n)."""
        return np.asarray(self.parts.argmax(axis=2))


def candidates(
    proposals: Sequence[Rows],
    excluded_ptr: npt.NDArray[np.int64],
    excluded: Rows,
    withheld: npt.NDArray[np.bool_],
    most: int,
) -> Rows:
    """Return each user's distinct proposals, (B, most), padded with -1 behind.

    User b never gets rows in excluded[excluded_ptr[b]:excluded_ptr[b + 1]] nor anyone a row that
    is `withheld` (one flag a row; rows beyond it pass). The sources take turns until `most`
    are found.
    """
    users = len(excluded_ptr) - 1
    out = missing(users, most)
    if proposals and users:
        stacked = np.concatenate(proposals, axis=1)
        order = _turns(tuple(rows.shape[1] for rows in proposals))
        top = int(stacked.max(initial=-1)) + 1
        _gather(stacked, order, excluded_ptr, excluded, withheld, np.zeros(top, np.bool_), out)
    return out


def rank(
    candidate_rows: Rows,
    scores: Sequence[Scores],
    weights: Sequence[float],
    n: int,
    squash: bool = True,
) -> Ranked:
    """Return the n best candidates of each user by the weighted sum of z-scores.

    Ties go to the lower row. Padding (-1) may stand anywhere and is never listed.
    """
    users = len(candidate_rows)
    stacked = np.empty((len(scores), *candidate_rows.shape), np.float32)
    for number, of_source in enumerate(scores):
        stacked[number] = of_source
    rows = missing(users, n)
    total = np.zeros((users, n), np.float32)
    parts = np.zeros((users, n, len(stacked)), np.float32)
    _rank(candidate_rows, stacked, np.asarray(weights, np.float32), squash, rows, total, parts)
    return Ranked(rows, total, parts)


@lru_cache(maxsize=32)
def _turns(widths: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Return the columns of concatenated blocks in turns: every block's first, then second ..."""
    starts = np.concatenate(([0], np.cumsum(widths)))[:-1]
    rank_in_block = np.concatenate([np.arange(width) for width in widths])
    column = np.concatenate([start + np.arange(w) for start, w in zip(starts, widths, strict=True)])
    return np.asarray(column[np.argsort(rank_in_block, kind="stable")], np.int64)


@kernel
def _gather(
    proposals: Rows,
    order: npt.NDArray[np.int64],
    excluded_ptr: npt.NDArray[np.int64],
    excluded: Rows,
    withheld: npt.NDArray[np.bool_],
    met: npt.NDArray[np.bool_],
    out: Rows,
) -> None:
    for b in range(len(out)):
        for q in range(excluded_ptr[b], excluded_ptr[b + 1]):
            if 0 <= excluded[q] < len(met):
                met[excluded[q]] = True
        n = 0
        for column in order:
            row = proposals[b, column]
            if row < 0 or met[row] or (row < len(withheld) and withheld[row]):
                continue
            met[row] = True
            out[b, n] = row
            n += 1
            if n == out.shape[1]:
                break
        for q in range(excluded_ptr[b], excluded_ptr[b + 1]):
            if 0 <= excluded[q] < len(met):
                met[excluded[q]] = False
        for q in range(n):
            met[out[b, q]] = False


@kernel
def _rank(
    candidate_rows: Rows,
    scores: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float32],
    squash: bool,
    rows: Rows,
    total: Scores,
    parts: npt.NDArray[np.float32],
) -> None:
    sources, users, width = scores.shape
    listed = np.empty(width, np.int32)
    place = np.empty(width, np.int32)
    sums = np.empty(width, np.float32)
    part = np.empty((sources, width), np.float32)
    for b in range(users):
        n = 0
        for c in range(width):
            if candidate_rows[b, c] >= 0:
                listed[n] = candidate_rows[b, c]
                place[n] = c
                n += 1
        if n == 0:
            continue
        sums[:n] = 0.0
        for s in range(sources):
            z = part[s]
            for q in range(n):
                z[q] = scores[s, b, place[q]]
            _standardise(z[:n])
            if squash:
                signed_log(z[:n])
            for q in range(n):
                z[q] *= weights[s]
                sums[q] += z[q]
        found = best(sums, listed, n, total[b], rows[b])
        for e in range(found):
            at = last_place(listed, n, rows[b, e])
            for s in range(sources):
                parts[b, e, s] = part[s, at]


@kernel
def _standardise(z: npt.NDArray[np.float32]) -> None:
    """Replace scores by their z-scores; all equal gives 0."""
    mean = 0.0
    for q in range(len(z)):
        mean += z[q]
    mean /= len(z)
    variance = 0.0
    for q in range(len(z)):
        variance += (z[q] - mean) ** 2
    inverse = np.float32(1.0 / (np.sqrt(variance / len(z)) + SD_MIN))
    for q in range(len(z)):
        z[q] = (z[q] - np.float32(mean)) * inverse


@kernel
def signed_log(z: npt.NDArray[np.float32]) -> None:
    """Replace z by sign(z) log(1 + |z|), within 3e-5.

    The exponent's bits and a polynomial in the mantissa: it vectorises, and unlike the C
    library's log it gives the same bits on every machine.
    """
    one = np.float32(1.0)
    t = np.empty(len(z), np.float32)
    for q in range(len(z)):
        t[q] = one + abs(z[q])
    bits = t.view(np.int32)
    for q in range(len(z)):
        exponent = np.float32((bits[q] >> np.int32(23)) - np.int32(127))
        bits[q] = (bits[q] & np.int32(0x7FFFFF)) | np.int32(0x3F800000)
        y = t[q] - one
        log = (
            y * (LOG[0] + y * (LOG[1] + y * (LOG[2] + y * (LOG[3] + y * LOG[4]))))
            + exponent * LOG_2
        )
        z[q] = log if z[q] > 0.0 else -log
