"""FISM: an item is scored by what the history's items say of it, in learned factors.

    s(i) = p . y_i + b_i,   p = sum_k decay^k w_k x_{j_k} / sqrt(sum_k decay^k w_k)

Two vectors an item, x as something met and y as something to meet; no vector for the person
(Kabbur et al. 2013). Each interaction is one gradient step under a softmax over the item and
`negatives` others drawn by hash, so that every replica draws the same.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Final

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown
from millstream.models.elementary import dots, draw, exponential
from millstream.models.histories import Histories, Rows, Scores, Steps
from millstream.models.jit import kernel
from millstream.models.ridge import Floats, begin
from millstream.models.source import Arrays, LearnsFromSteps, OnlyRescores

HEAVIEST: Final = np.float32(2.0)
"""What one item of a history counts at most: a step grows with it, and too long a step diverges."""


class FismParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `fism`; factors a multiple of 8."""

    factors: Annotated[int, msgspec.Meta(ge=8, le=256, multiple_of=8)] = 32
    rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.2
    bias_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.05
    decay: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0001
    negatives: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 50
    profile_items: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 30
    profile_decay: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9


class Fism(LearnsFromSteps, OnlyRescores):
    """Learned item factors; rescores only, proposes nothing."""

    name = "fism"
    features: ClassVar[Mapping[str, float]] = MappingProxyType({"fism": 0.1})

    def __init__(self, params: FismParams, seed: int = 0) -> None:
        """Start empty."""
        self.params = params
        self.seed = seed
        powers = np.float64(params.profile_decay) ** np.arange(params.profile_items)
        self.place_weights: Floats = powers.astype(np.float32)
        self.rows = 0
        self.met: Floats = np.zeros((0, params.factors), np.float32)
        self.to_meet: Floats = np.zeros((0, params.factors), np.float32)
        self.bias: Floats = np.zeros(0, np.float32)
        self.counts = np.zeros(2, np.int64)  # steps taken; rows below which all were learnt

    def grow(self, rows: int) -> None:
        """Give each new row vectors that are a hash of (seed, row)."""
        self.met = grown(self.met, rows)
        self.to_meet = grown(self.to_meet, rows)
        self.bias = grown(self.bias, rows)
        for row in range(self.rows, rows):
            self._begin(row)
        self.rows = max(self.rows, rows)

    def forget(self, rows: Rows) -> None:
        """Set these rows back to where they began."""
        for row in rows.tolist():
            self._begin(row)

    def learn(self, steps: Steps) -> None:
        """Take one gradient step an interaction that followed a history."""
        p = self.params
        _learn(
            self.met,
            self.to_meet,
            self.bias,
            self.counts,
            steps.rows,
            steps.weights,
            steps.ptr,
            steps.history,
            steps.history_weights,
            self.place_weights,
            p.negatives,
            np.float32(p.rate),
            np.float32(p.bias_rate),
            np.float32(p.decay),
            self.seed,
        )

    def score(self, histories: Histories, candidates: Rows) -> Scores:
        """Return p . y + b, (1, B, C); without a history 0."""
        out = np.zeros((1, *candidates.shape), np.float32)
        _score(
            self.met[: self.rows],
            self.to_meet,
            self.bias,
            histories.ptr,
            histories.rows,
            histories.weights,
            self.place_weights,
            candidates,
            out[0],
        )
        return out

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the vectors, biases and counts."""
        n = self.rows
        return {
            "met": self.met[:n],
            "to_meet": self.to_meet[:n],
            "bias": self.bias[:n],
            "counts": self.counts,
        }

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the same: there is nothing else."""
        return self.read_arrays()

    def load(self, arrays: Arrays) -> None:
        """Replace the state."""
        self.met = np.array(arrays["met"], np.float32)
        self.to_meet = np.array(arrays["to_meet"], np.float32)
        self.bias = np.array(arrays["bias"], np.float32)
        self.counts = np.array(arrays["counts"], np.int64)
        self.rows = len(self.bias)

    def _begin(self, row: int) -> None:
        begin(self.seed + 3, row, self.met[row])
        begin(self.seed + 4, row, self.to_meet[row])
        self.bias[row] = 0.0


@kernel
def _person(
    met: Floats,
    rows: Rows,
    weights: Floats,
    place_weights: Floats,
    used: Floats,
    out: Floats,
) -> int:
    """Write p into `out` and what each item of the history counted into `used`; return how many."""
    out[:] = 0.0
    total = 0.0
    n = min(len(rows), len(place_weights))
    for k in range(n):
        known = rows[k] < len(met)
        used[k] = place_weights[k] * min(weights[k], HEAVIEST) if known else np.float32(0.0)
        total += used[k]
    if total <= 0.0:
        return 0
    inverse = np.float32(1.0 / np.sqrt(total))
    for k in range(n):
        if used[k] > 0.0:
            used[k] *= inverse
            for f in range(len(out)):
                out[f] += used[k] * met[rows[k], f]
    return n


@kernel
def _score(
    met: Floats,
    to_meet: Floats,
    bias: Floats,
    ptr: npt.NDArray[np.int64],
    rows: Rows,
    weights: Floats,
    place_weights: Floats,
    candidates: Rows,
    out: Scores,
) -> None:
    factors = met.shape[1]
    person = np.empty(factors, np.float32)
    used = np.empty(len(place_weights), np.float32)
    for b in range(len(candidates)):
        part = slice(ptr[b], ptr[b + 1])
        if _person(met, rows[part], weights[part], place_weights, used, person) == 0:
            continue
        dots(to_meet[: len(met)], candidates[b], person, out[b])
        for c in range(candidates.shape[1]):
            row = candidates[b, c]
            if 0 <= row < len(met):
                out[b, c] += bias[row]


@kernel
def _learn(
    met: Floats,
    to_meet: Floats,
    bias: Floats,
    counts: npt.NDArray[np.int64],
    rows: Rows,
    weights: Floats,
    ptr: npt.NDArray[np.int64],
    history: Rows,
    history_weights: Floats,
    place_weights: Floats,
    negatives: int,
    rate: np.float32,
    bias_rate: np.float32,
    decay: np.float32,
    seed: int,
) -> None:
    factors = met.shape[1]
    person = np.empty(factors, np.float32)
    pull = np.empty(factors, np.float32)
    used = np.empty(len(place_weights), np.float32)
    drawn = np.empty(negatives + 1, np.int32)
    p = np.empty(negatives + 1, np.float32)
    for step in range(len(rows)):
        row = rows[step]
        counts[0] += 1
        counts[1] = max(counts[1], row + 1)
        part = slice(ptr[step], ptr[step + 1])
        known = _person(met, history[part], history_weights[part], place_weights, used, person)
        if known == 0:
            continue
        drawn[0] = row
        n = 1
        for q in range(negatives):
            other = draw(seed, counts[0], q) % counts[1]
            drawn[n] = other
            n += other != row
        if n == 1:
            continue
        most = np.float32(-1e30)
        dots(to_meet, drawn[:n], person, p)
        for q in range(n):
            p[q] += bias[drawn[q]]
            most = max(most, p[q])
        for q in range(n):
            p[q] -= most
        exponential(p[:n])
        mass = np.float32(0.0)
        for q in range(n):
            mass += p[q]
        worth = min(weights[step], np.float32(1.0))
        pull[:] = 0.0
        for q in range(n):
            other = drawn[q]
            miss = worth * ((np.float32(1.0) if q == 0 else np.float32(0.0)) - p[q] / mass)
            bias[other] += bias_rate * (miss - decay * bias[other])
            for f in range(factors):
                pull[f] += miss * to_meet[other, f]
                to_meet[other, f] += rate * (miss * person[f] - decay * to_meet[other, f])
        for k in range(known):
            if used[k] > 0.0:
                other = history[ptr[step] + k]
                for f in range(factors):
                    met[other, f] += rate * (used[k] * pull[f] - decay * met[other, f])
