"""Which items each is most like: a scan among few, a graph of nearest neighbours among many.

The graph is usearch's (Malkov & Yashunin 2018, HNSW), of joint vectors in whole numbers, kept item
by item and only where neighbours are written. What it finds is compared once more by the measure
of the scan. Until most of a catalogue stands in it, those in the nearest cells are looked at.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import numpy as np

from millstream.models.alike import alike, nearest, weighed
from millstream.models.arrays import grown, missing
from millstream.models.content import Content
from millstream.models.content_kernels import TINY
from millstream.models.histories import Rows
from millstream.models.pool import NOTHING, Flags
from millstream.models.space import Codes

if TYPE_CHECKING:
    from usearch.index import Index

EXACT_MAX: Final = 20_000
"""Of more described items not all are compared (docs/decisions/0009-cells.md)."""
LOOKED_AT: Final = 4096
"""So many of them in the nearest cells, which takes longer than the graph."""
PUT_A_CALL: Final = 400
"""So many are put into the graph at once: about .1 s of a busy core."""
LINKS: Final = 12
EXPANSION_ADD: Final = 64
EXPANSION_SEARCH: Final = 128
SPARE: Final = 4
"""So many times what is asked for is compared once more: some are closed, some lack a modality."""


class LikenessGraph:
    """The k described items that each is most like. One owner, one thread."""

    def __init__(self, exact_max: int = EXACT_MAX, looked_at: int = LOOKED_AT) -> None:
        """Begin without a graph; with more than `exact_max` items there will be one."""
        self._exact_max = exact_max
        self._looked_at = looked_at
        self._graph: Index | None = None
        self._waiting: Flags = NOTHING  # by row: who is to be put in, or taken out
        self._removed = 0
        self._covers = False

    def follow(self, content: Content, rows: Iterable[int]) -> None:
        """Note rows that look otherwise than before, or are gone, and put some of them in place."""
        described = content.described.rows()
        if len(described) <= self._exact_max:
            self.clear()
            return
        if self._graph is None or self._removed > len(self._graph):
            # One in which most was replaced finds less: it is made anew.
            self.clear()
            self._graph = _new_graph(content.vectors.codes[0].size)
            rows = described.tolist()
        self._waiting = grown(self._waiting, content.vectors.rows)
        self._waiting[np.fromiter(rows, np.int64)] = True
        waiting = np.flatnonzero(self._waiting).astype(np.int32)
        self._put(self._graph, content, waiting[-PUT_A_CALL:])  # the newest first
        self._covers = 10 * len(waiting) <= len(described)

    @property
    def memory_bytes(self) -> int:
        """Return how much the graph takes, vectors and links."""
        return 0 if self._graph is None else self._graph.memory_usage

    def cost(self, content: Content) -> int:
        """Return with how many others `nearest` compares an item, about."""
        described = len(content.described.rows())
        return described if described <= self._exact_max else self._looked_at

    def nearest(self, content: Content, asked: Rows, closed: Flags, k: int) -> Rows:
        """Return the k items that each asked row (A,) is most like, (A, k), best first.

        None of them `closed`, by row; padded with -1. Each row itself is among them.
        """
        pool = content.described.open(closed)
        if len(pool) <= self._exact_max:
            return alike(content, asked, pool, k)
        few_are_closed = 2 * len(pool) > len(content.described.rows())
        if self._graph is not None and self._covers and few_are_closed:
            looked = _search(self._graph, content, asked, SPARE * k)
            shut = (looked >= 0) & (looked < len(closed))
            shut[shut] = closed[looked[shut]]
            looked[shut] = -1
        else:
            looked = content.cells.look(pool, content.joint(asked), self._looked_at)
        return nearest(content, asked, looked, k)

    def clear(self) -> None:
        """Begin anew, without a graph."""
        self._graph = None
        self._waiting = NOTHING
        self._removed = 0
        self._covers = False

    def _put(self, graph: "Index", content: Content, rows: Rows) -> None:
        """Put rows into the graph in place of what they looked like, or take them out."""
        self._waiting[rows] = False
        self._removed += int(graph.remove(rows.astype(np.uint64), threads=1))
        new = rows[content.vectors.scales[rows].any(axis=1)]
        graph.add(new.astype(np.uint64), _joint(content, new), threads=1)


def _search(graph: "Index", content: Content, asked: Rows, k: int) -> Rows:
    found = missing(len(asked), k)
    for mine, vector in zip(found, _joint(content, asked), strict=True):
        keys = graph.search(vector, k, threads=1).keys
        mine[: len(keys)] = keys
    return found


def _joint(content: Content, rows: Rows) -> Codes:
    """Return joint vectors (N, M x D), the largest number of each 127."""
    vectors, _ = weighed(content, rows)
    most = np.abs(vectors).max(axis=1, keepdims=True)
    return np.asarray(np.rint(vectors * (np.float32(127.0) / np.maximum(most, TINY))), np.int8)


def _new_graph(width: int) -> "Index":
    # Here: it takes 16 MB that only who has many items needs.
    from usearch.index import Index

    return Index(
        ndim=width,
        metric="cos",
        dtype="i8",
        connectivity=LINKS,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )
