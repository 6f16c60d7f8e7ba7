"""Fusion: how the features of all sources become one order, learned from what people choose.

    linear   s(c) = sum_k (w_bucket,k + v_k) z_k(c)          z: signed logs of z-scores
    network  s(c) + out . softsign(into' x(c) + bias)        the best `top` by the linear score

Each sampled interaction moves the weights towards the item that was chosen, under a softmax over
the candidates: the linear part by a Newton step for the bucket of the history's length and one
for all, the network by a step of Adam for this choice and one for each of `replays` earlier ones,
drawn from the latest `memory`. What ranks is the running mean of the weights that Adam walks
through (Polyak & Juditsky 1992). Weights may be negative. A person without a history gets what is
trending. What was tried stands in docs/decisions/0007-learned-fusion.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.arrays import missing
from millstream.models.choice_memory import ChoiceMemory
from millstream.models.contexts import BUCKET_EDGES, contexts
from millstream.models.fusion_kernels import Doubles, Floats
from millstream.models.fusion_learn import learn
from millstream.models.fusion_rank import rank
from millstream.models.histories import Histories, Rows, Scores
from millstream.models.source import Arrays

STRANGERS: Final = "pop"
"""The feature by which those without a history are served."""
CONTEXT: Final = 3
"""Inputs of the network beside the features: history, session, linear score below the best."""


NO_BONUS: Final = np.zeros((0, 0), np.float32)


class FusionParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of fusion."""

    candidates_max: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 250
    learn: bool = True
    sample: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.25
    sampled_from: Annotated[int, msgspec.Meta(ge=0)] = 100_000
    prior: Annotated[float, msgspec.Meta(gt=0)] = 100.0
    top: Annotated[int, msgspec.Meta(ge=2, le=1_000)] = 50
    hidden: Annotated[int, msgspec.Meta(ge=0, le=256, multiple_of=8)] = 32
    rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.003
    decay: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0001
    replays: Annotated[int, msgspec.Meta(ge=0, le=100)] = 1
    memory: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1000


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best of each user's candidates, best first; padded with row -1, score 0, part 0."""

    rows: Rows  # (B, n)
    scores: Scores  # (B, n), descending
    parts: Scores  # (B, n, K): what each feature gave to the linear score

    def features(self) -> npt.NDArray[np.int64]:
        """Return the number of the feature that gave most to each entry, (B, n)."""
        return np.asarray(self.parts.argmax(axis=2))


class Fusion:
    """The weights, and how they learn. LEARN's learns; a replica is given what `changes` returns.

    A user's order does not depend on who shares the batch; ties go to the earlier candidate.
    """

    def __init__(self, features: Mapping[str, float], params: FusionParams, seed: int = 0) -> None:
        """Take each feature's name and the weight that it starts from."""
        self.features = tuple(features)
        self.params = params
        k, h = len(features), params.hidden
        buckets = len(BUCKET_EDGES)
        self.own: Doubles = np.zeros((buckets, k))
        self.shared: Doubles = np.array(list(features.values()), np.float64)
        self.own_curvature: Doubles = np.stack([np.eye(k) * params.prior] * buckets)
        self.shared_curvature: Doubles = np.eye(k) * params.prior
        random = np.random.default_rng(seed)
        inputs = (k + CONTEXT + 3) // 4 * 4  # whole lanes; the last may be empty
        self.into: Floats = random.normal(0, 0.45 / np.sqrt(inputs), (inputs, h)).astype(np.float32)
        self.bias: Floats = np.zeros(h, np.float32)
        self.out: Floats = np.zeros(h, np.float32)
        self.path: Floats = np.concatenate((self.into.ravel(), self.bias, self.out))
        self.moments: Floats = np.zeros((2, len(self.path)), np.float32)
        self.steps = np.zeros(2, np.int64)  # choices kept in memory so far; steps of Adam
        self._memory = ChoiceMemory(params.memory, params.top, inputs)
        self._seed = seed
        self._changed = False
        self._by_stranger: Floats = np.array(
            [float(name == STRANGERS) for name in features], np.float32
        )
        if STRANGERS not in features:
            self._by_stranger = self.shared.astype(np.float32)
        self._weights = self._by_bucket()

    def rank(
        self,
        features: Scores,
        candidates: Rows,
        histories: Histories,
        n: int,
        bonus: Scores | None = None,
    ) -> Ranked:
        """Return the n best candidates (B, C) of each user by their features (K, B, C).

        Padding (-1) may stand anywhere and is never listed. What `bonus` (B, C) gives is added to
        the linear score.
        """
        users = len(candidates)
        rows = missing(users, n)
        total = np.zeros((users, n), np.float32)
        parts = np.zeros((users, n, len(features)), np.float32)
        bucket, context = contexts(histories)
        rank(
            features,
            candidates,
            NO_BONUS if bonus is None else bonus,
            self._weights,
            bucket,
            context,
            self.params.top,
            self.into,
            self.bias,
            self.out,
            rows,
            total,
            parts,
        )
        return Ranked(rows, total, parts)

    def learn(
        self,
        features: Scores,
        candidates: Rows,
        histories: Histories,
        chosen: Rows,
        worth: Floats,
    ) -> Rows:
        """Learn, one user after another, from the row that each chose among their candidates.

        A choice counts its `worth` (B,), at most 1. Who chose none of them, or has no history,
        teaches nothing. Returns how many candidates stood above the chosen one before it was
        learnt, by the fusion and by `pop` alone, (2, B); -1 where nothing was taught.
        """
        bucket, context = contexts(histories)
        above = missing(2, len(candidates))
        learn(
            features,
            candidates,
            chosen,
            np.minimum(worth, np.float32(1.0)),
            bucket,
            context,
            self.own,
            self.own_curvature,
            self.shared,
            self.shared_curvature,
            self.params.top,
            self.into,
            self.bias,
            self.out,
            self.path,
            self.moments,
            self.steps,
            *self._memory.opened(),
            self.params.replays,
            self._seed,
            self.params.rate,
            self.params.decay,
            self.features.index(STRANGERS) if STRANGERS in self.features else -1,
            above,
        )
        self._weights = self._by_bucket()
        self._changed = True
        return above

    def changes(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return all weights, if any moved since the last call."""
        changed, self._changed = self._changed, False
        return {name: a.copy() for name, a in self.read_arrays().items()} if changed else {}

    def apply(self, changes: Arrays) -> None:
        """Take in the learner's weights."""
        self.own = np.array(changes["own"], np.float64)
        self.shared = np.array(changes["shared"], np.float64)
        self.into = np.array(changes["into"], np.float32)
        self.bias = np.array(changes["bias"], np.float32)
        self.out = np.array(changes["out"], np.float32)
        self._weights = self._by_bucket()

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the weights."""
        return {
            "own": self.own,
            "shared": self.shared,
            "into": self.into,
            "bias": self.bias,
            "out": self.out,
        }

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the weights and what learning keeps beside them."""
        return self.read_arrays() | {
            "own_curvature": self.own_curvature,
            "shared_curvature": self.shared_curvature,
            "path": self.path,
            "moments": self.moments,
            "steps": self.steps,
            **self._memory.arrays(),
        }

    def load(self, arrays: Arrays) -> None:
        """Replace the state; from `read_arrays` alone a replica's."""
        self.apply(arrays)
        if "steps" in arrays:
            self.own_curvature = np.array(arrays["own_curvature"], np.float64)
            self.shared_curvature = np.array(arrays["shared_curvature"], np.float64)
            self.path = np.array(arrays["path"], np.float32)
            self.moments = np.array(arrays["moments"], np.float32)
            self.steps = np.array(arrays["steps"], np.int64)
            self._memory.load(arrays)
        self._changed = False

    def _by_bucket(self) -> Floats:
        """Return the linear weights of strangers and of each bucket, (1 + buckets, K)."""
        learnt = (self.own + self.shared).astype(np.float32)
        return np.concatenate((self._by_stranger[None, :], learnt))
