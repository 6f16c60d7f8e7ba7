"""Vectors by what they are of: equal content is encoded once, whichever items have it."""

from collections import OrderedDict
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.embedding import Mark

ENTRY_BYTES: Final = 400
"""What an entry takes beside its vector's numbers: keys, digest, array header."""


class VectorCache:
    """Vectors by (modality, encoder version, content digest); least recently used give way.

    Holds at most `bytes_max`, entries' own weight included. `hits` and `misses` count `get`.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._vectors: OrderedDict[Mark, npt.NDArray[np.float16]] = OrderedDict()
        self.bytes = 0
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._vectors)

    def __contains__(self, mark: Mark) -> bool:
        return mark in self._vectors

    def get(self, mark: Mark) -> npt.NDArray[np.float16] | None:
        """Return the vector of a content, None where it is not held."""
        found = self._vectors.get(mark)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._vectors.move_to_end(mark)
        return found

    def put(self, mark: Mark, vector: npt.NDArray[np.float16]) -> None:
        """Hold a vector, shape (dim,), as the most recently used."""
        old = self._vectors.pop(mark, None)
        if old is not None:
            self.bytes -= old.nbytes + ENTRY_BYTES
        self._vectors[mark] = vector
        self.bytes += vector.nbytes + ENTRY_BYTES
        while self.bytes > self._bytes_max:
            _, gone = self._vectors.popitem(last=False)
            self.bytes -= gone.nbytes + ENTRY_BYTES
