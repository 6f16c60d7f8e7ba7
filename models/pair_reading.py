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
WALK_FROM: Final = 10
"""Neighbours from which the second step is taken."""
MS: Final = np.float32(0.001)


def retrieve(
    graph: Neighbours, histories: Histories, decay: Floats, rule_share: float, top: Rows
) -> None:
    """Write the best items of each user into `top` (B, k): by co, a share of them by sr."""
    k = top.shape[1]
    by_rule = min(k, int(np.ceil(k * rule_share)))
    sums = np.zeros(len(graph.filled), np.float32)
    histories_of = (histories.ptr, histories.rows, histories.weights)
    co, sr = missing(len(top), k), missing(len(top), k)
    shape = (graph.ids, graph.filled, graph.totals)
    _retrieve(*shape, graph.co, True, decay[:, 0].copy(), *histories_of, sums, co)
    if by_rule:
        _retrieve(*shape, graph.sr, False, decay[:, 1].copy(), *histories_of, sums, sr)
    _take_turns(co, sr, rule_share, sums, top)


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
    filled: Rows,
    totals: Doubles,
    edges: Floats,
    cosine: bool,
    decay: Floats,
    ptr: Longs,
    rows: Rows,
    weights: Floats,
    sums: Floats,
    top: Rows,
) -> None:
    depth = 0
    while depth < len(decay) and decay[depth] > 0.0:
        depth += 1
    reached = np.empty(min(len(filled), ids.shape[1] * depth) + 1, np.int32)
    scores = np.empty(len(reached), np.float32)
    kept = np.empty(top.shape[1], np.float32)
    for b in range(len(top)):
        n = 0
        for k in range(min(depth, ptr[b + 1] - ptr[b])):
            row = rows[ptr[b] + k]
            if row >= len(filled) or totals[row] <= 0.0:
                continue
            factor = np.float32(decay[k] * weights[ptr[b] + k] / np.sqrt(totals[row]))
            for c in range(filled[row]):
                other = ids[row, c]
                reached[n] = other  # kept if new; without a branch, which was half the time
                n += sums[other] == 0.0
                sums[other] += factor * edges[row, c] + TINY
        m = 0
        for q in range(n):
            other = reached[q]
            value = sums[other]
            sums[other] = 0.0
            if cosine:
                value /= np.float32(np.sqrt(max(totals[other], 1e-9)))
            reached[m] = other
            scores[m] = value
            m += cosine or value > 1e-20  # edges without a rule propose nothing
        best(scores, reached, m, kept, top[b])


@kernel
def _take_turns(one: Rows, other: Rows, share: float, met: Floats, out: Rows) -> None:
    """Mix two lists without repeats; of the first n places about n x share are the other's."""
    k = out.shape[1]
    for b in range(len(out)):
        n, at, other_at = 0, 0, 0
        while n < k and (at < k or other_at < k):
            turn = at >= k or (other_at < k and other_at < share * (at + other_at + 1))
            row = other[b, other_at] if turn else one[b, at]
            if turn:
                other_at += 1
            else:
                at += 1
            if row >= 0 and met[row] == 0.0:
                met[row] = 1.0
                out[b, n] = row
                n += 1
        for q in range(n):
            met[out[b, q]] = 0.0


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
    width = candidates.shape[1]
    sums = np.empty((width + 1, 9), np.float32)
    slots = np.empty(ids.shape[1], np.int32)
    at = np.empty(ids.shape[1], np.int32)
    soon = np.empty(TIMED_ITEMS, np.float32)
    short = np.empty(TIMED_ITEMS, np.float32)
    for b in range(len(candidates)):
        begin = ptr[b]
        depth = min(len(places), ptr[b + 1] - begin)
        if depth == 0:
            continue
        for c in range(width):
            if 0 <= candidates[b, c] < len(filled):
                place[candidates[b, c]] = c + 1
        sums[:] = 0.0
        timed = min(depth, TIMED_ITEMS)
        for k in range(timed):
            ago = np.float32(max(ts_ms[begin] - ts_ms[begin + k], 0)) * MS
            soon[k] = -ago / np.float32(near_s)
            short[k] = -ago / np.float32(near_short_s)
        exponential(soon[:timed])
        exponential(short[:timed])
        floor = FLOOR
        for k in range(depth):
            row = rows[begin + k]
            if row >= len(filled) or totals[row] <= 0.0:
                continue
            n = 0
            for c in range(filled[row]):
                slots[n] = c
                at[n] = place[ids[row, c]]
                n += at[n] > 0
            root = np.float32(weights[begin + k] / np.sqrt(totals[row]))
            a0, a1, a2 = root * places[k, 0], root * places[k, 1], root * places[k, 2]
            a3, a4 = root * places[k, 3], root * places[k, 4]
            if k >= TIMED_ITEMS:
                for e in range(n):
                    weight = co[row, slots[e]]
                    sums[at[e], 0] += a0 * weight
                    sums[at[e], 2] += a2 * weight
                continue
            a5, a6 = root * (soon[k] + floor), root * (short[k] + floor)
            floor *= FLOOR_DECAY
            for e in range(n):
                c = slots[e]
                sum_ = sums[at[e]]
                pair, rule, close = co[row, c], sr[row, c], near[row, c]
                sum_[0] += a0 * pair
                sum_[1] += a1 * pair
                sum_[2] += a2 * pair
                sum_[3] += a3 * rule
                sum_[4] += a4 * rule
                sum_[5] += a5 * rule
                sum_[6] += a5 * close
                sum_[7] += a6 * close
        _walk(ids, near, filled, totals, rows[begin], place, sums)
        for c in range(width):
            row = candidates[b, c]
            if 0 <= row < len(filled) and totals[row] > 0.0:
                place[row] = 0
                root = np.float32(1.0 / np.sqrt(totals[row]))
                for x in range(9):
                    out[x, b, c] = sums[c + 1, x] * (np.float32(1.0) if 3 <= x <= 5 else root)
        for c in range(width):
            if 0 <= candidates[b, c] < len(filled):
                place[candidates[b, c]] = 0


@kernel
def _walk(
    ids: Rows,
    near: Floats,
    filled: Rows,
    totals: Doubles,
    row: int,
    place: Rows,
    sums: Floats,
) -> None:
    """Add to sums[:, 8] two steps from a row: to its best neighbours, and from there on."""
    if row >= len(filled) or totals[row] <= 0.0:
        return
    values = np.empty(WALK_FROM, np.float32)
    found = np.empty(WALK_FROM, np.int32)
    n = 0
    for c in range(filled[row]):
        other = ids[row, c]
        value = near[row, c] / np.float32(np.sqrt(totals[other] + 1e-9))
        if value <= 0.0 or (n == WALK_FROM and value <= values[n - 1]):
            continue
        q = min(n, WALK_FROM - 1)
        n = min(n + 1, WALK_FROM)
        while q > 0 and values[q - 1] < value:
            values[q], found[q] = values[q - 1], found[q - 1]
            q -= 1
        values[q], found[q] = value, other
    for q in range(n):
        other = found[q]
        factor = values[q] / np.float32(np.sqrt(totals[other] + 1e-9))
        for c in range(filled[other]):
            sums[place[ids[other, c]], 8] += factor * near[other, c]


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
