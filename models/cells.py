"""Items that look alike, cell by cell: where to look among more items than can be looked at.

An inverted file (Jegou, Douze & Schmid 2011) that grows with its catalogue: a described item is in
the cell whose centroid is nearest to its joint vector, and a cell of more than CELL_MAX falls into
two, by two means. The learner places items; replicas are told the cell of each.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown, missing
from millstream.models.elementary import dots
from millstream.models.embedding import MODALITIES
from millstream.models.histories import Rows
from millstream.models.jit import kernel
from millstream.models.select import best
from millstream.models.source import Arrays
from millstream.models.space import Codes, Floats

Longs = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint16]
Read = Callable[[Rows], Floats]
"""Returns the joint vectors (n, WIDTH) of rows."""

CELL_MAX: Final = 256
COARSE: Final = 16
"""So many numbers a modality, the first principal axes, are enough to find the cell."""
WIDTH: Final = COARSE * len(MODALITIES)
CELLS_MAX: Final = 65_535
"""From then on cells grow: with 8 million items and more."""
AT_ONCE: Final = 4096
NEAREST: Final = 64
"""So many cells are opened at most for one look."""
TURNS: Final = 5
"""Of the power method, and of two means: roughly is enough to part a cell."""
TINY: Final = np.float32(1e-9)


def joint(codes: Codes, scales: Floats, worth: Floats) -> Floats:
    """Return what codes (n, M, D) and scales (n, M) say, weighed by `worth` (M,), as (n, WIDTH)."""
    vectors = codes[:, :, :COARSE] * (scales * worth)[:, :, None]
    return np.asarray(vectors.reshape(len(codes), WIDTH), np.float32)


def unit(vectors: Floats) -> Floats:
    """Return rows at length 1; 0 stays 0."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, TINY), np.float32)


class _Shelved(NamedTuple):
    """Some rows, sorted by cell; cell c has rows[ptr[c]:ptr[c + 1]]."""

    asked: Rows
    rows: Rows
    ptr: Longs


class Cells:
    """The cell of each row, from 1; 0 is none. As many cells as it takes."""

    def __init__(self) -> None:
        """Begin with one cell for all."""
        self.of_row: Numbers = np.zeros(0, np.uint16)
        self.centroids: Floats = np.zeros((2, WIDTH), np.float32)
        self._sizes = [0, 0]
        self._rows = 0
        self._moved: dict[int, None] = {}
        self._turned: dict[int, None] = {}  # cells whose centroid is new
        self._shelved: list[_Shelved] = []  # by the newest arrays asked about

    def __len__(self) -> int:
        """Return how many cells there are."""
        return len(self._sizes) - 1

    def grow(self, rows: int) -> None:
        """Make room for item rows 0 .. rows - 1."""
        self._rows = max(self._rows, rows)
        self.of_row = grown(self.of_row, rows)

    def put(self, rows: Sequence[int], read: Read) -> None:
        """Place rows anew. LEARN's only: so are those that a full cell gives away.

        Where most are placed at once, what they look like is told in other numbers: all cells go.
        """
        self.drop(rows)
        if len(rows) > CELL_MAX and len(rows) > sum(self._sizes):
            rows = sorted({*rows, *np.flatnonzero(self.of_row).tolist()})
            self.drop(rows)
            self.centroids = np.zeros((2, WIDTH), np.float32)
            self._sizes = [0, 0]
            self._turned = {1: None}
        for start in range(0, len(rows), AT_ONCE):
            self._place(np.array(rows[start : start + AT_ONCE], np.int32), read)

    def forget(self, rows: Sequence[int]) -> None:
        """Drop the cells of rows that go to other items; replicas forget for themselves."""
        self.drop(rows)
        for row in rows:
            self._moved.pop(row, None)

    def drop(self, rows: Sequence[int]) -> None:
        """Take rows out of their cells. LEARN's only."""
        for row in rows:
            cell = int(self.of_row[row])
            if cell:
                self._sizes[cell] -= 1
                self.of_row[row] = 0
                self._moved[row] = None
        self._shelved.clear()

    def look(self, asked: Rows, wanted: Floats, most: int) -> Rows:
        """Return up to `most` of the asked rows, those in the cells nearest to each (B, WIDTH).

        (B, most), padded with -1; nothing for a vector of 0. What stays the same object is sorted
        once. One person's rows do not depend on who shares the batch.
        """
        found = missing(len(wanted), most)
        shelved = self._shelve(asked)
        many = len(shelved.ptr) - 1
        _look(self.centroids[:many], wanted, shelved.ptr, shelved.rows, found)
        return found

    def changes(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what moved since the last call; {} if nothing did."""
        if not self._moved and not self._turned:
            return {}
        rows = np.array(sorted(self._moved), np.int32)
        turned = np.array(sorted(self._turned), np.int32)
        self._moved.clear()
        self._turned.clear()
        return {
            "cell_rows": rows,
            "cells": self.of_row[rows],
            "centroid_cells": turned,
            "centroids": self.centroids[turned],
        }

    def apply(self, changes: Arrays) -> None:
        """Take in what the learner's `changes` returned."""
        self.of_row[np.asarray(changes["cell_rows"], np.int32)] = changes["cells"]
        turned = np.asarray(changes["centroid_cells"], np.int32)
        self.centroids = grown(self.centroids, int(turned.max(initial=0)) + 1)
        self.centroids[turned] = changes["centroids"]
        self._count()

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return cells by row, and the centroids of those that hold any."""
        held = int(self.of_row.max(initial=0)) + 1
        return {"cells": self.of_row[: self._rows], "centroids": self.centroids[:held]}

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the same, with all centroids."""
        return self.read_arrays() | {"centroids": self.centroids[: len(self._sizes)]}

    def load(self, arrays: Arrays) -> None:
        """Replace the state."""
        self.of_row = np.array(arrays["cells"], np.uint16)
        self._rows = len(self.of_row)
        self.centroids = np.zeros((max(len(arrays["centroids"]), 2), WIDTH), np.float32)
        self.centroids[: len(arrays["centroids"])] = arrays["centroids"]
        self._sizes = [0] * len(self.centroids)
        self._count()
        self._moved.clear()
        self._turned.clear()

    def _place(self, rows: Rows, read: Read) -> None:
        cells = (read(rows) @ self.centroids[1 : len(self._sizes)].T).argmax(axis=1) + 1
        self.of_row[rows] = cells
        self._moved.update(dict.fromkeys(rows.tolist()))
        grew, by = np.unique(cells, return_counts=True)
        full = grew.tolist()
        for cell, more in zip(full, by.tolist(), strict=True):
            self._sizes[cell] += more
        while full:
            cell = full.pop()
            if self._sizes[cell] > CELL_MAX and len(self) < CELLS_MAX:
                full += [cell, self._split(cell, read)]

    def _count(self) -> None:
        """Count the rows of each cell."""
        self._sizes = np.bincount(self.of_row, minlength=len(self._sizes)).tolist()
        self._sizes[0] = 0
        self._shelved.clear()

    def _split(self, cell: int, read: Read) -> int:
        """Give some of a cell's rows to an empty or another one, and return that."""
        rows = np.flatnonzero(self.of_row == cell).astype(np.int32)
        vectors = read(rows)
        away = _apart(vectors)
        empty = next((c for c, size in enumerate(self._sizes) if c and not size), len(self._sizes))
        if empty == len(self._sizes):
            self._sizes.append(0)
            self.centroids = grown(self.centroids, empty + 1)
        for one, mine in ((cell, ~away), (empty, away)):
            self.centroids[one] = unit(vectors[mine].mean(axis=0))
            self._sizes[one] = int(mine.sum())
            self._turned[one] = None
        self.of_row[rows[away]] = empty
        self._moved.update(dict.fromkeys(rows[away].tolist()))
        return empty

    def _shelve(self, asked: Rows) -> _Shelved:
        for shelved in self._shelved:
            if shelved.asked is asked:
                return shelved
        cells = self.of_row[asked]
        order = np.argsort(cells, kind="stable")
        ptr = np.zeros(int(cells.max(initial=0)) + 2, np.int64)
        np.cumsum(np.bincount(cells, minlength=len(ptr) - 1), out=ptr[1:])
        shelved = _Shelved(asked, asked[order], ptr)
        self._shelved = [*self._shelved[-2:], shelved]
        return shelved


def _apart(vectors: Floats) -> npt.NDArray[np.bool_]:
    """Return which of some vectors part from the others: two means of unit length (Lloyd 1982).

    They begin as the halves across the direction in which the vectors differ most, and stay that
    where one side would be left with less than an eighth.
    """
    differ = vectors - vectors.mean(axis=0)
    direction = differ[np.argmax((differ * differ).sum(axis=1))]
    for _ in range(TURNS):
        direction = unit(differ.T @ (differ @ direction))
    away = np.zeros(len(vectors), np.bool_)
    away[np.argsort(differ @ direction, kind="stable")[len(vectors) // 2 :]] = True
    for _ in range(TURNS):
        means = unit(np.stack([vectors[~away].mean(axis=0), vectors[away].mean(axis=0)]))
        nearer = vectors @ (means[1] - means[0]) > 0.0
        if not len(vectors) < 8 * np.count_nonzero(nearer) < 7 * len(vectors):
            break
        away = nearer
    return away


@kernel
def _look(centroids: Floats, wanted: Floats, ptr: Longs, rows: Rows, found: Rows) -> None:
    cells = np.flatnonzero(ptr[1:] > ptr[:-1]).astype(np.int32)
    cells = cells[cells > 0]
    near = np.empty(len(cells), np.float32)
    top, nearness = np.empty(NEAREST, np.int32), np.empty(NEAREST, np.float32)
    for b in range(len(wanted)):
        if not wanted[b].any():
            continue
        dots(centroids, cells, wanted[b], near)
        n = 0
        for q in range(best(near, cells, len(cells), nearness, top)):
            for at in range(ptr[top[q]], ptr[top[q] + 1]):
                if n == found.shape[1]:
                    break
                found[b, n] = rows[at]
                n += 1
