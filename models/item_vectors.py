"""What items look, read and sound like, by row: short codes of each modality, side by side.

The learner fits and encodes (models/space.py); replicas are given codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown
from millstream.models.embedding import MODALITIES, Embedding, Modality, Part
from millstream.models.histories import Rows
from millstream.models.source import Arrays
from millstream.models.space import DIM, Codes, Floats, Space

SWAP_SHARE: Final = 0.9
"""A new encoder version takes over when it knows so many of the items that the old one knows."""
SWAP_LOOKS: Final = 256
"""So often it is looked up while what it knows doubles: a look passes over all rows."""


@dataclass(slots=True)
class _Coming:
    """A newer version of an encoder, and what it says of items, until it takes over."""

    space: Space
    codes: dict[int, tuple[Codes, np.float32]] = field(default_factory=dict)

    def add(self, row: int, part: Part) -> None:
        rows, codes, scales = self.space.add(row, part.vector)
        self.codes.update({r: (codes[q], scales[q]) for q, r in enumerate(rows)})

    def forget(self, rows: Sequence[int]) -> None:
        self.space.forget(rows)
        for row in rows:
            self.codes.pop(row, None)

    def encoded(self) -> tuple[list[int], Codes, Floats]:
        """Return rows, codes (N, DIM) and scales (N,)."""
        codes = [code for code, _ in self.codes.values()]
        stacked = np.stack(codes) if codes else np.zeros((0, DIM), np.int8)
        return list(self.codes), stacked, np.array([s for _, s in self.codes.values()], np.float32)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        rows, codes, scales = self.encoded()
        state = self.space.arrays()
        return state | {"rows": np.array(rows, np.int32), "codes": codes, "scales": scales}

    @classmethod
    def loaded(cls, arrays: Arrays) -> "_Coming":
        rows = np.asarray(arrays["rows"], np.int32).tolist()
        codes, scales = np.array(arrays["codes"], np.int8), np.array(arrays["scales"], np.float32)
        said = dict(zip(rows, zip(codes, scales, strict=True), strict=True))
        return cls(Space.loaded(arrays), said)


class ItemVectors:
    """Codes int8 (rows, modalities, DIM) and scales float32 (rows, modalities), 0 where missing."""

    def __init__(self) -> None:
        """Start empty."""
        self.rows = 0
        self.any = False
        """Whether anything was ever described: where not, nobody need look."""
        self.codes: Codes = np.zeros((0, len(MODALITIES), DIM), np.int8)
        self.scales: Floats = np.zeros((0, len(MODALITIES)), np.float32)
        self._spaces: dict[Modality, Space] = {}
        self._coming: dict[Modality, _Coming] = {}
        self._changed: dict[int, None] = {}

    def grow(self, rows: int) -> None:
        """Make room for item rows 0 .. rows - 1."""
        self.rows = max(self.rows, rows)
        self.codes = grown(self.codes, rows)
        self.scales = grown(self.scales, rows)

    def forget(self, rows: Rows) -> None:
        """Drop what these rows look like."""
        self.codes[rows] = 0
        self.scales[rows] = 0.0
        for space in self._spaces.values():
            space.forget(rows.tolist())
        for coming in self._coming.values():
            coming.forget(rows.tolist())

    def describe(self, row: int, embedding: Embedding) -> list[int]:
        """Put an item's vectors in place of what was there; a modality it has not becomes 0.

        Returns the rows whose codes moved: more than this one where mean and axes were fitted
        anew, or where a newer version of an encoder took over.
        """
        moved: dict[int, None] = {}
        for n, modality in enumerate(MODALITIES):
            part = embedding.parts.get(modality)
            if part is None:
                rows = self._take_out(n, modality, row)
            else:
                rows = self._take_in(n, modality, row, part)
            moved.update(dict.fromkeys(rows))
        self._changed |= moved
        self.any = self.any or bool(moved)
        return list(moved)

    def described(self) -> npt.NDArray[np.bool_]:
        """Return by row whether anything is known of what it looks like, (rows,)."""
        return np.asarray(self.scales[: self.rows].any(axis=1))

    def changes(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the rows described since the last call, with codes and scales."""
        if not self._changed:
            return {}
        rows = np.array(sorted(self._changed), np.int32)
        self._changed.clear()
        return {"rows": rows, "codes": self.codes[rows], "scales": self.scales[rows]}

    def apply(self, changes: Arrays) -> None:
        """Take in the learner's codes."""
        rows = np.asarray(changes["rows"], np.int32)
        self.codes[rows] = changes["codes"]
        self.scales[rows] = changes["scales"]
        self.any = True

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return codes and scales."""
        return {"codes": self.codes[: self.rows], "scales": self.scales[: self.rows]}

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return those, and by what they are made: of each version, also the one to come."""
        state = self.read_arrays()
        for modality, space in self._spaces.items():
            state |= {f"{modality}.{name}": array for name, array in space.arrays().items()}
        for modality, coming in self._coming.items():
            state |= {f"{modality}+.{name}": array for name, array in coming.arrays().items()}
        return state

    def load(self, arrays: Arrays) -> None:
        """Replace the state; from `read_arrays` alone a replica."""
        self.codes = np.array(arrays["codes"], np.int8)
        self.scales = np.array(arrays["scales"], np.float32)
        self.rows = len(self.codes)
        self.any = bool(self.scales.any())
        self._spaces, self._coming = {}, {}
        for modality in MODALITIES:
            if own := _under(f"{modality}.", arrays):
                self._spaces[modality] = Space.loaded(own)
            if newer := _under(f"{modality}+.", arrays):
                self._coming[modality] = _Coming.loaded(newer)
        self._changed.clear()

    def _take_out(self, n: int, modality: Modality, row: int) -> list[int]:
        """Drop one modality of an item; return the row if that moved anything."""
        if modality in self._spaces:  # or it came back when axes are fitted anew
            self._spaces[modality].forget([row])
        if modality in self._coming:
            self._coming[modality].forget([row])
        if not self.scales[row, n]:
            return []
        self.codes[row, n], self.scales[row, n] = 0, 0.0
        return [row]

    def _take_in(self, n: int, modality: Modality, row: int, part: Part) -> list[int]:
        """Put in one modality of an item; return the rows whose codes moved."""
        space = self._spaces.get(modality)
        if space is None:
            space = self._spaces[modality] = Space(part.version, len(part.vector))
        if (space.version, space.width) != (part.version, len(part.vector)):
            return self._take_newer(n, modality, row, part)
        rows, codes, scales = space.add(row, part.vector)
        self.codes[rows, n], self.scales[rows, n] = codes, scales
        return rows

    def _take_newer(self, n: int, modality: Modality, row: int, part: Part) -> list[int]:
        """Collect what another version says; once it knows nearly all items, let it take over."""
        coming = self._coming.get(modality)
        newest = part.version, len(part.vector)
        if coming is None or (coming.space.version, coming.space.width) != newest:
            coming = self._coming[modality] = _Coming(Space(*newest))
        coming.add(row, part)
        known = len(coming.codes)
        if known % max(known // SWAP_LOOKS, 1):
            return []
        old = self.scales[: self.rows, n] > 0.0
        enough = SWAP_SHARE * np.count_nonzero(old)
        if known < enough or np.count_nonzero(old[list(coming.codes)]) < enough:
            return []
        del self._coming[modality]
        self._spaces[modality] = coming.space
        self.codes[:, n], self.scales[:, n] = 0, 0.0
        rows, codes, scales = coming.encoded()
        self.codes[rows, n], self.scales[rows, n] = codes, scales
        return [*rows, *np.flatnonzero(old).tolist()]


def _under(prefix: str, arrays: Arrays) -> Arrays:
    """Return the arrays whose names begin so, without that."""
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
