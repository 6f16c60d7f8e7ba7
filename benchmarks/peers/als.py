"""`implicit`'s alternating least squares: a batch model, fitted anew every 2,000 events.

Between two fits the items stand still and the person does not: what they did is folded in when
they are scored, the latest the most, which serves it better than the vector it fitted.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from implicit.als import (  # type: ignore[import-not-found,unused-ignore]
    AlternatingLeastSquares,
)
from scipy.sparse import csr_matrix  # type: ignore[import-untyped,unused-ignore]

from benchmarks.peers.peer import Scores

REFIT_EVERY: Final = 2_000
FIRST_FIT: Final = 200
RECENCY: Final = 0.85


class Als:
    """Weighted matrix factorisation of all that has happened so far (Hu et al. 2008)."""

    def __init__(
        self, factors: int = 32, regularization: float = 20.0, alpha: float = 20.0
    ) -> None:
        """Start empty."""
        self._params = {"factors": factors, "regularization": regularization, "alpha": alpha}
        self._model: AlternatingLeastSquares | None = None
        self._users: list[int] = []
        self._items: list[int] = []
        self._fitted = 0  # items that the last fit knew

    def score(self, user: int, history: Sequence[int], known: int) -> Scores:
        """Return the fold-in's dot products; 0 for items that came after the last fit."""
        del user
        scores = np.zeros(known)
        weights: dict[int, float] = {}
        for age, item in enumerate(reversed(history)):
            if item < self._fitted:
                weights.setdefault(item, RECENCY**age)
        if self._model is not None and weights:
            place = (np.zeros(len(weights), np.int32), np.fromiter(weights, np.int32))
            values = np.fromiter(weights.values(), np.float32)
            row = csr_matrix((values, place), shape=(1, self._fitted))
            vector = self._model.recalculate_user(np.array([0]), row)[0]
            scores[: self._fitted] = self._model.item_factors @ vector
        return scores

    def learn(self, user: int, item: int, ts_ms: int) -> None:
        """Note an event, and fit when it is time."""
        del ts_ms
        self._users.append(user)
        self._items.append(item)
        count = len(self._items)
        if count == FIRST_FIT or count % REFIT_EVERY == 0:
            self._fit()

    def _fit(self) -> None:
        self._fitted = max(self._items) + 1
        shape = (max(self._users) + 1, self._fitted)
        pairs = csr_matrix(
            (np.ones(len(self._items), np.float32), (self._users, self._items)), shape
        )
        pairs.data[:] = 1.0  # a repeat is no second item
        self._model = AlternatingLeastSquares(
            **self._params, iterations=15, num_threads=1, random_state=0, use_gpu=False
        )
        self._model.fit(pairs, show_progress=False)
