"""How the graph of neighbours is read: what a history proposes, its scores, who speaks for it."""

from typing import Final

import numpy as np

from millstream.models.arrays import missing
from millstream.models.elementary import exponential
from millstream.models.histories import Histories, Rows, Scores
from millstream.models.jit import kernel
from millstream.models.neighbours import Doubles, Floats, Longs, Neighbours
from millstream.models.select import best

TINY: Final = np.float32(1e-30)
"""Keeps a reached item's sum above 0, which marks it as reached, when its share underflows."""
FLOOR: Final = np.float32(1e-3)
"""What the newest item of a history weighs by time alone counts 1; each also this x .8^place."""
FLOOR_DECAY: Final = np.float32(0.8)
TIMED_ITEMS: Final = 30
"""Items of a history that are weighed by time."""
WALK_ITEMS: Final = 5
WALK_FROM: Final = 10
"""Newest items from which the first step of the walk is taken, and neighbours from which the
second."""
MS: Final = np.float32(0.001)
COSINES: Final = (0, 1, 2, 6, 7, 8)
"""The readings that are divided by the root of the candidate's own weight too."""


def retrieve(graph: Neighbours, histories: Histories, decay: Floats, k: int) -> Rows:
    """Return each user's k best items by co, (B, k), best first, padded with -1."""
    top = missing(len(histories), k)
    shape = (graph.ids, graph.co, graph.filled, graph.totals, decay)
    sums = np.zeros(len(graph.filled), np.float32)
    _retrieve(*shape, histories.ptr, histories.rows, histories.weights, sums, top)
    return top


def score(
    graph: Neighbours,
    histories: Histories,
    places: Floats,
    near_s: tuple[float, float],
    candidates: Rows,
    out: Scores,
) -> None:
    """Write the nine readings of each candidate into `out` (9, B, C), which is 0."""
    _score(
        graph.ids,
        graph.co,
        graph.sr,
        graph.near,
        graph.filled,
        graph.totals,
        places,
        near_s[0],
        near_s[1],
        histories.ptr,
        histories.rows,
        histories.weights,
        histories.ts_ms,
        np.zeros(len(graph.filled), np.int32),
        candidates,
        out,
    )


def because(graph: Neighbours, histories: Histories, decay: Floats, listed: Rows) -> Rows:
    """Return, for each listed row (B, n), the history row that weighs most in its co, or -1."""
    out = missing(*listed.shape)
    shape = (graph.ids, graph.co, graph.filled, graph.totals, decay)
    place = np.zeros(len(graph.filled), np.int32)
    _because(*shape, histories.ptr, histories.rows, histories.weights, place, listed, out)
    return out


@kernel
def _retrieve(
    ids: Rows,
    co: Floats,
    filled: Rows,
    totals: Doubles,
    decay: Floats,
    ptr: Longs,
    rows: Rows,
    weights: Floats,
    sums: Floats,
    top: Rows,
) -> None:
    reached = np.empty(min(len(filled), ids.shape[1] * len(decay)) + 1, np.int32)
    scores = np.empty(len(reached), np.float32)
    kept = np.empty(top.shape[1], np.float32)
    for b in range(len(top)):
        n = 0
        for k in range(min(len(decay), ptr[b + 1] - ptr[b])):
            row = rows[ptr[b] + k]
            if row >= len(filled) or totals[row] <= 0.0:
                continue
            factor = np.float32(decay[k] * weights[ptr[b] + k] / np.sqrt(totals[row]))
            for c in range(filled[row]):
                other = ids[row, c]
                reached[n] = other  # kept if new; without a branch, which was half the time
                n += sums[other] == 0.0
                sums[other] += factor * co[row, c] + TINY
        for q in range(n):
            other = reached[q]
            scores[q] = sums[other] / np.float32(np.sqrt(max(totals[other], 1e-9)))
            sums[other] = 0.0
        best(scores, reached, n, kept, top[b])


@kernel
def _score(
    ids: Rows,
    co: Floats,
    sr: Floats,
    near: Floats,
    filled: Rows,
    totals: Doubles,
    places: Floats,
    near_s: float,
    near_short_s: float,
    ptr: Longs,
    rows: Rows,
    weights: Floats,
    ts_ms: Longs,
    place: Rows,
    candidates: Rows,
    out: Scores,
) -> None:
    # An item's edges are first laid out by candidate: the nine sums then run over all of them at
    # once. Adding edge by edge took twice as long.
    width = candidates.shape[1]
    pair, rule = np.empty(width + 1, np.float32), np.empty(width + 1, np.float32)
    close = np.empty(width + 1, np.float32)
    soon = np.empty(TIMED_ITEMS, np.float32)
    short = np.empty(TIMED_ITEMS, np.float32)
    roots = np.empty(width, np.float32)
    steps = np.empty(WALK_ITEMS, np.float32)
    reach = np.zeros(len(filled), np.float32)
    for b in range(len(candidates)):
        begin = ptr[b]
        depth = min(len(places), ptr[b + 1] - begin)
        if depth == 0:
            continue
        for c in range(width):
            row = candidates[b, c]
            roots[c] = 0.0
            if 0 <= row < len(filled) and totals[row] > 0.0:
                place[row] = c + 1
                roots[c] = np.float32(1.0 / np.sqrt(totals[row]))
        timed = min(depth, TIMED_ITEMS)
        for k in range(timed):
            ago = np.float32(max(ts_ms[begin] - ts_ms[begin + k], 0)) * MS
            soon[k] = -ago / np.float32(near_s)
            short[k] = -ago / np.float32(near_short_s)
        exponential(soon[:timed])
        exponential(short[:timed])
        floor = FLOOR / FLOOR_DECAY
        steps[:] = 0.0
        for k in range(depth):
            row = rows[begin + k]
            floor *= FLOOR_DECAY
            if row >= len(filled) or totals[row] <= 0.0:
                continue
            root = np.float32(weights[begin + k] / np.sqrt(totals[row]))
            if k < WALK_ITEMS:
                steps[k] = root * (soon[k] + floor)
            pair[:] = 0.0
            if k >= TIMED_ITEMS:
                for c in range(filled[row]):
                    pair[place[ids[row, c]]] = co[row, c]
                _add(root * places[k, 2], pair, out[2, b])
                continue
            rule[:] = 0.0
            close[:] = 0.0
            for c in range(filled[row]):
                at = place[ids[row, c]]
                pair[at] = co[row, c]
                rule[at] = sr[row, c]
                close[at] = near[row, c]
            _add(root * places[k, 0], pair, out[0, b])
            _add(root * places[k, 1], pair, out[1, b])
            _add(root * places[k, 2], pair, out[2, b])
            _add(root * places[k, 3], rule, out[3, b])
            _add(root * places[k, 4], rule, out[4, b])
            _add(root * (soon[k] + floor), rule, out[5, b])
            _add(root * (soon[k] + floor), close, out[6, b])
            _add(root * (short[k] + floor), close, out[7, b])
        start = min(depth, WALK_ITEMS)
        _walk(
            ids,
            near,
            filled,
            totals,
            rows[begin : begin + start],
            steps[:start],
            place,
            reach,
            close,
            out[8, b],
        )
        for x in COSINES:
            for c in range(width):
                out[x, b, c] *= roots[c]
        for c in range(width):
            if 0 <= candidates[b, c] < len(filled):
                place[candidates[b, c]] = 0


@kernel
def _add(factor: np.float32, edges: Floats, out: Floats) -> None:
    """Add the edges of one item, of which the first belongs to no candidate."""
    if factor > 0.0:
        for c in range(len(out)):
            out[c] += factor * edges[c + 1]


@kernel
def _walk(
    ids: Rows,
    near: Floats,
    filled: Rows,
    totals: Doubles,
    rows: Rows,
    factors: Floats,
    place: Rows,
    reach: Floats,
    sums: Floats,
    out: Floats,
) -> None:
    """Write two steps along `near`: to what is nearest to these rows, and from there on.

    `factors` weigh the rows; `reach` is 0 everywhere, and is so again.
    """
    values = np.empty(WALK_FROM, np.float32)
    found = np.empty(WALK_FROM, np.int32)
    for k in range(len(rows)):
        for c in range(filled[rows[k]] if factors[k] > 0.0 else 0):
            reach[ids[rows[k], c]] += factors[k] * near[rows[k], c]
    n = 0
    for k in range(len(rows)):
        for c in range(filled[rows[k]] if factors[k] > 0.0 else 0):
            other = ids[rows[k], c]
            value = reach[other]
            reach[other] = 0.0
            if value <= 0.0:
                continue
            value /= np.float32(np.sqrt(totals[other] + 1e-9))
            if n == WALK_FROM and value <= values[n - 1]:
                continue
            q = min(n, WALK_FROM - 1)
            n = min(n + 1, WALK_FROM)
            while q > 0 and values[q - 1] < value:
                values[q], found[q] = values[q - 1], found[q - 1]
                q -= 1
            values[q], found[q] = value, other
    sums[:] = 0.0
    for q in range(n):
        other = found[q]
        factor = values[q] / np.float32(np.sqrt(totals[other] + 1e-9))
        for c in range(filled[other]):
            sums[place[ids[other, c]]] += factor * near[other, c]
    for c in range(len(out)):
        out[c] = sums[c + 1]


@kernel
def _because(
    ids: Rows,
    co: Floats,
    filled: Rows,
    totals: Doubles,
    decay: Floats,
    ptr: Longs,
    rows: Rows,
    weights: Floats,
    place: Rows,
    listed: Rows,
    out: Rows,
) -> None:
    most = np.empty(listed.shape[1], np.float32)
    for b in range(len(listed)):
        most[:] = 0.0
        for q in range(listed.shape[1]):
            if 0 <= listed[b, q] < len(filled):
                place[listed[b, q]] = q + 1
        for k in range(min(len(decay), ptr[b + 1] - ptr[b])):
            row = rows[ptr[b] + k]
            if row >= len(filled) or totals[row] <= 0.0:
                continue
            factor = np.float32(decay[k] * weights[ptr[b] + k] / np.sqrt(totals[row]))
            for c in range(filled[row]):
                q = place[ids[row, c]] - 1
                if q >= 0 and factor * co[row, c] > most[q]:
                    most[q] = factor * co[row, c]
                    out[b, q] = row
        for q in range(listed.shape[1]):
            if 0 <= listed[b, q] < len(filled):
                place[listed[b, q]] = 0
