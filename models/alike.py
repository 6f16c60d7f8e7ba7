"""Items that look, read or sound like one another: an exact scan over short codes."""

import numpy as np

from millstream.models.arrays import missing
from millstream.models.content import Content
from millstream.models.content_kernels import NONE, cosines, joined
from millstream.models.histories import Rows, Scores
from millstream.models.jit import kernel
from millstream.models.select import best
from millstream.models.space import Codes, Floats


def alike(content: Content, asked: Rows, pool: Rows, k: int) -> Rows:
    """Return the k rows of the pool that each asked row (A,) is nearest to, (A, k), best first.

    By the cosine of joint vectors; padded with -1. Costs A x len(pool).
    """
    top, vectors = missing(len(asked), k), content.vectors
    _alike(vectors.codes, vectors.scales, content.worth, asked, pool, top)
    return top


def likeness(content: Content, asked: Rows, others: Rows) -> tuple[Scores, Rows]:
    """Return how like each asked row (A,) is to others (A, n), and the modality that says most.

    The cosine of joint vectors, at least 0; 0 and -1 where the two have nothing in common.
    """
    out, modalities = np.zeros(others.shape, np.float32), missing(*others.shape)
    vectors = content.vectors
    _likeness(vectors.codes, vectors.scales, content.worth, asked, others, out, modalities)
    return out, modalities


@kernel
def _alike(codes: Codes, scales: Floats, worth: Floats, asked: Rows, pool: Rows, top: Rows) -> None:
    cosine = np.empty((len(worth), len(pool)), np.float32)
    joint, kept = np.empty(len(pool), np.float32), np.empty(top.shape[1], np.float32)
    for a in range(len(asked)):
        row = asked[a]
        if row < 0 or row >= len(scales) or scales[row].max() <= 0.0:
            continue
        cosines(codes, scales, codes[row], scales[row], pool, cosine)
        joined(cosine, worth, joint)
        found = best(joint, pool, len(pool), kept, top[a])
        for q in range(found):
            if kept[q] <= NONE:
                top[a, q] = -1


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
