"""A bounded set of rows that are worth a look each: the youngest of those that are in it."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown
from millstream.models.histories import Rows


class Pool:
    """Rows; of more than `most` the lowest numbers, which are the oldest, are passed over."""

    def __init__(self, most: int) -> None:
        """Begin empty."""
        self._most = most
        self._in: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._rows: Rows | None = None

    def put(self, row: int, inside: bool) -> None:
        """Take a row in, or out."""
        self._in = grown(self._in, row + 1)
        if self._in[row] != inside:
            self._in[row] = inside
            self._rows = None

    def drop(self, rows: Iterable[int]) -> None:
        """Take rows out."""
        for row in rows:
            if row < len(self._in):
                self.put(row, False)

    def rows(self) -> Rows:
        """Return the rows, ascending."""
        if self._rows is None:
            self._rows = np.flatnonzero(self._in)[-self._most :].astype(np.int32)
        return self._rows

    def __contains__(self, row: int) -> bool:
        """Return whether a row is in."""
        return row < len(self._in) and bool(self._in[row])
