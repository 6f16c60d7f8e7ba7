"""Item-item: one graph of neighbours, read in several ways, each a feature of its own.

    s(i) = sum_k  w_k a_k E[j_k, i] / sqrt(n_j)      / sqrt(n_i) as a cosine

`a_k` weighs the k-th newest item of the history, by its place or by its time before the newest:

    co, co_short, co_long   E = co,   .8^k, .4^k, .98^k      cosine
    sr, sr_short, sr_soon   E = sr,   .8^k, .5^k, by time    rules: what came after
    near, near_short        E = near, by time, slow and fast cosine
    walk                    E = near, a second step from what is nearest to the newest five

Incremental item-item collaborative filtering (Huang et al. 2015, TencentRec) with both sums
decayed by distance, sequential rules (Ludewig & Jannach 2018), and both by the wall clock. What
each is worth to the fusion stands in docs/decisions/0007-learned-fusion.md.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Final

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.histories import Histories, Rows, Scores, Steps
from millstream.models.neighbours import Neighbours
from millstream.models.pair_reading import because, retrieve, score
from millstream.models.source import Arrays, LearnsFromSteps

Items = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Decay = Annotated[float, msgspec.Meta(gt=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]

PLACES: Final = ((0.8, 30), (0.4, 8), (0.98, 1_000), (0.8, 20), (0.5, 3))
"""Decay and depth by which co, co_short, co_long, sr and sr_short weigh the history."""
RETRIEVED: Final = (0.8, 12)
"""The same for what is proposed, by `co`."""


class PairsParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `pairs`; times in seconds."""

    proposals: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 190
    width: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 256
    pair_items: Items = 50
    pair_decay: Decay = 0.95
    rule_items: Items = 20
    rule_decay: Decay = 0.7
    near_s: Seconds = 120.0
    near_short_s: Seconds = 20.0
    profile_items: Items = 30


class Pairs(LearnsFromSteps):
    """The graph of neighbours and its readings; proposes by `co`."""

    name = "pairs"
    features: ClassVar[Mapping[str, float]] = MappingProxyType(
        {
            "co": 0.1,
            "co_short": 0.1,
            "co_long": 0.1,
            "sr": 0.1,
            "sr_short": 0.1,
            "sr_soon": 0.0,
            "near": 0.0,
            "near_short": 0.0,
            "walk": 0.0,
        }
    )

    def __init__(self, params: PairsParams) -> None:
        """Start empty."""
        self.params = params
        depth = params.profile_items
        self.places = np.stack([_powers(decay, n, depth) for decay, n in PLACES], axis=1)
        n = min(RETRIEVED[1], depth)
        self.retrieved = _powers(RETRIEVED[0], n, n)
        pairs = _powers(params.pair_decay, params.pair_items, params.pair_items)
        n = min(params.rule_items, params.pair_items)
        rules = _powers(params.rule_decay, n, n)
        self.neighbours = Neighbours(params.width, pairs, rules, params.near_s)

    def grow(self, rows: int) -> None:
        """Make room for item rows 0 .. rows - 1."""
        self.neighbours.grow(rows)

    def forget(self, rows: Rows) -> None:
        """Drop these rows and every edge to them."""
        self.neighbours.forget(rows)

    def learn(self, steps: Steps) -> None:
        """Pair each item with what it followed."""
        self.neighbours.learn(steps)

    def retrieve(self, histories: Histories, k: int) -> Rows:
        """Return the k best by `co`, (B, k), padded with -1."""
        return retrieve(self.neighbours, histories, self.retrieved, k)

    def score(self, histories: Histories, candidates: Rows) -> Scores:
        """Return each reading of each candidate, (9, B, C), at least 0; unknown rows 0."""
        out = np.zeros((len(self.features), *candidates.shape), np.float32)
        near_s = (self.params.near_s, self.params.near_short_s)
        score(self.neighbours, histories, self.places, near_s, candidates, out)
        return out

    def because(self, histories: Histories, listed: Rows) -> Rows:
        """Return the history row that weighs most in each listed row (B, n), or -1."""
        return because(self.neighbours, histories, self.retrieved, listed)

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the graph."""
        return self.neighbours.arrays()

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the graph: there is nothing else."""
        return self.neighbours.arrays()

    def load(self, arrays: Arrays) -> None:
        """Replace the graph."""
        self.neighbours.load(arrays)


def _powers(decay: float, n: int, length: int) -> npt.NDArray[np.float32]:
    """Return decay^0, decay^1 .. of which the first n count, the rest up to `length` is 0."""
    powers = np.float64(decay) ** np.arange(length)
    powers[n:] = 0.0
    return powers.astype(np.float32)
