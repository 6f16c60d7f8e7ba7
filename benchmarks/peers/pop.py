"""Popularity that forgets: what everybody gets who is not known. The floor."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.peers.peer import Scores

HALF_LIFE: Final = 5_000
"""Events. Of 1,000 to 20,000 and none, the best or nearly so on both streams."""


class Pop:
    """Counts, each event worth a little more than the one before."""

    def __init__(self) -> None:
        """Start empty."""
        self._counts = np.zeros(0)
        self._worth = 1.0

    def score(self, user: int, history: Sequence[int], known: int) -> Scores:
        """Return the decayed counts, up to a factor that all share."""
        del user, history
        return self._counts[:known]

    def learn(self, user: int, item: int, ts_ms: int) -> None:
        """Count an item."""
        del user, ts_ms
        if item >= len(self._counts):
            self._counts = np.append(self._counts, np.zeros(item + 1))
        self._counts[item] += self._worth
        self._worth *= 2.0 ** (1 / HALF_LIFE)
        if self._worth > 1e100:
            self._counts /= self._worth
            self._worth = 1.0
