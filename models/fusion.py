"""Fusion: how the features of all sources become one order, learned from what people choose.

    linear   s(c) = sum_k (w_bucket,k + v_k) z_k(c)          z: signed logs of z-scores
    network  s(c) + out . softsign(into' x(c) + bias)        the best `top` by the linear score

Each sampled interaction moves the weights towards the item that was chosen, under a softmax over
the candidates: the linear part by a Newton step for the bucket of the history's length and one
for all, the network by a step of Adam. Weights may be negative. A person without a history gets
what is trending. What was tried stands in docs/decisions/0007-learned-fusion.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.arrays import missing
from millstream.models.elementary import draw, signed_log
from millstream.models.fusion_kernels import (
    Doubles,
    Floats,
    adam,
    backward,
    forward,
    linear,
    newton,
    probabilities,
    standardise,
)
from millstream.models.histories import Histories, Rows, Scores
from millstream.models.jit import kernel
from millstream.models.neighbours import last_place
from millstream.models.select import best
from millstream.models.source import Arrays

BUCKET_EDGES: Final = (0, 2, 8, 30)
"""A bucket ends at so many items of history; the first, of none, is not learned."""
STRANGERS: Final = "pop"
"""The feature by which those without a history are served."""
MEAN_OF: Final = 0.001
"""What the newest weights count in the running mean of the network's."""
SESSION_MS: Final = 30 * 60 * 1000
CONTEXT: Final = 3
"""Inputs of the network beside the features: history, session, linear score below the best."""
MEMORY: Final = ("memory_inputs", "memory_scores", "memory_choices")


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


class _Memory:
    """The latest choices that the network learned from, to be learned from again: a ring."""

    def __init__(self, params: FusionParams, inputs: int) -> None:
        """Hold nothing: only a learner needs the room."""
        self._length = params.memory
        self._shape = (_by_four(params.top), inputs)
        self._arrays = self._made(0)

    def opened(self) -> tuple[Floats, Floats, Rows]:
        """Return inputs (M, top, D), scores and worth (M, top + 1), number and target (M, 2)."""
        if not len(self._arrays[0]):
            self._arrays = self._made(self._length)
        return self._arrays

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the three by name."""
        return dict(zip(MEMORY, self._arrays, strict=True))

    def load(self, arrays: Arrays) -> None:
        """Replace what is held."""
        self._arrays = self._made(len(arrays[MEMORY[0]]))
        for mine, name in zip(self._arrays, MEMORY, strict=True):
            mine[:] = arrays[name]

    def _made(self, length: int) -> tuple[Floats, Floats, Rows]:
        top, inputs = self._shape
        return (
            np.zeros((length, top, inputs), np.float32),
            np.zeros((length, top + 1), np.float32),
            np.zeros((length, 2), np.int32),
        )


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
        inputs = _by_four(k + CONTEXT)
        self.into: Floats = random.normal(0, 0.45 / np.sqrt(inputs), (inputs, h)).astype(np.float32)
        self.bias: Floats = np.zeros(h, np.float32)
        self.out: Floats = np.zeros(h, np.float32)
        self.path: Floats = np.concatenate((self.into.ravel(), self.bias, self.out))
        self.moments: Floats = np.zeros((2, len(self.path)), np.float32)
        self.steps = np.zeros(2, np.int64)  # choices kept in memory so far; steps of Adam
        self._memory = _Memory(params, inputs)
        self._seed = seed
        self._changed = False
        self._by_stranger: Floats = np.array(
            [float(name == STRANGERS) for name in features], np.float32
        )
        if STRANGERS not in features:
            self._by_stranger = self.shared.astype(np.float32)
        self._weights = self._by_bucket()

    def rank(self, features: Scores, candidates: Rows, histories: Histories, n: int) -> Ranked:
        """Return the n best candidates (B, C) of each user by their features (K, B, C).

        Padding (-1) may stand anywhere and is never listed.
        """
        users = len(candidates)
        rows = missing(users, n)
        total = np.zeros((users, n), np.float32)
        parts = np.zeros((users, n, len(features)), np.float32)
        bucket, context = _contexts(histories)
        _rank(
            features,
            candidates,
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
        bucket, context = _contexts(histories)
        above = missing(2, len(candidates))
        _learn(
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


def _contexts(histories: Histories) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return each user's bucket, 0 for strangers, and what the network hears of them (B, 2)."""
    bucket = np.empty(len(histories), np.int64)
    context = np.empty((len(histories), 2), np.float32)
    _read_contexts(histories.ptr, histories.ts_ms, bucket, context)
    return bucket, context


@kernel
def _by_four(n: int) -> int:
    return (n + 3) // 4 * 4


@kernel
def _read_contexts(
    ptr: npt.NDArray[np.int64],
    ts_ms: npt.NDArray[np.int64],
    bucket: npt.NDArray[np.int64],
    context: Floats,
) -> None:
    """A session is the newest items between which less than half an hour passed."""
    for b in range(len(bucket)):
        begin, n = ptr[b], ptr[b + 1] - ptr[b]
        bucket[b] = 0
        for edge in BUCKET_EDGES:
            bucket[b] += n > edge
        session = min(n, 1)
        while 0 < session < n:
            if ts_ms[begin + session - 1] - ts_ms[begin + session] >= SESSION_MS:
                break
            session += 1
        context[b, 0], context[b, 1] = n, session
        signed_log(context[b])
        for x in range(2):
            context[b, x] = min(context[b, x] / np.float32(3.0), np.float32(2.0)) - np.float32(1.0)


@kernel
def _gather_inputs(
    z: Floats, context: Floats, scores: Floats, places: Rows, n: int, inputs: Floats
) -> None:
    k = len(z)
    for q in range(n):
        for x in range(k):
            inputs[q, x] = z[x, places[q]]
        inputs[q, k] = context[0]
        inputs[q, k + 1] = context[1]
        inputs[q, k + 2] = scores[q] - scores[0]


@kernel
def _rank(
    features: Scores,
    candidates: Rows,
    weights: Floats,
    bucket: npt.NDArray[np.int64],
    context: Floats,
    top: int,
    into: Floats,
    bias: Floats,
    out: Floats,
    rows: Rows,
    total: Scores,
    parts: Scores,
) -> None:
    width = candidates.shape[1]
    z = np.empty((len(features), width), np.float32)
    listed = np.empty(width, np.int32)
    place = np.empty(width, np.int32)
    numbers = np.arange(width).astype(np.int32)
    sums = np.empty(width, np.float32)
    inputs = np.zeros((top, len(into)), np.float32)
    hidden = np.empty((top, len(out)), np.float32)
    long = max(top, rows.shape[1])
    scores, head = np.empty(long, np.float32), np.empty(top, np.float32)
    places, order = np.empty(long, np.int32), np.empty(top, np.int32)
    for b in range(len(candidates)):
        n = standardise(candidates, features, b, listed, place, z)
        if n == 0:
            continue
        own = weights[bucket[b]]
        linear(z, n, own, sums)
        found = best(sums, numbers, n, scores, places)
        lifted = min(found, top)
        if bucket[b] > 0 and len(out) > 0:
            # The best by both; what follows goes on below them in its own order.
            _gather_inputs(z, context[b], scores, places, lifted, inputs)
            last = scores[lifted - 1]
            forward(inputs, lifted, into, bias, out, hidden, scores)
            best(scores, numbers, lifted, head, order)
            for e in range(lifted):
                scores[e] = head[e]
                order[e] = places[order[e]]
            places[:lifted] = order[:lifted]
            for e in range(lifted, found):
                scores[e] += head[lifted - 1] - last
        for e in range(min(found, rows.shape[1])):
            rows[b, e] = listed[places[e]]
            total[b, e] = scores[e]
            for k in range(len(z)):
                parts[b, e, k] = own[k] * z[k, places[e]]


@kernel
def _above(scores: Floats, n: int, target: int) -> int:
    """Return how many of the first n stand above the target; of those level with it, half."""
    above, level = 0, 0
    for q in range(n):
        above += scores[q] > scores[target]
        level += scores[q] == scores[target]
    return above + (level - 1) // 2


@kernel
def _learn(
    features: Scores,
    candidates: Rows,
    chosen: Rows,
    worth: Floats,
    bucket: npt.NDArray[np.int64],
    context: Floats,
    own: Doubles,
    own_curvature: npt.NDArray[np.float64],
    shared: Doubles,
    shared_curvature: Doubles,
    top: int,
    into: Floats,
    bias: Floats,
    out: Floats,
    path: Floats,
    moments: Floats,
    steps: npt.NDArray[np.int64],
    memory_inputs: npt.NDArray[np.float32],
    memory_scores: Floats,
    memory_choices: Rows,
    replays: int,
    seed: int,
    rate: float,
    decay: float,
    popular: int,
    above: Rows,
) -> None:
    width = candidates.shape[1]
    units = len(out)
    z = np.empty((len(features), width), np.float32)
    listed = np.empty(width, np.int32)
    place = np.empty(width, np.int32)
    numbers = np.arange(width).astype(np.int32)
    sums, p = np.empty(width, np.float32), np.empty(width, np.float32)
    weights = np.empty(len(features), np.float32)
    inputs = np.zeros((_by_four(top), len(into)), np.float32)
    hidden = np.empty((_by_four(top), units), np.float32)
    scores, places = np.empty(top, np.float32), np.empty(top, np.int32)
    ends = into.size
    walked_into, walked_bias = path[:ends].reshape(into.shape), path[ends : ends + units]
    walked_out = path[ends + units :]
    gradient = np.empty(len(path), np.float32)
    into_gradient, bias_gradient = (
        gradient[:ends].reshape(into.shape),
        gradient[ends : ends + units],
    )
    out_gradient = gradient[ends + units :]
    for b in range(len(candidates)):
        n = standardise(candidates, features, b, listed, place, z)
        target = last_place(listed, n, chosen[b])
        if target < 0 or bucket[b] == 0:
            continue
        at = bucket[b] - 1
        for k in range(len(weights)):
            weights[k] = np.float32(own[at, k] + shared[k])
        linear(z, n, weights, sums)
        above[0, b] = _above(sums, n, target)
        if popular >= 0:
            above[1, b] = _above(z[popular], n, target)
        probabilities(sums, n, p)
        newton(z, n, p, target, worth[b], own[at], own_curvature[at], shared, shared_curvature)
        lifted = best(sums, numbers, n, scores, places)
        target = last_place(places, lifted, target)
        if units == 0 or target < 0:
            continue
        _gather_inputs(z, context[b], scores, places, lifted, inputs)
        held = steps[0] % len(memory_inputs)
        steps[0] += 1
        memory_inputs[held] = inputs
        memory_scores[held, :lifted] = scores[:lifted]
        memory_scores[held, -1] = worth[b]
        memory_choices[held, 0], memory_choices[held, 1] = lifted, target
        for turn in range(1 + replays):
            # The choice itself, then some of the latest: a choice is rare, and says more than
            # one step can take in.
            if turn > 0:
                held = draw(seed, steps[0], turn) % min(steps[0], len(memory_inputs))
                inputs[:] = memory_inputs[held]
                lifted, target = memory_choices[held, 0], memory_choices[held, 1]
                scores[:lifted] = memory_scores[held, :lifted]
            counted = memory_scores[held, -1]
            forward(inputs, lifted, walked_into, walked_bias, walked_out, hidden, scores)
            if turn == 0:
                above[0, b] = _above(scores, lifted, target)
            probabilities(scores, lifted, p)
            backward(
                inputs,
                lifted,
                target,
                p,
                counted,
                walked_out,
                hidden,
                into_gradient,
                bias_gradient,
                out_gradient,
            )
            steps[1] += 1
            adam(path, gradient, moments, steps[1], rate, decay)
        share = np.float32(max(MEAN_OF, 1.0 / steps[0]))
        flat = into.reshape(ends)
        for x in range(ends):
            flat[x] += share * (path[x] - flat[x])
        for x in range(units):
            bias[x] += share * (walked_bias[x] - bias[x])
            out[x] += share * (walked_out[x] - out[x])
