"""Popularity with a half-life, what is trending, and how old, how frequent, how recent an item is.

Five features: `pop` and `trend`, decayed counts; `since`, log(1 + interactions since the item's
last); `count`, log(1 + its weight so far); `age`, log(1 + s from its first to the person's newest).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Final

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown, missing
from millstream.models.decayed import Decayed, Doubles
from millstream.models.elementary import signed_log
from millstream.models.histories import Histories, Rows, Scores, Steps
from millstream.models.jit import kernel
from millstream.models.source import Arrays, LearnsFromSteps

Longs = npt.NDArray[np.int64]

NEVER: Final = -1
"""Stands in `first_ms` and `last` for an item that nobody met."""


class PopParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `pop`; half-lives are counted in interactions."""

    proposals: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 60
    half_life: Annotated[float, msgspec.Meta(gt=0)] = 5000.0
    trending_half_life: Annotated[float, msgspec.Meta(gt=0)] = 500.0
    head: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 512


class Pop(LearnsFromSteps):
    """Scores by popularity and age; proposes what is popular and what is trending in turns."""

    name = "pop"
    features: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"pop": 0.1, "trend": 0.0, "since": 0.0, "count": 0.0, "age": 0.0}
    )

    def __init__(self, params: PopParams) -> None:
        """Start empty."""
        self.popular = Decayed(params.half_life, params.head)
        self.trending = Decayed(params.trending_half_life, params.head)
        self.rows = 0
        self.steps = np.zeros(1, np.int64)
        self.totals: Doubles = np.zeros(0, np.float64)
        self.last: Longs = np.zeros(0, np.int64)  # number of the step that met it last
        self.first_ms: Longs = np.zeros(0, np.int64)

    def grow(self, rows: int) -> None:
        """Make room for item rows 0 .. rows - 1."""
        self.popular.grow(rows)
        self.trending.grow(rows)
        self.totals = grown(self.totals, rows)
        self.last = grown(self.last, rows)
        self.first_ms = grown(self.first_ms, rows)
        if rows > self.rows:
            self._begin(slice(self.rows, rows))
            self.rows = rows

    def forget(self, rows: Rows) -> None:
        """Set these items back to where they began."""
        self.popular.forget(rows)
        self.trending.forget(rows)
        self._begin(rows)

    def learn(self, steps: Steps) -> None:
        """Count the interactions."""
        self.popular.add(steps.rows, steps.weights)
        self.trending.add(steps.rows, steps.weights)
        arrays = (self.steps, self.totals, self.last, self.first_ms)
        _count(*arrays, steps.rows, steps.weights, steps.ts_ms)

    def retrieve(self, histories: Histories, k: int) -> Rows:
        """Return the same rows for all: popular and trending in turns, distinct, (B, k)."""
        turns = missing(k)
        trending = self.trending
        _take_turns(self.popular.top(k), trending.top(k), trending.places, turns)
        return np.repeat(turns[None, :], len(histories), axis=0)

    def score(self, histories: Histories, candidates: Rows) -> Scores:
        """Return the five features, (5, B, C); to strangers `pop` is what is trending."""
        out = np.zeros((len(self.features), *candidates.shape), np.float32)
        _score(
            self.popular.counts[: self.rows],
            self.popular.scale,
            self.trending.counts,
            self.trending.scale,
            self.totals,
            self.last,
            self.first_ms,
            int(self.steps[0]),
            histories.ptr,
            histories.ts_ms,
            candidates,
            out,
        )
        return out

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return counts, their scales, and when each item was met."""
        popular, popular_scale = self.popular.arrays()
        trending, trending_scale = self.trending.arrays()
        return {
            "popular": popular,
            "popular_scale": popular_scale,
            "trending": trending,
            "trending_scale": trending_scale,
            "steps": self.steps,
            "totals": self.totals[: self.rows],
            "last": self.last[: self.rows],
            "first_ms": self.first_ms[: self.rows],
        }

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the same: the heads follow from the counts."""
        return self.read_arrays()

    def load(self, arrays: Arrays) -> None:
        """Replace the state."""
        self.popular.load(arrays["popular"], arrays["popular_scale"])
        self.trending.load(arrays["trending"], arrays["trending_scale"])
        self.steps = np.array(arrays["steps"], np.int64)
        self.totals = np.array(arrays["totals"], np.float64)
        self.last = np.array(arrays["last"], np.int64)
        self.first_ms = np.array(arrays["first_ms"], np.int64)
        self.rows = len(self.totals)

    def _begin(self, rows: Rows | slice) -> None:
        self.totals[rows] = 0.0
        self.last[rows] = NEVER
        self.first_ms[rows] = NEVER


@kernel
def _count(
    steps: Longs,
    totals: Doubles,
    last: Longs,
    first_ms: Longs,
    rows: Rows,
    weights: npt.NDArray[np.float32],
    ts_ms: Longs,
) -> None:
    for n in range(len(rows)):
        row = rows[n]
        steps[0] += 1
        totals[row] += weights[n]
        last[row] = steps[0]
        if first_ms[row] == NEVER:
            first_ms[row] = ts_ms[n]


@kernel
def _score(
    popular: Doubles,
    popular_scale: float,
    trending: Doubles,
    trending_scale: float,
    totals: Doubles,
    last: Longs,
    first_ms: Longs,
    steps: int,
    ptr: Longs,
    ts_ms: Longs,
    rows: Rows,
    out: Scores,
) -> None:
    for b in range(len(rows)):
        stranger = ptr[b] == ptr[b + 1]
        newest = np.int64(0) if stranger else ts_ms[ptr[b]]
        for c in range(rows.shape[1]):
            row = rows[b, c]
            if not (0 <= row < len(popular)) or last[row] == NEVER:
                continue
            out[1, b, c] = trending[row] / trending_scale
            out[0, b, c] = out[1, b, c] if stranger else popular[row] / popular_scale
            out[2, b, c] = steps - last[row]
            out[3, b, c] = totals[row]
            out[4, b, c] = max(newest - first_ms[row], 0) * 0.001
        for x in range(2, 5):
            signed_log(out[x, b])


@kernel
def _take_turns(one: Rows, other: Rows, place: Rows, out: Rows) -> None:
    """Mix two heads; what stands in the other's already, by its place there, is passed over."""
    n = 0
    for q in range(max(len(one), len(other))):
        if q < len(one) and n < len(out):
            at = place[one[q]] - 1
            if at < 0 or at >= q:
                out[n] = one[q]
                n += 1
        if q < len(other) and n < len(out):
            met = False
            for e in range(min(q + 1, len(one))):
                met |= one[e] == other[q]
            if not met:
                out[n] = other[q]
                n += 1
