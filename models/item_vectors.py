"""What items look, read and sound like, by row: short codes of each modality, side by side.

The learner fits and encodes (models/space.py); replicas are given codes.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown
from millstream.models.embedding import MODALITIES, Embedding, Modality
from millstream.models.histories import Rows
from millstream.models.source import Arrays
from millstream.models.space import DIM, Codes, Floats, Space

SWAP_SHARE: Final = 0.9
"""A new encoder version takes over when it knows so many of the items that the old one knows."""

COMING: Final = "coming-"
"""What the names of arrays of such a version begin with, in a snapshot."""


class ItemVectors:
    """Codes int8 (rows, modalities, DIM) and scales float32 (rows, modalities), 0 where missing."""

    def __init__(self) -> None:
        """Start empty."""
        self.rows = 0
        self.codes: Codes = np.zeros((0, len(MODALITIES), DIM), np.int8)
        self.scales: Floats = np.zeros((0, len(MODALITIES)), np.float32)
        self._spaces: dict[Modality, Space] = {}
        self._coming: dict[Modality, Space] = {}  # of a newer version, until it takes over
        self._new_codes: dict[Modality, dict[int, tuple[Codes, np.float32]]] = {}
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
        for modality in MODALITIES:
            self._drop(modality, rows.tolist())

    def describe(self, row: int, embedding: Embedding) -> Collection[int]:
        """Put an item's vectors in place of what was there; a modality it has not becomes 0.

        Returns the rows whose codes are new: of others too where axes were fitted anew.
        """
        told: dict[int, None] = {}
        for n, modality in enumerate(MODALITIES):
            part = embedding.parts.get(modality)
            if part is None:
                self._drop(modality, [row])  # or axes that are fitted anew would bring it back
                if self.scales[row, n]:
                    self.codes[row, n], self.scales[row, n] = 0, 0.0
                    told[row] = None
                continue
            space = self._spaces.get(modality)
            if space is None:
                space = self._spaces[modality] = Space(part.version, len(part.vector))
            if (space.version, space.width) == (part.version, len(part.vector)):
                told |= self._put(n, *space.add(row, part.vector))
            else:
                told |= self._put_newer(n, modality, row, part.version, part.vector)
        self._changed |= told
        return told

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

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return codes and scales."""
        return {"codes": self.codes[: self.rows], "scales": self.scales[: self.rows]}

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return those, the spaces, and what is collected of versions that are coming."""
        state = self.read_arrays()
        for modality, space in self._spaces.items():
            state |= {f"{modality}.{name}": array for name, array in space.arrays().items()}
        for modality, space in self._coming.items():
            known = self._new_codes[modality]
            codes, scales = _stacked(known)
            told = space.arrays() | {"rows": np.array(list(known), np.int32)}
            told |= {"codes": codes, "scales": scales}
            state |= {f"{COMING}{modality}.{name}": array for name, array in told.items()}
        return state

    def load(self, arrays: Arrays) -> None:
        """Replace the state; from `read_arrays` alone a replica."""
        self.codes = np.array(arrays["codes"], np.int8)
        self.scales = np.array(arrays["scales"], np.float32)
        self.rows = len(self.codes)
        self._spaces.clear()
        self._coming.clear()
        self._new_codes.clear()
        self._changed.clear()
        for modality in MODALITIES:
            if f"{modality}.count" in arrays:
                self._spaces[modality] = Space.loaded(_below(f"{modality}.", arrays))
            coming = _below(f"{COMING}{modality}.", arrays)
            if coming:
                self._coming[modality] = Space.loaded(coming)
                rows = np.asarray(coming["rows"], np.int32).tolist()
                codes = np.array(coming["codes"], np.int8)
                scales = np.array(coming["scales"], np.float32)
                self._new_codes[modality] = {
                    row: (codes[n], scales[n]) for n, row in enumerate(rows)
                }

    def _drop(self, modality: Modality, rows: Sequence[int]) -> None:
        """Drop what is kept of rows to fit axes to, and what is collected of them."""
        for space in (self._spaces.get(modality), self._coming.get(modality)):
            if space is not None:
                space.forget(rows)
        collected = self._new_codes.get(modality, {})
        for row in rows:
            collected.pop(row, None)

    def _put(self, n: int, rows: Sequence[int], codes: Codes, scales: Floats) -> dict[int, None]:
        self.codes[rows, n] = codes
        self.scales[rows, n] = scales
        return dict.fromkeys(rows)

    def _put_newer(
        self, n: int, modality: Modality, row: int, version: str, vector: npt.NDArray[np.float16]
    ) -> dict[int, None]:
        """Collect what another version says; once it knows nearly all items, let it take over."""
        space = self._coming.get(modality)
        if space is None or (space.version, space.width) != (version, len(vector)):
            space = self._coming[modality] = Space(version, len(vector))
            self._new_codes[modality] = {}
        known = self._new_codes[modality]
        rows, codes, scales = space.add(row, vector)
        known.update({r: (codes[q], scales[q]) for q, r in enumerate(rows)})
        had = np.flatnonzero(self.scales[: self.rows, n]).tolist()
        if len(known) < SWAP_SHARE * len(had):
            return {}
        self._spaces[modality] = self._coming.pop(modality)
        self.codes[:, n], self.scales[:, n] = 0, 0.0
        taken = self._new_codes.pop(modality)
        return dict.fromkeys(had) | self._put(n, list(taken), *_stacked(taken))


def _below(prefix: str, arrays: Arrays) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays whose names begin so, by what follows."""
    return {n.removeprefix(prefix): array for n, array in arrays.items() if n.startswith(prefix)}


def _stacked(known: Mapping[int, tuple[Codes, np.float32]]) -> tuple[Codes, Floats]:
    """Return codes (N, DIM) and scales (N,), in order."""
    codes = np.array([code for code, _ in known.values()], np.int8).reshape(len(known), DIM)
    return codes, np.array([scale for _, scale in known.values()], np.float32)
