"""When a catalogue's items come into a replay: each from the moment that it is available."""

from collections.abc import Iterator, Sequence
from typing import Final

from millstream.models.embedding import Embedding
from millstream.streams.described import DescribedItem

LOT: Final = 256
"""Items that are described at once: about what a record of descriptions holds."""


class Arrivals:
    """Items in the order in which they become available; those of one moment in the file's."""

    def __init__(self, entries: Sequence[DescribedItem], lot: int = LOT) -> None:
        """`lot` bounds how many are given at once."""
        self._waiting = sorted(entries, key=lambda one: one.gate.available_from)
        self._next = 0
        self._lot = lot

    def due(self, now_ms: int) -> Iterator[list[tuple[str, Embedding]]]:
        """Yield, in lots, the items that have become available by now; each item once."""
        lot: list[tuple[str, Embedding]] = []
        while self._next < len(self._waiting):
            one = self._waiting[self._next]
            if one.gate.available_from > now_ms:
                break
            self._next += 1
            lot.append((one.item, one.embedding))
            if len(lot) == self._lot:
                yield lot
                lot = []
        if lot:
            yield lot
