"""An item's neighbours: by who met both, and, while few have, by what both look like.

    s(i, j) = n / (n + k) behaviour(i, j) + k / (n + k) content(i, j)       n = times i was met

k is 10: a cosine of co-occurrence over n people is off by about 1 / sqrt(n), and with ten people
that error, .3, is as large as the cosines of true neighbours. What is not described goes by
behaviour alone.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from millstream.models.alike import likeness
from millstream.models.arrays import missing
from millstream.models.content import Content
from millstream.models.histories import Histories, Rows, Scores
from millstream.models.learned_model import LearnedModel
from millstream.models.source import Source

BEHAVIOUR: Final = "pairs"
WORTH_MET: Final = 10.0
"""k: after so many events behaviour counts as much as content."""
SCANNED_BELOW: Final = 100
"""Items met more often get content's word on behaviour's neighbours, but no scan for others."""
PAIRS_A_CALL: Final = 500_000
"""Pairs of items that one call scans: about .1 s of a busy core, every second at most."""


class Neighbour(NamedTuple):
    """An item like another; `modality` is -1 where behaviour says more than content does."""

    row: int
    score: float
    modality: int


def affordable(
    model: LearnedModel, rows: Sequence[int], pairs: int = PAIRS_A_CALL
) -> Sequence[int]:
    """Return the first of these rows of which `neighbours` scans so many pairs; one, at least."""
    content = model.content
    if content is None:
        return rows
    scans = max(pairs // max(model.likeness.cost(content), 1), 1)
    for n, row in enumerate(rows):
        scans -= _is_scanned(content, row)
        if scans < 0:
            return rows[:n]
    return rows


def neighbours(
    model: LearnedModel, rows: Sequence[int], closed: npt.NDArray[np.bool_], now_ms: int, most: int
) -> list[list[Neighbour]]:
    """Return up to `most` neighbours of each row, best first, none of them `closed`."""
    asked = np.array(rows, np.int32)
    source, content = model.sources.get(BEHAVIOUR), model.content
    found = missing(len(rows), 0)
    alone = _alone(asked, now_ms)
    if source is not None:
        found = source.retrieve(alone, most + 1)
    if content is not None:
        scanned = np.array([_is_scanned(content, row) for row in rows], np.bool_)
        if scanned.any():
            like = missing(len(rows), most + 1)
            like[scanned] = model.likeness.nearest(content, asked[scanned], closed, most + 1)
            found = np.concatenate((found, like), axis=1)
    others = _distinct(found, asked, closed)
    scores, modalities = _blend(source, content, alone, asked, others)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :most]
    columns = (
        np.take_along_axis(column, order, 1).tolist() for column in (others, scores, modalities)
    )
    return [
        [
            Neighbour(row, score, modality)
            for row, score, modality in zip(*each, strict=True)
            if row >= 0 and score > 0.0
        ]
        for each in zip(*columns, strict=True)
    ]


def _blend(
    source: Source | None, content: Content | None, alone: Histories, asked: Rows, others: Rows
) -> tuple[Scores, Rows]:
    """Return the score of each of the others (A, n), and the modality where content says most."""
    said = np.zeros(others.shape, np.float32)
    if source is not None:
        said = source.score(alone, others)[0]
    if content is None:
        return said, missing(*others.shape)
    met = content.counts[asked].astype(np.float32)
    share = np.where(content.vectors.scales[asked].any(axis=1), WORTH_MET / (met + WORTH_MET), 0.0)
    like, modalities = likeness(content, asked, others)
    mine = ((1.0 - share)[:, None] * said).astype(np.float32)
    theirs = (share[:, None] * like).astype(np.float32)
    return mine + theirs, np.where(theirs > mine, modalities, np.int32(-1))


def _is_scanned(content: Content, row: int) -> bool:
    return bool(content.vectors.scales[row].any()) and content.counts[row] < SCANNED_BELOW


def _distinct(found: Rows, asked: Rows, closed: npt.NDArray[np.bool_]) -> Rows:
    """Return the rows found (A, n), each once; -1 for the asked itself and for closed ones."""
    out = missing(*found.shape)
    for a, row in enumerate(asked.tolist()):
        others = dict.fromkeys(found[a].tolist())
        kept = [o for o in others if o >= 0 and o != row and not (o < len(closed) and closed[o])]
        out[a, : len(kept)] = kept
    return out


def _alone(rows: Rows, now_ms: int) -> Histories:
    """Return histories that hold one item each."""
    n = len(rows)
    return Histories(
        np.arange(n + 1, dtype=np.int64),
        rows,
        np.ones(n, np.float32),
        np.full(n, now_ms, np.int64),
        np.full(n, now_ms, np.int64),
        np.zeros(n, np.uint64),
    )
