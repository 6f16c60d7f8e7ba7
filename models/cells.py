"""Items that look alike, cell by cell: where to look among more items than can be looked at.

An inverted file (Jegou, Douze & Schmid 2011) that grows with its catalogue: a described item is in
the cell whose centroid is nearest to its joint vector, and a cell of more than CELL_MAX falls into
two, by two means. The learner places items; replicas are told the cell of each. Directions are
whole numbers, so that their dot products are exact: who shares a batch or a thread does not show.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown, missing
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
    return direction(np.asarray(vectors.reshape(len(codes), WIDTH), np.float32))


def direction(vectors: Floats) -> Floats:
    """Return vectors of length 127, about, in whole numbers; 0 stays 0."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(np.rint(vectors * (np.float32(127.0) / np.maximum(norms, TINY))), np.float32)


class _Shelved(NamedTuple):
    """Some rows, sorted by cell; cells[n] has rows[ptr[n]:ptr[n + 1]]."""

    asked: Rows
    cells: Rows
    rows: Rows
    ptr: Longs


class Cells:
    """The cell of each row, from 1; 0 is none. As many cells as it takes."""

    def __init__(self) -> None:
        """Begin with one cell for all."""
        self.of_row: Numbers = np.zeros(0, np.uint16)
        self.centroids: Floats = np.zeros((2, WIDTH), np.float32)
        self._sizes: Longs = np.zeros(2, np.int64)
        self._many = 1
        self._rows = 0
        self._moved: dict[int, None] = {}
        self._turned: dict[int, None] = {}  # cells whose centroid is new
        self._shelved: list[_Shelved] = []  # by the newest arrays asked about

    def __len__(self) -> int:
        """Return how many cells there are."""
        return self._many

    def grow(self, rows: int) -> None:
        """Make room for item rows 0 .. rows - 1."""
        self._rows = max(self._rows, rows)
        self.of_row = grown(self.of_row, rows)

    def put(self, rows: Sequence[int], read: Read) -> None:
        """Place rows anew. LEARN's only: so are those that a full cell gives away.

        Where most are placed at once, what they look like is told in other numbers: all cells go.
        """
        self.drop(rows)
        if len(rows) > CELL_MAX and len(rows) > self._sizes.sum():
            rows = sorted({*rows, *np.flatnonzero(self.of_row).tolist()})
            self.drop(rows)
            self.centroids[1] = 0.0
            self._many, self._turned = 1, {1: None}
        for start in range(0, len(rows), AT_ONCE):
            self._place(np.array(rows[start : start + AT_ONCE], np.int32), read)

    def forget(self, rows: Sequence[int]) -> None:
        """Drop the cells of rows that go to other items; replicas forget for themselves."""
        self.drop(rows)
        for row in rows:
            self._moved.pop(row, None)

    def drop(self, rows: Sequence[int]) -> None:
        """Take rows out of their cells. LEARN's only."""
        placed = [row for row in rows if self.of_row[row]]
        self._moved.update(dict.fromkeys(placed))
        self._move(np.array(placed, np.int32), np.zeros(len(placed), np.uint16))

    def look(self, asked: Rows, wanted: Floats, most: int) -> Rows:
        """Return up to `most` of the asked rows, those in the cells nearest to each (B, WIDTH).

        (B, most), padded with -1; nothing for a vector of 0. What stays the same object is sorted
        once. One person's rows do not depend on who shares the batch.
        """
        found, shelved = missing(len(wanted), most), self._shelve(asked)
        near = wanted @ self.centroids[shelved.cells].T
        _look(wanted, near, shelved.ptr, shelved.rows, found)
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
        turned = np.asarray(changes["centroid_cells"], np.int32)
        self._make_room(int(turned.max(initial=0)))
        self.centroids[turned] = changes["centroids"]
        rows, cells = np.asarray(changes["cell_rows"], np.int32), changes["cells"]
        self._move(rows, np.asarray(cells, np.uint16))

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return cells by row, and the centroids of those that hold any."""
        held = int(self.of_row.max(initial=0)) + 1
        return {"cells": self.of_row[: self._rows], "centroids": self.centroids[:held]}

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the same, with all centroids."""
        return self.read_arrays() | {"centroids": self.centroids[: self._many + 1]}

    def load(self, arrays: Arrays) -> None:
        """Replace the state."""
        self.of_row = np.array(arrays["cells"], np.uint16)
        self._rows = len(self.of_row)
        self._many = max(len(arrays["centroids"]) - 1, 1)
        self.centroids = np.zeros((self._many + 1, WIDTH), np.float32)
        self.centroids[: len(arrays["centroids"])] = arrays["centroids"]
        self._sizes = np.bincount(self.of_row, minlength=self._many + 1)
        self._sizes[0] = 0
        self._moved.clear()
        self._turned.clear()
        self._shelved.clear()

    def _place(self, rows: Rows, read: Read) -> None:
        cells = (read(rows) @ self.centroids[1 : self._many + 1].T).argmax(axis=1) + 1
        self._moved.update(dict.fromkeys(rows.tolist()))
        self._move(rows, cells.astype(np.uint16))
        full = np.unique(cells).tolist()
        while full:
            cell = full.pop()
            if self._sizes[cell] > CELL_MAX and self._many < CELLS_MAX:
                full += [cell, self._split(cell, read)]

    def _move(self, rows: Rows, cells: Numbers) -> None:
        """Move rows to other cells, 0 being none."""
        many = len(self._sizes)
        self._sizes -= np.bincount(self.of_row[rows], minlength=many)
        self._sizes += np.bincount(cells, minlength=many)
        self._sizes[0] = 0
        self.of_row[rows] = cells
        self._shelved.clear()

    def _make_room(self, cell: int) -> None:
        self._many = max(self._many, cell)
        self.centroids = grown(self.centroids, cell + 1)
        self._sizes = grown(self._sizes, cell + 1)

    def _split(self, cell: int, read: Read) -> int:
        """Give some of a cell's rows to an empty or another one, and return that."""
        rows = np.flatnonzero(self.of_row == cell).astype(np.int32)
        vectors = read(rows)
        away = _apart(vectors)
        empty = np.flatnonzero(self._sizes[1 : self._many + 1] == 0)
        other = int(empty[0]) + 1 if len(empty) else self._many + 1
        self._make_room(other)
        for one, mine in ((cell, ~away), (other, away)):
            self.centroids[one] = direction(vectors[mine].mean(axis=0))
            self._turned[one] = None
        self._moved.update(dict.fromkeys(rows[away].tolist()))
        self._move(rows[away], np.full(int(away.sum()), other, np.uint16))
        return other

    def _shelve(self, asked: Rows) -> _Shelved:
        for shelved in self._shelved:
            if shelved.asked is asked:
                return shelved
        cells = self.of_row[asked]
        order = np.argsort(cells, kind="stable")
        held, starts = np.unique(cells[order], return_index=True)
        placed = int(held[0] == 0) if len(held) else 0  # what is in no cell is not looked at
        ptr = np.append(starts, len(asked)).astype(np.int64)
        shelved = _Shelved(asked, held[placed:].astype(np.int32), asked[order], ptr[placed:])
        self._shelved = [*self._shelved[-2:], shelved]
        return shelved


def _apart(vectors: Floats) -> npt.NDArray[np.bool_]:
    """Return which of some vectors part from the others: two means of unit length (Lloyd 1982).

    They begin as the halves across the direction in which the vectors differ most, and stay that
    where one side would be left with less than an eighth.
    """
    differ = vectors - vectors.mean(axis=0)
    most = differ[np.argmax((differ * differ).sum(axis=1))]
    for _ in range(TURNS):
        most = differ.T @ (differ @ most)
        most /= max(np.linalg.norm(most), TINY)
    away = np.zeros(len(vectors), np.bool_)
    away[np.argsort(differ @ most, kind="stable")[len(vectors) // 2 :]] = True
    for _ in range(TURNS):
        stay, go = (direction(vectors[side].mean(axis=0)) for side in (~away, away))
        nearer = vectors @ (go - stay) > 0.0
        if not len(vectors) < 8 * np.count_nonzero(nearer) < 7 * len(vectors):
            break
        away = nearer
    return away


@kernel
def _look(wanted: Floats, near: Floats, ptr: Longs, rows: Rows, found: Rows) -> None:
    """Write the rows of the cells that are nearest, the nearest cell's first."""
    places = np.arange(near.shape[1]).astype(np.int32)
    top, nearness = np.empty(NEAREST, np.int32), np.empty(NEAREST, np.float32)
    for b in range(len(near)):
        n = 0
        if wanted[b].any():
            for q in range(best(near[b], places, len(places), nearness, top)):
                for at in range(ptr[top[q]], ptr[top[q] + 1]):
                    if n == found.shape[1]:
                        break
                    found[b, n] = rows[at]
                    n += 1
