"""Two rankers over the same events: how far apart they are, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Paired:
    """The difference of two hit rates (first − second), with its 95 % interval."""

    scored: int
    first: float
    second: float
    only_first: int
    only_second: int
    low: float
    high: float

    @property
    def difference(self) -> float:
        """Return the first's hit rate minus the second's."""
        return self.first - self.second

    @property
    def ratio(self) -> float:
        """Return the first's hit rate over the second's; 1 when both are 0."""
        return self.first / self.second if self.second else math.inf if self.first else 1.0

    @property
    def mcnemar_z(self) -> float:
        """Return McNemar's z: beyond ±2 it is hardly chance, as far as events are independent."""
        apart = self.only_first + self.only_second
        return (self.only_first - self.only_second) / math.sqrt(apart) if apart else 0.0

    def answer(self) -> dict[str, object]:
        """Return it as JSON."""
        return {
            "difference": round(self.difference, 5),
            "ci95": [round(self.low, 5), round(self.high, 5)],
            "ratio": round(self.ratio, 4) if math.isfinite(self.ratio) else None,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "mcnemar_z": round(self.mcnemar_z, 2),
        }


def paired(users: Sequence[str], first: Sequence[bool], second: Sequence[bool]) -> Paired:
    """Return how two rankers' hits compare, event by event.

    The interval is clustered by user, since one person's events are alike: the variance is the
    sum over users of the squared sums of their deviations (Liang and Zeger 1986).
    """
    n = len(users)
    one, two = np.array(first, np.bool_), np.array(second, np.bool_)
    apart = one.astype(np.float64) - two
    mean = float(apart.mean()) if n else 0.0
    _, user_rows = np.unique(np.array(users, np.str_), return_inverse=True)
    sums = np.bincount(user_rows, weights=apart - mean) if n else np.zeros(0)
    margin = 1.96 * math.sqrt(float((sums**2).sum())) / max(n, 1)
    return Paired(
        scored=n,
        first=float(one.mean()) if n else 0.0,
        second=float(two.mean()) if n else 0.0,
        only_first=int((one & ~two).sum()),
        only_second=int((two & ~one).sum()),
        low=mean - margin,
        high=mean + margin,
    )
