"""The latest choices that a learner keeps, to be learned from again."""

from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.histories import Rows
from millstream.models.source import Arrays

Floats = npt.NDArray[np.float32]

MEMORY: Final = ("memory_inputs", "memory_scores", "memory_choices")


class ChoiceMemory:
    """The latest choices that the network learned from, to be learned from again: a ring."""

    def __init__(self, length: int, top: int, inputs: int) -> None:
        """Hold nothing: only a learner needs the room."""
        self._length = length
        self._shape = (top, inputs)
        self._arrays = self._made(0)

    def opened(self) -> tuple[Floats, Floats, Rows]:
        """Return inputs (M, top, D), scores and worth (M, top + 1), number and target (M, 2)."""
        if not len(self._arrays[0]):
            self._arrays = self._made(self._length)
        return self._arrays

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the three by name."""
        return dict(zip(MEMORY, self._arrays, strict=True))

    def load(self, arrays: Arrays) -> None:
        """Replace what is held."""
        self._arrays = self._made(len(arrays[MEMORY[0]]))
        for mine, name in zip(self._arrays, MEMORY, strict=True):
            mine[:] = arrays[name]

    def _made(self, length: int) -> tuple[Floats, Floats, Rows]:
        top, inputs = self._shape
        return (
            np.zeros((length, top, inputs), np.float32),
            np.zeros((length, top + 1), np.float32),
            np.zeros((length, 2), np.int32),
        )
