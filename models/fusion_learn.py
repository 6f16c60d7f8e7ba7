"""How a fusion learns from choices: a Newton step, and steps of Adam from now and before."""

from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.elementary import draw
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
from millstream.models.fusion_rank import gather_inputs
from millstream.models.histories import Rows, Scores
from millstream.models.jit import kernel
from millstream.models.neighbours import last_place
from millstream.models.select import best

MEAN_OF: Final = 0.001
"""What the newest weights count in the running mean of the network's."""


@kernel
def _above(scores: Floats, n: int, target: int) -> int:
    """Return how many of the first n stand above the target; of those level with it, half."""
    above, level = 0, 0
    for q in range(n):
        above += scores[q] > scores[target]
        level += scores[q] == scores[target]
    return above + (level - 1) // 2


@kernel
def learn(
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
    """Move all weights in place by one choice a user, and write how many stood `above` it."""
    width = candidates.shape[1]
    units = len(out)
    z = np.empty((len(features), width), np.float32)
    listed = np.empty(width, np.int32)
    place = np.empty(width, np.int32)
    numbers = np.arange(width).astype(np.int32)
    sums, p = np.empty(width, np.float32), np.empty(width, np.float32)
    weights = np.empty(len(features), np.float32)
    inputs = np.zeros((top, len(into)), np.float32)
    hidden = np.empty((top, units), np.float32)
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
        gather_inputs(z, context[b], scores, places, lifted, inputs)
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
