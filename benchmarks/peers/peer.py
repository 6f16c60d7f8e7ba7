"""What a recommender must do to be compared."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.floating]


class Peer(Protocol):
    """A recommender that is told of events one by one.

    Users and items are numbers in the order of their first event, so the known items are
    0 … known − 1 at any time.
    """

    def score(self, user: int, history: Sequence[int], known: int) -> Scores:
        """Return one score for each known item, shape (known,); higher is better.

        `history` is what the user did before, oldest first, at least one item, repeats included.
        Only what `learn` has been told may be used. A score that is not finite counts as lowest.
        """

    def learn(self, user: int, item: int, ts_ms: int) -> None:
        """Take in an event; called in the order of time, for every event."""
