"""What the ranking is worth while it learns: hits of the fusion and of popularity, and their drift.

Each choice that LEARN learns from was ranked just before. Between the two stand River's rolling
means, and its ADWIN over the difference of hits (Bifet & Gavaldà 2007). It watches; no part of the
model's state depends on it.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from millstream.models.histories import Rows

HIT_AT: Final = 10
WINDOW: Final = 5_000
"""Choices that the means are taken over."""
LATEST: Final = 200
"""Choices that tell how it is after a drift: ADWIN itself lets go of the past little by little."""


class Drift(NamedTuple):
    """The lead, the mean of (fused − pop) hits, has changed."""

    at: int  # the choice, from 0, that it was found at
    before: float  # the lead for as long as it was steady
    after: float  # over the latest choices

    @property
    def is_loss(self) -> bool:
        """Return whether the lists became worse."""
        return self.after < self.before


class OnlineQuality:
    """Rolling hit ratios, and the drifts of their difference; a function of the choices alone."""

    def __init__(self, window: int = WINDOW) -> None:
        # Imported here: River costs 16 MB and half a second, and only LEARN and reports need it.
        from river import drift, stats, utils

        self.choices = 0
        self._fused: Any = utils.Rolling(stats.Mean, window_size=window)
        self._popular: Any = utils.Rolling(stats.Mean, window_size=window)
        self._lead: Any = utils.Rolling(stats.Mean, window_size=LATEST)
        self._adwin: Any = drift.ADWIN()  # type: ignore[no-untyped-call]

    def hit_ratios(self) -> dict[str, float]:
        """Return the share of the latest choices among the first ten, by who ranked."""
        return {"fused": float(self._fused.get()), "pop": float(self._popular.get())}

    def add(self, above: Rows) -> list[Drift]:
        """Take how many stood above each choice, by fusion and `pop`, (2, n); -1 is a miss.

        Returns the drifts that were found on the way.
        """
        found = []
        hits = (above >= 0) & (above < HIT_AT)
        for fused, popular in np.asarray(hits.T, np.int64).tolist():
            self._fused.update(fused)
            self._popular.update(popular)
            before = float(self._adwin.estimation)
            self._lead.update(fused - popular)
            self._adwin.update(fused - popular)
            if self._adwin.drift_detected:
                found.append(Drift(self.choices, before, float(self._lead.get())))
            self.choices += 1
        return found
