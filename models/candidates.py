"""Candidates: what the sources propose to a person, in turns, without what may not be listed."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from millstream.models.arrays import missing
from millstream.models.histories import Rows
from millstream.models.jit import kernel


def candidates(
    proposals: Sequence[Rows],
    excluded_ptr: npt.NDArray[np.int64],
    excluded: Rows,
    withheld: npt.NDArray[np.bool_],
    rows_in_use: int,
    most: int,
) -> Rows:
    """Return each user's distinct proposals, (B, most), padded with -1 behind.

    User b never gets rows in excluded[excluded_ptr[b]:excluded_ptr[b + 1]] nor anyone a row that
    is `withheld` (one flag a row; rows beyond it pass); all rows are below `rows_in_use`. The
    sources take turns until `most` are found.
    """
    users = len(excluded_ptr) - 1
    out = missing(users, most)
    if proposals and users:
        widths = tuple(rows.shape[1] for rows in proposals)
        stacked = proposals[0] if len(proposals) == 1 else np.concatenate(proposals, axis=1)
        met = np.zeros(rows_in_use, np.bool_)
        _gather(stacked, _turns(widths), excluded_ptr, excluded, withheld, met, out)
    return out


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
