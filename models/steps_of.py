"""Interactions as the sources learn them: rows for items, one flat array a column."""

from collections.abc import Sequence

import numpy as np

from millstream.models.histories import Steps
from millstream.models.interaction import Interaction
from millstream.models.item_rows import ItemRows


def steps_of(
    interactions: Sequence[Interaction], rows: Sequence[int], known_rows: ItemRows
) -> Steps:
    """Return interactions of items at `rows`; history that has no row any more is left out."""
    ptr = [0]
    history: list[int] = []
    weights: list[float] = []
    when: list[int] = []
    for one in interactions:
        known = known_rows.rows(one.history)
        worth, ages = one.history_weights, one.history_ages
        if -1 in known:
            kept = [n for n, row in enumerate(known) if row >= 0]
            known = [known[n] for n in kept]
            worth, ages = [worth[n] for n in kept], [ages[n] for n in kept]
        history += known
        weights += worth
        when += [one.ts - age for age in ages]
        ptr.append(len(history))
    return Steps(
        np.array(rows, np.int32),
        np.array([one.weight for one in interactions], np.float32),
        np.array([one.ts for one in interactions], np.int64),
        np.array([one.user for one in interactions], np.uint64),
        np.array(ptr, np.int64),
        np.array(history, np.int32),
        np.array(weights, np.float32),
        np.array(when, np.int64),
    )
