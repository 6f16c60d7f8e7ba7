"""What people did before, as arrays: the form in which sources read a batch of profiles."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int32]
Scores = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Histories:
    """Histories of a batch of B users: newest first, distinct, only what teaches (weight > 0).

    User b owns the slice ptr[b]:ptr[b + 1] of the flat arrays.
    """

    ptr: npt.NDArray[np.int64]  # (B + 1,)
    rows: Rows  # (n,) item rows of the model, all >= 0
    weights: npt.NDArray[np.float32]  # (n,)
    ts_ms: npt.NDArray[np.int64]  # (n,)
    now_ms: npt.NDArray[np.int64]  # (B,) the moment each user is scored at
    users: npt.NDArray[np.uint64]  # (B,) keyed hashes; 0 for nobody

    def __len__(self) -> int:
        """Return the number of users."""
        return len(self.ptr) - 1


@dataclass(frozen=True, slots=True)
class Step:
    """One interaction as the item model learns it: this item, after that history (newest first)."""

    row: int
    weight: float  # > 0
    ts_ms: int
    user: int  # keyed hash, uint64
    history: Rows  # (h,) distinct, newest first, without `row` itself unless repeated
    history_weights: npt.NDArray[np.float32]  # (h,)
    history_ts_ms: npt.NDArray[np.int64]  # (h,)
