"""A bounded set of rows that are worth a look each: the youngest of those that are in it."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown
from millstream.models.histories import Rows

NOTHING: Final[npt.NDArray[np.bool_]] = np.zeros(0, np.bool_)


class Pool:
    """Rows; of more than `most` the lowest numbers are passed over.

    These are the oldest, until rows are given up and go to other items.
    """

    def __init__(self, most: int, inside: npt.NDArray[np.bool_] = NOTHING) -> None:
        """Begin with the rows that are `inside`, one flag a row."""
        self._most = most
        self._in = inside
        self._rows: Rows | None = None

    def put(self, row: int, inside: bool) -> None:
        """Take a row in, or out."""
        if (row in self) != inside:
            self._in = grown(self._in, row + 1)
            self._in[row] = inside
            self._rows = None

    def drop(self, rows: Iterable[int]) -> None:
        """Take rows out."""
        for row in rows:
            self.put(row, False)

    def rows(self) -> Rows:
        """Return the rows, ascending."""
        if self._rows is None:
            self._rows = np.flatnonzero(self._in)[-self._most :].astype(np.int32)
        return self._rows

    def among(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Return which of some rows, in any shape, are in; -1 is not."""
        there = (rows >= 0) & (rows < len(self._in))
        there[there] = self._in[rows[there]]
        return there

    def __contains__(self, row: int) -> bool:
        """Return whether a row is in."""
        return row < len(self._in) and bool(self._in[row])
