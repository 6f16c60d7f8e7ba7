"""Each item's heaviest neighbours, in rows of a fixed width; a full row gives up its lightest.

An edge j -> i holds three sums over the times that i was met after j, or j after i:

    co    pair_decay^distance             both ways: what the same people met
    sr    rule_decay^distance             forward only: what came after
    near  exp(-time between / near_s)     both ways: what was met in one go

Plain eviction by `co`: a newcomer starts at its own weight. Inheriting the evicted count, as
Space-Saving does, is ruinous here (R@10 .038 against .173).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.arrays import Scalar, grown
from millstream.models.elementary import exponential
from millstream.models.histories import Rows, Steps
from millstream.models.jit import kernel
from millstream.models.source import Arrays

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

NEAR_MIN: Final = np.float32(1e-3)
MS: Final = np.float32(0.001)


class Neighbours:
    """A weighted graph of items: `width` edges an item, and each item's own weight.

    16 bytes an edge; pages that no item reached cost nothing.
    """

    def __init__(self, width: int, pair_decay: Floats, rule_decay: Floats, near_s: float) -> None:
        """Take what a pair weighs by the distance of its items; beyond `pair_decay` there is none.

        `rule_decay` is no longer than `pair_decay`; near_s is in seconds.
        """
        self.pair_decay = pair_decay
        self.rule_decay = rule_decay
        self.near_s = near_s
        self.rows = 0
        self.ids: Rows = np.zeros((0, width), np.int32)
        self.co: Floats = np.zeros((0, width), np.float32)
        self.sr: Floats = np.zeros((0, width), np.float32)
        self.near: Floats = np.zeros((0, width), np.float32)
        self.filled: Rows = np.zeros(0, np.int32)
        self.totals: Doubles = np.zeros(0, np.float64)

    def grow(self, rows: int) -> None:
        """Make room for item rows 0 .. rows - 1."""
        self.rows = max(self.rows, rows)
        if rows > len(self.filled):
            used = np.flatnonzero(self.filled)  # a copy of zeros would take the pages of all rows
            self.ids = _wider(self.ids, rows, used)
            self.co = _wider(self.co, rows, used)
            self.sr = _wider(self.sr, rows, used)
            self.near = _wider(self.near, rows, used)
        self.filled = grown(self.filled, rows)
        self.totals = grown(self.totals, rows)

    def forget(self, rows: Rows) -> None:
        """Drop these items' edges, both ways: one scan of all edges, 0.3 s at 200k items."""
        gone = np.zeros(len(self.filled), np.bool_)
        gone[rows] = True
        self.totals[rows] = 0.0
        _scrub(self.ids, self.co, self.sr, self.near, self.filled, gone, self.rows)

    def learn(self, steps: Steps) -> None:
        """Pair each step's item with the history it followed."""
        _learn(
            self.ids,
            self.co,
            self.sr,
            self.near,
            self.filled,
            self.totals,
            steps.rows,
            steps.weights,
            steps.ts_ms,
            steps.ptr,
            steps.history,
            steps.history_weights,
            steps.history_ts_ms,
            self.pair_decay,
            self.rule_decay,
            self.near_s,
        )

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the graph: edges row by row, how many each row has, and the rows' weights."""
        n = self.rows
        filled = self.filled[:n]
        edges = int(filled.sum(dtype=np.int64))
        state: dict[str, npt.NDArray[np.generic]] = {"filled": filled, "totals": self.totals[:n]}
        ids = np.empty(edges, np.int32)
        _gather(self.ids, filled, ids)
        state["ids"] = ids
        for name, table in (("co", self.co), ("sr", self.sr), ("near", self.near)):
            sums = np.empty(edges, np.float32)
            _gather(table, filled, sums)
            state[name] = sums
        return state

    def load(self, arrays: Arrays) -> None:
        """Replace the graph by what `arrays` returned. Raises ValueError where they disagree."""
        filled = np.array(arrays["filled"], np.int32)
        edges = {len(arrays[name]) for name in ("ids", "co", "sr", "near")}
        fits = len(filled) == 0 or 0 <= filled.min() <= filled.max() <= self.ids.shape[1]
        if not fits or edges != {int(filled.sum(dtype=np.int64))}:
            raise ValueError(f"{edges} edges for rows that hold {filled.sum(dtype=np.int64)}")
        self.filled = filled
        self.rows = len(filled)
        self.totals = np.array(arrays["totals"], np.float64)
        shape = (self.rows, self.ids.shape[1])
        self.ids = np.zeros(shape, np.int32)
        self.co, self.sr, self.near = (np.zeros(shape, np.float32) for _ in range(3))
        _scatter(np.asarray(arrays["ids"], np.int32), self.filled, self.ids)
        for name, table in (("co", self.co), ("sr", self.sr), ("near", self.near)):
            _scatter(np.asarray(arrays[name], np.float32), self.filled, table)


def _wider(
    table: npt.NDArray[Scalar], rows: int, used: npt.NDArray[np.int64]
) -> npt.NDArray[Scalar]:
    """Return a copy with at least twice the rows; only what is used is copied."""
    wider = np.zeros((max(rows, 2 * len(table), 64), table.shape[1]), table.dtype)
    wider[used] = table[used]
    return wider


@kernel
def _gather(table: npt.NDArray[np.generic], filled: Rows, flat: npt.NDArray[np.generic]) -> None:
    """Write what the rows hold, one row behind the other."""
    at = 0
    for row in range(len(filled)):
        for c in range(filled[row]):
            flat[at] = table[row, c]
            at += 1


@kernel
def _scatter(flat: npt.NDArray[np.generic], filled: Rows, table: npt.NDArray[np.generic]) -> None:
    """Put back what `_gather` wrote."""
    at = 0
    for row in range(len(filled)):
        for c in range(filled[row]):
            table[row, c] = flat[at]
            at += 1


@kernel
def last_place(row: npt.NDArray[np.int32], n: int, wanted: int) -> int:
    """Return the last place of a number among the first n, or -1; a loop that vectorises."""
    at = -1
    for k in range(n):
        at = max(at, k if row[k] == wanted else -1)
    return at


@kernel
def _edge(ids: Rows, co: Floats, sr: Floats, near: Floats, filled: Rows, row: int, to: int) -> int:
    """Return the place of the edge row -> to; a new one begins at 0, in the lightest's place."""
    n = filled[row]
    at = last_place(ids[row], n, to)
    if at >= 0:
        return at
    if n < ids.shape[1]:
        at = n
        filled[row] = n + 1
    else:
        # Positive floats sort as their bits do, and integer minima vectorise without fastmath.
        bits = co[row].view(np.int32)
        least = bits[0]
        for k in range(n):
            least = min(least, bits[k])
        at = last_place(bits, n, least)
    ids[row, at] = to
    co[row, at] = 0.0
    sr[row, at] = 0.0
    near[row, at] = 0.0
    return at


@kernel
def _learn(
    ids: Rows,
    co: Floats,
    sr: Floats,
    near: Floats,
    filled: Rows,
    totals: Doubles,
    rows: Rows,
    weights: Floats,
    ts_ms: Longs,
    ptr: Longs,
    history: Rows,
    history_weights: Floats,
    history_ts_ms: Longs,
    pair_decay: Floats,
    rule_decay: Floats,
    near_s: float,
) -> None:
    closeness = np.empty(len(pair_decay), np.float32)
    for n in range(len(rows)):
        row = rows[n]
        totals[row] += weights[n]
        depth = min(len(pair_decay), ptr[n + 1] - ptr[n])
        for k in range(depth):
            between = np.float32(max(ts_ms[n] - history_ts_ms[ptr[n] + k], 0)) * MS
            closeness[k] = -between / np.float32(near_s)
        exponential(closeness[:depth])
        for k in range(depth):
            other = history[ptr[n] + k]
            if other == row:
                continue
            worth = history_weights[ptr[n] + k] * weights[n]
            pair = worth * pair_decay[k]
            close = worth * closeness[k] if closeness[k] > NEAR_MIN else np.float32(0.0)
            there = _edge(ids, co, sr, near, filled, other, row)
            co[other, there] += pair
            near[other, there] += close
            if k < len(rule_decay):
                sr[other, there] += worth * rule_decay[k]
            back = _edge(ids, co, sr, near, filled, row, other)
            co[row, back] += pair
            near[row, back] += close


@kernel
def _scrub(
    ids: Rows,
    co: Floats,
    sr: Floats,
    near: Floats,
    filled: Rows,
    gone: npt.NDArray[np.bool_],
    rows: int,
) -> None:
    for row in range(rows):
        n = 0
        if not gone[row]:
            for c in range(filled[row]):
                if not gone[ids[row, c]]:
                    ids[row, n] = ids[row, c]
                    co[row, n] = co[row, c]
                    sr[row, n] = sr[row, c]
                    near[row, n] = near[row, c]
                    n += 1
        for c in range(n, filled[row]):
            ids[row, c] = 0
            co[row, c] = 0.0
            sr[row, c] = 0.0
            near[row, c] = 0.0
        filled[row] = n
