"""What content says of listed items: which of a history's items each is nearest to, and in what.

The modality is given, or is the one that brings the item nearest to the person's taste, weighed
by what modalities are worth; the history item is the nearest in it, by cosine.
"""

from typing import Final

import numpy as np

from millstream.models.arrays import missing
from millstream.models.content import Content
from millstream.models.content_kernels import Longs
from millstream.models.embedding import MODALITIES
from millstream.models.histories import Histories, Rows
from millstream.models.jit import kernel
from millstream.models.space import Codes, Floats

JOINT: Final = len(MODALITIES)
"""Asks for the modality that gives most."""


def by_content(
    content: Content, histories: Histories, listed: Rows, wanted: Rows, worth: Floats
) -> tuple[Rows, Rows]:
    """Return for listed rows (B, n) the history row that speaks and its modality, -1 for none.

    `wanted` (B, n) is a number of MODALITIES, JOINT, or -1 for those not asked about; `worth`
    (M,) weighs modalities where it is JOINT. Of the history the newest `profile_items` speak,
    never the item itself, and only where the cosine is above 0.
    """
    speakers, modalities = missing(*listed.shape), missing(*listed.shape)
    vectors = content.vectors
    if not vectors.rows:
        return speakers, modalities
    taste = content.tastes(histories) if (wanted == JOINT).any() else None
    _by_content(
        vectors.codes,
        vectors.scales,
        np.zeros((0, 0, 0), np.int8) if taste is None else taste.codes,
        np.zeros((0, 0), np.float32) if taste is None else taste.scales,
        worth,
        histories.ptr,
        histories.rows,
        len(content.decay),
        listed,
        wanted,
        speakers,
        modalities,
    )
    return speakers, modalities


@kernel
def _dot(one: Codes, other: Codes) -> np.int32:
    """Return a dot product in whole numbers: a quarter faster here than making floats of both."""
    dot = np.int32(0)
    for x in range(len(one)):
        dot += np.int32(np.int16(one[x]) * np.int16(other[x]))
    return dot


@kernel
def _by_content(
    codes: Codes,
    scales: Floats,
    taste: Codes,
    taste_scales: Floats,
    worth: Floats,
    ptr: Longs,
    rows: Rows,
    depth: int,
    listed: Rows,
    wanted: Rows,
    speakers: Rows,
    modalities: Rows,
) -> None:
    many = codes.shape[1]
    for b in range(len(listed)):
        stop = min(ptr[b + 1], ptr[b] + depth)
        for q in range(listed.shape[1]):
            row, modality = listed[b, q], wanted[b, q]
            if row < 0 or row >= len(scales) or modality < 0 or stop == ptr[b]:
                continue
            if modality == many:
                most = np.float32(0.0)
                for m in range(many):
                    if scales[row, m] <= 0.0 or taste_scales[b, m] <= 0.0 or worth[m] <= 0.0:
                        continue
                    dot = _dot(codes[row, m], taste[b, m])
                    near = np.float32(dot) * scales[row, m] * taste_scales[b, m]
                    if worth[m] * near > most:
                        most, modality = worth[m] * near, m
            if modality == many or scales[row, modality] <= 0.0:
                continue
            mine = codes[row, modality]
            nearest = np.float32(0.0)
            for k in range(ptr[b], stop):
                other = rows[k]
                if 0 <= other < len(scales) and other != row and scales[other, modality] > 0.0:
                    dot = _dot(codes[other, modality], mine)
                    near = np.float32(dot) * scales[other, modality]
                    if near > nearest:
                        nearest = near
                        speakers[b, q], modalities[b, q] = other, modality
