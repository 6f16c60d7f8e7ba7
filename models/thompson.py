"""Thompson's draw (Chapelle & Li 2011) as a function of person, item and time, and its chances.

theta ~ Beta(taken, passed), of which only the numerator is drawn, by Wilson & Hilferty's gamma
(1931): the denominator hardly moves while `passed` is large.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from millstream.models.histories import Rows, Scores

Doubles = npt.NDArray[np.float64]

PROPENSITY_MIN: Final = 0.01
NEVER: Final = np.float32(-1e30)
LUCK_MAX: Final = 9.0
"""Luck, a logarithm, is within this of 0."""
HALVINGS: Final = 8
"""Until the bar of the propensities is known to a hundredth or so: luck moves items by more."""
GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)


def luck(
    users: npt.NDArray[np.uint64], now_ms: npt.NDArray[np.int64], rows: Rows, taken: float
) -> Scores:
    """Return log(theta / E theta) of each of a person's rows, (B, n), given (B,), (B,), (B, n)."""
    seed = users ^ (now_ms.astype(np.uint64) * GOLDEN)
    x = seed[:, None] + (rows.astype(np.uint64) + np.uint64(1)) * GOLDEN
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)  # splitmix64
    uniform = ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2**53
    normal = ndtri(np.clip(uniform, 1e-6, 1 - 1e-6))
    cube = 1.0 - 1.0 / (9.0 * taken) + normal / (3.0 * math.sqrt(taken))
    return np.asarray(3.0 * np.log(np.maximum(cube, 0.05)), np.float32)


def propensities(rows: Rows, fit: Scores, places: int, taken: float) -> Scores:
    """Return about how likely each row is drawn among the first `places`, (B, n), at least 1 %.

    As if each drew against a fixed bar, which as many pass on average as there are places; 0 for
    rows of -1.
    """
    if places <= 0:
        return np.zeros_like(fit)
    known = np.where(rows >= 0, fit, NEVER)
    spread = 1.0 / math.sqrt(taken)  # of luck, about
    best = -np.sort(-known, axis=1)
    low = best[:, min(places, fit.shape[1]) - 1] - 5.0 * spread
    high = best[:, 0] + 3.0 * spread
    for _ in range(HALVINGS):
        bar = (low + high) / 2
        many = _logistic(_normal(known - bar[:, None], taken)).sum(axis=1) > places
        low, high = np.where(many, bar, low), np.where(many, high, bar)
    chance = ndtr(_normal(known - low[:, None], taken))
    drawn = np.minimum((rows >= 0).sum(axis=1), places)
    chance *= (drawn / np.maximum(chance.sum(axis=1), PROPENSITY_MIN))[:, None]
    chance = np.clip(chance, PROPENSITY_MIN, 1.0)
    return np.where(rows >= 0, chance, 0.0).astype(np.float32)


def _normal(ahead: npt.NDArray[np.floating], taken: float) -> Doubles:
    """Return how many standard deviations luck may lack to be above -`ahead`: as in `luck`."""
    cube = np.exp(np.minimum(-ahead, LUCK_MAX) / 3.0)
    return np.asarray((1.0 - 1.0 / (9.0 * taken) - cube) * (3.0 * math.sqrt(taken)), np.float64)


def _logistic(normal: Doubles) -> Doubles:
    """Return the normal distribution to a hundredth, in a tenth of the time of `ndtr`."""
    return np.asarray(1.0 / (1.0 + np.exp(np.minimum(-1.702 * normal, 500.0))))
