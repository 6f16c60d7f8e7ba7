"""Items that look, read or sound like one another: scans over short codes."""

from typing import Final

import numpy as np

from millstream.models.arrays import missing
from millstream.models.content import Content
from millstream.models.content_kernels import NO_DOTS, NONE, TINY, cosines, joined, near
from millstream.models.histories import Rows, Scores
from millstream.models.jit import kernel
from millstream.models.space import DIM, Codes, Floats

BLOCK: Final = 4096
"""So many rows are made floats at once: 5 MB."""


def alike(content: Content, asked: Rows, pool: Rows, k: int) -> Rows:
    """Return the k rows of the pool that each asked row (A,) is nearest to, (A, k), best first.

    By the cosine of joint vectors; padded with -1. Costs A x len(pool), as matrix products: a
    loop over codes took three times as long.
    """
    top = missing(len(asked), k)
    if not len(asked) or not len(pool):
        return top
    mine, has = weighed(content, asked)
    joint = np.empty((len(asked), len(pool)), np.float32)
    for start in range(0, len(pool), BLOCK):
        theirs, have = weighed(content, pool[start : start + BLOCK])
        mass = has @ have.T  # what the modalities that both have are worth
        near = (mine @ theirs.T) / np.maximum(mass, TINY)
        joint[:, start : start + BLOCK] = np.where(mass > 0.0, near, NONE)
    many = min(k, len(pool))
    at = np.sort(np.argpartition(-joint, many - 1, axis=1)[:, :many], axis=1)
    found = np.take_along_axis(joint, at, 1)
    order = np.argsort(-found, axis=1, kind="stable")
    rows = np.where(found > NONE, pool[at], np.int32(-1))
    top[:, :many] = np.take_along_axis(rows, order, 1)
    return top


def nearest(content: Content, asked: Rows, pools: Rows, k: int) -> Rows:
    """Return the k rows that each asked row (A,) is nearest to, out of a pool of its own (A, N).

    As `alike` does, (A, k). Pools are padded with -1.
    """
    top, vectors = missing(len(asked), k), content.vectors
    codes, scales = vectors.codes[asked], vectors.scales[asked]
    near(vectors.codes, vectors.scales, codes, scales, content.worth, pools, NO_DOTS, top)
    return top


def weighed(content: Content, rows: Rows) -> tuple[Floats, Floats]:
    """Return joint vectors (N, M x D) and what is there (N, M), by the roots of the worths."""
    root = np.sqrt(content.worth)
    scales = content.vectors.scales[rows]
    vectors = content.vectors.codes[rows] * (scales * root)[:, :, None]
    there = np.asarray((scales > 0.0) * root, np.float32)
    return np.asarray(vectors.reshape(len(rows), root.size * DIM), np.float32), there


def likeness(content: Content, asked: Rows, others: Rows) -> tuple[Scores, Rows]:
    """Return how like each asked row (A,) is to others (A, n), and the modality that says most.

    The cosine of joint vectors, at least 0; 0 and -1 where the two have nothing in common.
    """
    out, modalities = np.zeros(others.shape, np.float32), missing(*others.shape)
    vectors = content.vectors
    _likeness(vectors.codes, vectors.scales, content.worth, asked, others, out, modalities)
    return out, modalities


@kernel
def _likeness(
    codes: Codes,
    scales: Floats,
    worth: Floats,
    asked: Rows,
    others: Rows,
    out: Scores,
    modalities: Rows,
) -> None:
    cosine = np.empty((len(worth), others.shape[1]), np.float32)
    joint = np.empty(others.shape[1], np.float32)
    for a in range(len(asked)):
        row = asked[a]
        if row < 0 or row >= len(scales):
            continue
        cosines(codes, scales, codes[row], scales[row], others[a], cosine)
        joined(cosine, worth, joint)
        for q in range(len(joint)):
            if joint[q] <= 0.0:
                continue
            out[a, q] = joint[q]
            most = np.float32(0.0)
            for m in range(len(worth)):
                if cosine[m, q] != NONE and worth[m] * cosine[m, q] > most:
                    most, modalities[a, q] = worth[m] * cosine[m, q], m
