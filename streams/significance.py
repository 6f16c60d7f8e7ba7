"""How sure a figure is, where one person's events are alike: intervals and paired tests.

People are the clusters: a person's hits are not independent of each other, so what counts is how
many people were asked, not how many events.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, stdtrit

Z95: Final = 1.959963984540054
TINY: Final = 1e-300
FLIPS: Final = 10_000
FLIPS_AT_ONCE: Final = 2_000_000  # signs held at a time, one byte each

Floats = npt.NDArray[np.float64]
Users = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean paired difference, its 95 % interval, and the p of its being 0."""

    mean: float
    ci95: tuple[float, float]
    p: float


def share_ci95(hits: npt.NDArray[np.bool_], users: Users) -> tuple[float, float]:
    """Return the 95 % interval of a share, clustered by user.

    The variance of the share is that of its users' residuals, sum_u (h_u - p n_u)^2 / N^2 times
    G / (G - 1) for G users (linearised ratio). The interval is Wilson's (1927) over as many
    independent events as would have that variance: unlike p +- 2 se it stays within 0 and 1 and
    does not shrink to a point when nothing, or everything, was a hit; there, and with a single
    user, the users themselves are taken as the independent events. Nothing scored is (0, 1).
    """
    n = len(hits)
    if not n:
        return 0.0, 1.0
    p = float(hits.mean())
    sums, sizes = _by_user(hits.astype(np.float64), users)
    groups = len(sizes)
    independent = float(groups)
    if 0.0 < p < 1.0 and groups > 1:
        variance = float(((sums - p * sizes) ** 2).sum()) * groups / (groups - 1) / n**2
        # Users who all have the same share say nothing against independence; more than n
        # independent events there never are.
        independent = min(p * (1.0 - p) / max(variance, TINY), float(n))
    z = _t975(groups - 1)
    middle = p + z * z / (2.0 * independent)
    reach = z * math.sqrt(p * (1.0 - p) / independent + z * z / (4.0 * independent**2))
    whole = 1.0 + z * z / independent
    return max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole)


def paired(a: Floats, b: Floats, users: Users, seed: int = 0, flips: int = FLIPS) -> Difference:
    """Return what `b` has more than `a` an event, tested by flipping whole users' signs.

    Under the hypothesis that both are the same, a user's summed difference could as well have
    come with the other sign; p is the share of `flips` random choices of signs whose sum is at
    least as far from 0 as the one met (Fisher 1935; the one met counts as one more choice).
    """
    n = len(a)
    if not n:
        return Difference(0.0, (-1.0, 1.0), 1.0)
    sums, sizes = _by_user(b - a, users)
    mean = float(sums.sum()) / n
    groups = len(sizes)
    if groups < 2:
        return Difference(mean, (-1.0, 1.0), 1.0)
    variance = float(((sums - mean * sizes) ** 2).sum()) * groups / (groups - 1) / n**2
    reach = _t975(groups - 1) * math.sqrt(variance)
    return Difference(mean, (mean - reach, mean + reach), _sign_flip(sums, seed, flips))


def mcnemar(only_a: int, only_b: int) -> float:
    """Return McNemar's two-sided p for hits that only one of two had.

    Exact: twice the binomial tail (McNemar 1947). It takes events as independent; the sign-flip by
    user does not.
    """
    n = only_a + only_b
    return min(1.0, 2.0 * float(bdtr(min(only_a, only_b), n, 0.5))) if n else 1.0


def _by_user(values: Floats, users: Users) -> tuple[Floats, Floats]:
    """Return each user's sum of values and number of them."""
    _, group = np.unique(users, return_inverse=True)
    sums = np.bincount(group, values).astype(np.float64)
    return sums, np.bincount(group).astype(np.float64)


def _sign_flip(sums: Floats, seed: int, flips: int) -> float:
    moved = sums[sums != 0.0]
    if not len(moved):
        return 1.0
    met = abs(float(moved.sum())) - 1e-9  # sums of the same numbers in another order are equal
    random = np.random.default_rng(seed)
    at_once = max(1, FLIPS_AT_ONCE // len(moved))
    as_far = 0
    for start in range(0, flips, at_once):
        shape = (min(at_once, flips - start), len(moved))
        signs = random.integers(0, 2, shape, np.int8)
        flipped = 2.0 * (signs @ moved) - moved.sum()
        as_far += int((np.abs(flipped) >= met).sum())
    return float(as_far + 1) / (flips + 1)


def _t975(freedom: int) -> float:
    """Return Student's t at .975; without a degree of freedom the normal one."""
    return float(stdtrit(freedom, 0.975)) if freedom > 0 else Z95
