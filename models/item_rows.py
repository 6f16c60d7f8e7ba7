"""Items as dense numbers: the rows of every array in the item model."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.histories import Rows
from millstream.models.seen import item_hash

FREED_SHARE: Final = 0.02
"""Share of the rows given up at once when all are in use: forgetting scans every neighbour."""


class _RowOf(dict[str, int]):
    """Rows by item; an unknown item has row -1, and reading does not add it."""

    def __missing__(self, item: str) -> int:
        return -1


class ItemRows:
    """A bounded two-way map of item ids and rows; full, it gives up the least recently used."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._row = _RowOf()
        self._ids: list[str] = []
        self._free: list[int] = []
        self.hashes: npt.NDArray[np.uint32] = np.zeros(64, np.uint32)
        self.changes = 0

    def __len__(self) -> int:
        """Return the number of rows in use or once used."""
        return len(self._ids)

    def row(self, item: str) -> int:
        """Return an item's row, -1 when unknown."""
        return self._row[item]

    def rows(self, items: Sequence[str]) -> list[int]:
        """Return one row an item, -1 for unknown ones."""
        return list(map(self._row.__getitem__, items))

    def item(self, row: int) -> str:
        """Return the item of a row in use ('' for a row given up)."""
        return self._ids[row]

    def room(self) -> int:
        """Return how many new items fit before rows must be given up."""
        return self.most - len(self._row)

    def place(self, item: str, row: int) -> None:
        """Give a row to an item: the next new one, or one that was freed."""
        self.changes += 1
        if row == len(self._ids):
            self._ids.append(item)
        else:
            self._ids[row] = item
            self._free.remove(row)
        self._row[item] = row
        if row >= len(self.hashes):
            self.hashes = np.concatenate((self.hashes, np.zeros_like(self.hashes)))
        self.hashes[row] = item_hash(item)

    def next_row(self) -> int:
        """Return the row the next new item gets."""
        return self._free[0] if self._free else len(self._ids)

    def free(self, rows: Rows) -> None:
        """Take rows away from their items."""
        self.changes += 1
        for row in rows.tolist():
            del self._row[self._ids[row]]
            self._ids[row] = ""
            self.hashes[row] = 0
        self._free = sorted([*self._free, *rows.tolist()])

    def ids(self) -> list[str]:
        """Return the item of each row, '' where there is none."""
        return list(self._ids)

    def load(self, ids: Sequence[str]) -> None:
        """Replace the map by what `ids` returned."""
        self.changes += 1
        self._free = [row for row, item in enumerate(ids) if not item]
        self._ids = list(ids)
        self._row = _RowOf((item, row) for row, item in enumerate(ids) if item)
        self.hashes = np.zeros(max(64, len(ids)), np.uint32)
        for item, row in self._row.items():
            self.hashes[row] = item_hash(item)
