"""What lists are like beside being right: how much of the catalogue, how evenly, how varied."""

import math
from array import array
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.histories import Histories, Rows
from millstream.models.item_model import ItemModel

LISTED: Final = 10
SIMILAR_BY: Final = "pairs"
DIGITS: Final = 5


class Lists:
    """The first ten of every scored event's list, summed up as they come.

    `novelty` and `distance` have one number a list, NaN where it has none; `covered` is the share
    of the items met so far that had been listed by then.
    """

    def __init__(self) -> None:
        self.novelty = array("f")
        self.distance = array("f")
        self.covered = array("f")
        self._number: dict[str, int] = {}  # items by when they were first met
        self._events: list[int] = []  # by item number
        self._listed: list[int] = []
        self._all_events = 0
        self._ever_listed = 0

    def met(self, item: str) -> None:
        """Take in that an item had one more event."""
        self._events[self._of(item)] += 1
        self._all_events += 1

    def shown(self, model: ItemModel, rows: Sequence[int]) -> None:
        """Take in a list as it would have been shown, best first; padding (-1) is left out."""
        top = [row for row in rows[:LISTED] if row >= 0]
        bits = 0.0
        for row in top:
            number = self._of(model.rows.item(row))
            self._ever_listed += self._listed[number] == 0
            self._listed[number] += 1
            bits -= math.log2(max(self._events[number], 1) / self._all_events)
        self.novelty.append(bits / len(top) if top else math.nan)
        distance = list_distance(model, np.array(top, np.int32)) if len(top) > 1 else None
        self.distance.append(math.nan if distance is None else distance)
        self.covered.append(self._ever_listed / max(len(self._number), 1))

    def _of(self, item: str) -> int:
        """Return an item's number; one listed before anybody met it gets its own, too."""
        number = self._number.setdefault(item, len(self._number))
        if number == len(self._events):
            self._events.append(0)
            self._listed.append(0)
        return number

    def figures(self) -> dict[str, float | None]:
        """Return coverage, gini, intra_list_distance and novelty; None where nothing was listed.

        Coverage: the share of items met that were listed at least once. Gini: of how often each
        of them was listed, 0 all alike, 1 one for everybody. Intra-list distance: the mean of
        1 - cosine over the pairs of a list. Novelty: the mean of -log2 of an entry's share of
        the events so far, in bits (Vargas & Castells 2011); both are means over lists.
        """
        listed = np.array(self._listed, np.float64)
        if not self._ever_listed:
            return dict.fromkeys(("coverage", "gini", "intra_list_distance", "novelty"))
        return {
            "coverage": round(float((listed > 0).mean()), DIGITS),
            "gini": round(gini(listed), DIGITS),
            "intra_list_distance": mean(self.distance),
            "novelty": mean(self.novelty),
        }

    def counts(self) -> npt.NDArray[np.int64]:
        """Return how often each item was listed, most often first."""
        return np.sort(np.array(self._listed, np.int64))[::-1]


def mean(values: Sequence[float]) -> float | None:
    """Return the mean of those that are numbers, None if none is."""
    numbers = np.array(values, np.float64)
    numbers = numbers[~np.isnan(numbers)]
    return round(float(numbers.mean()), DIGITS) if len(numbers) else None


def gini(counts: npt.NDArray[np.float64]) -> float:
    """Return Gini's coefficient: 0 when all are equal, towards 1 when one has it all.

    >>> gini(np.array([0.0, 0.0, 0.0, 4.0]))
    0.75
    """
    n, total = len(counts), float(counts.sum())
    if not total:
        return 0.0
    places = np.arange(1, n + 1)
    return float(2.0 * (places * np.sort(counts)).sum() / (n * total) - (n + 1) / n)


def list_distance(model: ItemModel, rows: Rows) -> float | None:
    """Return the mean of 1 - cosine over the pairs of rows; None if no source can tell.

    By item factors where a source has them; else by what `pairs`, a cosine of co-occurrence, says
    of each item to somebody who met the other last.
    """
    pairs = len(rows) * (len(rows) - 1)
    for source in model.sources.values():
        factors = getattr(source, "factors", None)
        if factors is not None:
            vectors = np.asarray(factors[rows], np.float64)
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
            return float(1.0 - ((vectors @ vectors.T).sum() - (vectors**2).sum()) / pairs)
    if SIMILAR_BY not in model.sources:
        return None
    n = len(rows)
    alone = Histories(
        np.arange(n + 1, dtype=np.int64),
        rows,
        np.ones(n, np.float32),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.uint64),
    )
    similar = model.sources[SIMILAR_BY].score(alone, np.tile(rows, (n, 1)))[0]
    np.fill_diagonal(similar, 0.0)
    return float(1.0 - similar.sum() / pairs)
