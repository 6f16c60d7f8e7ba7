"""What people did before, as arrays: the form in which sources read a batch of profiles."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

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


@dataclass(frozen=True, slots=True)
class Steps:
    """Interactions in the order of the log, as flat arrays; step n owns ptr[n]:ptr[n + 1]."""

    rows: Rows  # (n,)
    weights: npt.NDArray[np.float32]  # (n,) > 0
    ts_ms: npt.NDArray[np.int64]  # (n,)
    users: npt.NDArray[np.uint64]  # (n,)
    ptr: npt.NDArray[np.int64]  # (n + 1,)
    history: Rows
    history_weights: npt.NDArray[np.float32]
    history_ts_ms: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.rows)

    def __iter__(self) -> Iterator[Step]:
        """Yield each step."""
        ptr = self.ptr.tolist()
        columns = (self.rows.tolist(), self.weights.tolist(), self.ts_ms.tolist())
        for n, (row, weight, ts) in enumerate(zip(*columns, strict=True)):
            part = slice(ptr[n], ptr[n + 1])
            yield Step(
                row,
                weight,
                ts,
                int(self.users[n]),
                self.history[part],
                self.history_weights[part],
                self.history_ts_ms[part],
            )

    @classmethod
    def of(cls, steps: Sequence[Step]) -> Self:
        """Return single steps as one."""
        ptr = np.zeros(len(steps) + 1, np.int64)
        np.cumsum([len(step.history) for step in steps], out=ptr[1:])
        none = [np.empty(0, np.int32)]
        return cls(
            np.array([step.row for step in steps], np.int32),
            np.array([step.weight for step in steps], np.float32),
            np.array([step.ts_ms for step in steps], np.int64),
            np.array([step.user for step in steps], np.uint64),
            ptr,
            np.concatenate([*none, *(step.history for step in steps)]).astype(np.int32),
            np.concatenate([*none, *(s.history_weights for s in steps)]).astype(np.float32),
            np.concatenate([*none, *(s.history_ts_ms for s in steps)]).astype(np.int64),
        )


def histories_before(steps: Steps) -> Histories:
    """Return the histories that the steps followed, each as of its step's time."""
    weights, ts_ms = steps.history_weights, steps.history_ts_ms
    return Histories(steps.ptr, steps.history, weights, ts_ms, steps.ts_ms, steps.users)


def picked(histories: Histories, at: npt.NDArray[np.int64]) -> Histories:
    """Return the histories of some users, in this order."""
    if len(at) == len(histories) and np.array_equal(at, np.arange(len(at))):
        return histories
    ptr = np.zeros(len(at) + 1, np.int64)
    np.cumsum(np.diff(histories.ptr)[at], out=ptr[1:])
    flat = np.arange(ptr[-1]) + np.repeat(histories.ptr[at] - ptr[:-1], np.diff(ptr))
    return Histories(
        ptr,
        histories.rows[flat],
        histories.weights[flat],
        histories.ts_ms[flat],
        histories.now_ms[at],
        histories.users[at],
    )


def one_of(histories: Histories, b: int) -> Histories:
    """Return user b's history alone."""
    part = slice(histories.ptr[b], histories.ptr[b + 1])
    return Histories(
        histories.ptr[b : b + 2] - histories.ptr[b],
        histories.rows[part],
        histories.weights[part],
        histories.ts_ms[part],
        histories.now_ms[b : b + 1],
        histories.users[b : b + 1],
    )
