"""How a fusion ranks: the linear order, and within its best that of the network."""

import numpy as np
import numpy.typing as npt

from millstream.models.fusion_kernels import Floats, forward, linear, standardise
from millstream.models.histories import Rows, Scores
from millstream.models.jit import kernel
from millstream.models.select import best


@kernel
def gather_inputs(
    z: Floats, context: Floats, scores: Floats, places: Rows, n: int, inputs: Floats
) -> None:
    """Write what the network hears of n candidates, the best by the linear score first."""
    k = len(z)
    for q in range(n):
        for x in range(k):
            inputs[q, x] = z[x, places[q]]
        inputs[q, k] = context[0]
        inputs[q, k + 1] = context[1]
        inputs[q, k + 2] = scores[q] - scores[0]


@kernel
def rank(
    features: Scores,
    candidates: Rows,
    bonus: Scores,
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
    """Write each user's best rows, their scores, and what each feature gave to them."""
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
        if bonus.shape[1] > 0:
            for q in range(n):
                sums[q] += bonus[b, place[q]]
        found = best(sums, numbers, n, scores, places)
        lifted = min(found, top)
        if bucket[b] > 0 and len(out) > 0:
            # The best by both; what follows goes on below them in its own order.
            gather_inputs(z, context[b], scores, places, lifted, inputs)
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
