"""What may be shown, and when: the fold of the `items` topic, as far as ranking needs it."""

from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.item_rows import ItemRows

FOREVER_MS: Final = 2**62


class Item(msgspec.Struct, frozen=True, gc=False):
    """A catalogue entry as ranking sees it; times are ms since the epoch."""

    title: str = ""
    categories: tuple[str, ...] = ()
    hidden: bool = False
    available_from: int = 0
    expires_at: int = FOREVER_MS

    def shown_at(self, now_ms: int) -> bool:
        """Return whether the item may be listed at a moment."""
        return not self.hidden and self.available_from <= now_ms < self.expires_at


@dataclass(slots=True)
class Catalogue:
    """Items that may not be listed, always or for a time; all others may, also unknown ones.

    `versions[p]` is the next offset of partition p of the `items` topic. Bounded by the items
    that are hidden, deleted or timed.
    """

    versions: list[int] = field(default_factory=list)
    gates: dict[str, Item] = field(default_factory=dict)
    _mask: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    _mask_of: tuple[int, int, int, int] = (-1, -1, 0, 0)  # changes, placed, valid from, until
    _changes: int = 0

    def apply(self, partition: int, offset: int, item: str, entry: Item | None) -> None:
        """Take in one record; None deletes the item."""
        self.skip(partition, offset)
        gate = Item(hidden=True) if entry is None else entry
        if gate.hidden or gate.available_from > 0 or gate.expires_at < FOREVER_MS:
            self.gates[item] = gate
            self._changes += 1
        elif self.gates.pop(item, None) is not None:
            self._changes += 1

    def skip(self, partition: int, offset: int) -> None:
        """Note that the record at an offset was read, whatever was in it."""
        while len(self.versions) <= partition:
            self.versions.append(0)
        self.versions[partition] = offset + 1

    def shown(self, item: str, now_ms: int) -> bool:
        """Return whether an item may be listed at a moment."""
        gate = self.gates.get(item)
        return gate is None or gate.shown_at(now_ms)

    def closed_rows(self, rows: ItemRows, placed: int, now_ms: int) -> npt.NDArray[np.bool_]:
        """Return a mask over item rows, True where the item may not be listed now.

        `placed` must change whenever a row changes hands. Kept until an item's time comes.
        """
        changes, known, since, until = self._mask_of
        if (changes, known) == (self._changes, placed) and since <= now_ms < until:
            return self._mask
        mask = np.zeros(len(rows), np.bool_)
        until = FOREVER_MS
        for item, gate in self.gates.items():
            row = rows.row(item)
            if row >= 0:
                mask[row] = not gate.shown_at(now_ms)
            for moment in (gate.available_from, gate.expires_at):
                if now_ms < moment < until:
                    until = moment
        mask.setflags(write=False)
        self._mask, self._mask_of = mask, (self._changes, placed, now_ms, until)
        return mask
