"""A set of rows that are worth a look each, as an array that is made anew when the set changes."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown
from millstream.models.histories import Rows

Flags = npt.NDArray[np.bool_]

NOTHING: Final[Flags] = np.zeros(0, np.bool_)


class Pool:
    """Rows, with a flag for each."""

    def __init__(self, inside: Flags = NOTHING) -> None:
        """Begin with the rows that are `inside`, one flag a row."""
        self._in = inside
        self._rows: Rows | None = None
        self._open: tuple[Flags, Rows] | None = None

    def put(self, row: int, inside: bool) -> None:
        """Take a row in, or out."""
        if (row in self) != inside:
            self._in = grown(self._in, row + 1)
            self._in[row] = inside
            self._rows = self._open = None

    def drop(self, rows: Iterable[int]) -> None:
        """Take rows out."""
        for row in rows:
            self.put(row, False)

    def rows(self) -> Rows:
        """Return the rows, ascending: the same object until they change."""
        if self._rows is None:
            self._rows = np.flatnonzero(self._in).astype(np.int32)
        return self._rows

    def open(self, closed: Flags) -> Rows:
        """Return those that are not `closed`, one flag a row.

        The same object for the same flags, if these are read-only.
        """
        if self._open is not None and self._open[0] is closed:
            return self._open[1]
        rows = self.rows()
        there = np.ones(len(rows), np.bool_)
        known = rows < len(closed)
        there[known] = ~closed[rows[known]]
        rows = rows if there.all() else rows[there]
        if not closed.flags.writeable:
            self._open = closed, rows
        return rows

    def among(self, rows: Rows) -> Flags:
        """Return which of some rows, in any shape, are in; -1 is not."""
        there = (rows >= 0) & (rows < len(self._in))
        there[there] = self._in[rows[there]]
        return there

    def __contains__(self, row: int) -> bool:
        """Return whether a row is in."""
        return row < len(self._in) and bool(self._in[row])


def some(rows: Rows, most: int) -> Rows:
    """Return at most so many rows, evenly picked; all of them where there are no more."""
    # A copy, for kernels are compiled for arrays without gaps.
    return rows if len(rows) <= most else rows[:: -(-len(rows) // most)].copy()
