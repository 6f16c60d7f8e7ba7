"""River's `reco.BiasedMF`, with its own learn_one and predict_one.

It predicts ratings; from clicks alone every label is 1. `negatives` teaches it, after each click,
as many items drawn at random as label 0.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from river import optim
from river.reco import BiasedMF

from benchmarks.peers.peer import Scores


class RiverMf:
    """BiasedMF on clicks."""

    def __init__(self, negatives: int, factors: int = 16, rate: float = 0.05) -> None:
        """Start empty."""
        self._model: Any = BiasedMF(
            n_factors=factors,
            bias_optimizer=optim.SGD(rate),
            latent_optimizer=optim.SGD(rate),
            latent_initializer=optim.initializers.Normal(sigma=0.1, seed=0),
            seed=0,
        )
        self._negatives = negatives
        self._random = np.random.default_rng(0)
        self._known = 0

    def score(self, user: int, history: Sequence[int], known: int) -> Scores:
        """Return a prediction of each item."""
        del history
        predict = self._model.predict_one
        return np.array([predict(user, item) for item in range(known)])

    def learn(self, user: int, item: int, ts_ms: int) -> None:
        """Learn a click as 1, and drawn items as 0."""
        del ts_ms
        self._model.learn_one(user, item, 1.0)
        self._known = max(self._known, item + 1)
        for drawn in self._random.integers(self._known, size=self._negatives).tolist():
            if drawn != item:
                self._model.learn_one(user, drawn, 0.0)
