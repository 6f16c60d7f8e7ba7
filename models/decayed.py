"""Counts that halve as interactions pass, and the greatest of them at any moment."""

from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown
from millstream.models.histories import Rows, Scores
from millstream.models.jit import kernel

Doubles = npt.NDArray[np.float64]

SCALE_MAX: Final = 1e12


class Decayed:
    """One decayed count an item, and the `head` greatest, always sorted.

    Rather than shrinking all counts, each addition is worth more than the last; one pass brings
    them back every 40 half-lives. The head is a function of the counts: (count, lower row).
    """

    def __init__(self, half_life: float, head: int) -> None:
        self.growth = 2.0 ** (1.0 / half_life)
        self.scale = 1.0
        self.rows = 0
        self.counts: Doubles = np.zeros(0, np.float64)
        self.places: Rows = np.zeros(0, np.int32)  # 1 + place in the head, 0 outside
        self._head: Rows = np.zeros(head, np.int32)
        self._filled = 0

    def grow(self, rows: int) -> None:
        """Make room for item rows 0 .. rows - 1."""
        self.rows = max(self.rows, rows)
        self.counts = grown(self.counts, rows)
        self.places = grown(self.places, rows)

    def forget(self, rows: Rows) -> None:
        """Set these counts to 0."""
        self.counts[rows] = 0.0
        self._rebuild()

    def add(self, rows: Rows, weights: npt.NDArray[np.float32]) -> None:
        """Let interactions pass, one after another, each adding its weight to its row."""
        start = 0
        while start < len(rows):
            start, self.scale, self._filled = _add(
                self.counts,
                self.places,
                self._head,
                self._filled,
                self.scale,
                self.growth,
                rows,
                weights,
                start,
            )
            if self.scale > SCALE_MAX:
                self.counts /= self.scale
                self.scale = 1.0
                self._rebuild()

    def top(self, k: int) -> Rows:
        """Return the greatest rows, at most k and at most the head, best first."""
        return self._head[: min(k, self._filled)].copy()

    def read(self, rows: Rows) -> Scores:
        """Return the decayed counts of rows (B, C); 0 for rows unknown or below 0."""
        known = (rows >= 0) & (rows < self.rows)
        counts = self.counts[np.where(known, rows, 0)] if self.rows else np.zeros(rows.shape)
        return np.where(known, counts / self.scale, 0.0).astype(np.float32)

    def arrays(self) -> tuple[Doubles, Doubles]:
        """Return (counts, scale)."""
        return self.counts[: self.rows], np.array([self.scale])

    def load(self, counts: npt.NDArray[np.generic], scale: npt.NDArray[np.generic]) -> None:
        """Replace the state by what `arrays` returned."""
        self.rows = len(counts)
        self.counts = np.array(counts, np.float64)
        self.scale = float(np.asarray(scale, np.float64)[0])
        self.places = np.zeros(len(counts), np.int32)
        self._rebuild()

    def _rebuild(self) -> None:
        order = np.lexsort((np.arange(self.rows), -self.counts[: self.rows]))
        order = order[self.counts[order] > 0.0][: len(self._head)]
        self._filled = len(order)
        self._head[: self._filled] = order
        self.places[:] = 0
        self.places[order] = np.arange(1, self._filled + 1)


@kernel
def _add(
    counts: Doubles,
    place: Rows,
    head: Rows,
    filled: int,
    scale: float,
    growth: float,
    rows: Rows,
    weights: npt.NDArray[np.float32],
    start: int,
) -> tuple[int, float, int]:
    """Count from `start` on until all are or the scale wants shrinking; return where that was."""
    n = start
    while n < len(rows) and scale <= SCALE_MAX:
        scale *= growth
        counts[rows[n]] += scale * weights[n]
        filled = _raise(counts, place, head, filled, rows[n])
        n += 1
    return n, scale, filled


@kernel
def _raise(counts: Doubles, place: Rows, head: Rows, filled: int, row: int) -> int:
    """Move a row whose count has grown to its place in the head; return the head's length."""
    at = place[row] - 1
    if at < 0:
        if filled < len(head):
            at = filled
            filled += 1
        else:
            at = len(head) - 1
            last = head[at]
            if counts[row] < counts[last] or (counts[row] == counts[last] and row > last):
                return filled
            place[last] = 0
    while at:
        above = head[at - 1]
        if counts[row] < counts[above] or (counts[row] == counts[above] and row > above):
            break
        head[at] = above
        place[above] = at + 1
        at -= 1
    head[at] = row
    place[row] = at + 1
    return filled
