"""Items that nobody has met yet: which of them fit a person, and which places of a list they get.

    value(i) = w . z(i) + log(theta_i / E theta_0),     theta_i ~ Beta(taken, passed + times shown)

z are the cosines of an item to the person's taste, a modality each, standardised over all
newcomers; w is learned, one Newton step of the softmax a choice, from newcomers whose first event
came. Theta is Thompson's draw (Chapelle & Li 2011): what was shown often and not taken sinks.

The first `after` places of a list go to what is known best. From there on place p is a newcomer's
with a share of 1 - after / p: what a place earns falls with its depth, and with it what it costs to
try something new there.
"""

import math
from functools import lru_cache
from typing import Annotated, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.arrays import missing
from millstream.models.content import Content
from millstream.models.content_kernels import as_columns, dots_of, in_parts
from millstream.models.embedding import MODALITIES
from millstream.models.histories import Histories, Rows, Scores, one_of
from millstream.models.newcomer_kernels import fits, standings
from millstream.models.pool import some
from millstream.models.source import Arrays
from millstream.models.thompson import luck, propensities

Doubles = npt.NDArray[np.float64]

FEATURES: Final = (*MODALITIES, "content")
DRAWN: Final = 64
"""Of so many newcomers, those that fit best, the draw decides."""
SAMPLE: Final = 256
"""Of more newcomers than are looked at, so many say what is usual."""
LEARNT_FROM: Final = 2048
"""At most so many newcomers compete with the one that was chosen."""


class NewcomersParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of newcomers; `after` 0: they get no place. The prior is Beta(taken, passed)."""

    after: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 9
    taken: Annotated[float, msgspec.Meta(ge=1, le=1e6)] = 36.0
    passed: Annotated[float, msgspec.Meta(ge=1, le=1e6)] = 364.0
    prior: Annotated[float, msgspec.Meta(gt=0)] = 30.0


NO_NEWCOMERS: Final = NewcomersParams(after=0)


class Drawn(NamedTuple):
    """Newcomers for each person, best first by this moment's draw; padded with -1."""

    rows: Rows  # (B, n)
    values: Scores  # (B, n)
    propensities: Scores  # (B, n): about how likely each was among the first `places`

    def first(self, n: int) -> "Drawn":
        """Return the first n of each person that are there, closed up, padded with -1."""
        order = np.argsort(self.rows < 0, axis=1, kind="stable")[:, :n]
        return Drawn(
            np.take_along_axis(self.rows, order, 1),
            np.take_along_axis(self.values, order, 1),
            np.take_along_axis(self.propensities, order, 1),
        )


class Newcomers:
    """The weights by which newcomers fit, and how often each was shown.

    A part of the item model: LEARN's learns, a replica is given what `changes` returns.
    """

    def __init__(self, content: Content, params: NewcomersParams) -> None:
        """Begin with what the settings say each modality is worth."""
        self.params = params
        self._content = content
        worth = content.worth / max(float(content.worth.sum()), 1e-9)
        self.weights: Doubles = np.append(worth.astype(np.float64), 0.0)
        self.curvature: Doubles = np.eye(len(FEATURES)) * params.prior
        self.shown: dict[int, int] = {}  # by row, while a newcomer
        self._told: dict[int, None] = {}
        self._changed = False

    def modality_weights(self) -> Scores:
        """Return what a cosine of each modality adds to a fit, (M,), by itself and in the joint."""
        worth = self._content.worth / max(float(self._content.worth.sum()), 1e-9)
        return np.asarray(self.weights[:-1] + self.weights[-1] * worth, np.float32)

    def waiting(self) -> bool:
        """Return whether there are newcomers, and places for them."""
        return self.params.after > 0 and len(self._content.unmet.rows()) > 0

    def draw(
        self,
        histories: Histories,
        excluded_ptr: npt.NDArray[np.int64],
        excluded: Rows,
        closed: npt.NDArray[np.bool_],
        places: int,
    ) -> Drawn:
        """Return the newcomers for each person, who competed for so many places.

        Nobody gets what they are not to be shown, excluded[excluded_ptr[b]:excluded_ptr[b + 1]],
        nor a row that is `closed`. Who took to nothing that was described gets none.
        """
        people = len(histories)
        rows, fit = missing(people, DRAWN), np.zeros((people, DRAWN), np.float32)
        pool = self._content.unmet.open(closed)
        if not len(pool):
            return Drawn(rows, fit, fit)
        taste, vectors = self._content.tastes(histories), self._content.vectors
        looked = self._content.look(pool, taste, np.maximum(self.modality_weights(), 0.0))
        sample = pool if looked is None else some(pool, SAMPLE)
        weights, sunk = self.weights.astype(np.float32), self._sunk()
        met = np.zeros(vectors.rows, np.bool_)
        columns = as_columns(vectors.codes[sample])
        for part in in_parts(people):
            fits(
                vectors.codes,
                vectors.scales,
                taste.codes[part],
                taste.scales[part],
                self._content.worth,
                weights,
                sunk,
                sample,
                dots_of(columns, taste.codes[part]),
                missing(0, 0) if looked is None else looked[part],
                excluded_ptr[part.start : part.stop + 1],
                excluded,
                met,
                rows[part],
                fit[part],
            )
        drawn = luck(histories.users, histories.now_ms, rows, self.params.taken)
        values = np.where(rows >= 0, fit + drawn, -np.inf)
        order = np.argsort(-values, axis=1, kind="stable")
        chances = propensities(rows, fit, places, self.params.taken)
        return Drawn(
            np.take_along_axis(rows, order, 1),
            np.take_along_axis(values, order, 1).astype(np.float32),
            np.take_along_axis(chances, order, 1),
        )

    def learn(self, histories: Histories, chosen: Rows) -> None:
        """Learn from each newcomer that somebody with a history took to; before sources learn.

        Who comes second to it, in the same record, does not take to a newcomer any more.
        """
        unmet = self._content.unmet
        if not self.params.after or not len(unmet.rows()):
            return
        new = unmet.among(chosen)
        for row in chosen[new].tolist():
            if self.shown.pop(row, None) is not None:
                self._told[row] = None
        vectors, worth = self._content.vectors, self._content.worth
        first = np.sort(np.unique(chosen, return_index=True)[1])
        for b in first[new[first] & (np.diff(histories.ptr)[first] > 0)].tolist():
            taste = self._content.tastes(one_of(histories, b))
            if taste.scales.max() <= 0.0:
                continue
            others = some(unmet.rows(), LEARNT_FROM)
            rows = np.append(others[others != chosen[b]], chosen[b])
            z = np.zeros((len(FEATURES), len(rows)), np.float32)
            like = taste.codes[0], taste.scales[0], worth
            standings(vectors.codes, vectors.scales, *like, rows, z)
            # Those left out count through those that are not.
            passed_over = math.log(max((len(unmet.rows()) - 1) / max(len(rows) - 1, 1), 1.0))
            self._step(z.astype(np.float64), passed_over)

    def note_shown(self, row: int) -> None:
        """Count that a newcomer was shown to somebody, or refused."""
        if row >= 0 and row in self._content.unmet:
            self.shown[row] = self.shown.get(row, 0) + 1
            self._told[row] = None

    def forget(self, rows: Rows) -> None:
        """Drop how often these rows were shown."""
        for row in rows.tolist():
            self.shown.pop(row, None)
            self._told.pop(row, None)

    def changes(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the weights and the counts that moved since the last call; {} if none did."""
        if not self._changed and not self._told:
            return {}
        rows = sorted(self._told)
        self._told.clear()
        self._changed = False
        counts = [self.shown.get(row, 0) for row in rows]
        return {
            "weights": self.weights.copy(),
            "rows": np.array(rows, np.int32),
            "shown": np.array(counts, np.int32),
        }

    def apply(self, changes: Arrays) -> None:
        """Take in what the learner's `changes` returned."""
        self.weights = np.array(changes["weights"], np.float64)
        rows = np.asarray(changes["rows"], np.int32).tolist()
        for row, count in zip(rows, np.asarray(changes["shown"], np.int32).tolist(), strict=True):
            if count:
                self.shown[row] = count
            else:
                self.shown.pop(row, None)

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the weights and the counts by row."""
        rows = sorted(self.shown)
        return {
            "weights": self.weights,
            "rows": np.array(rows, np.int32),
            "shown": np.array([self.shown[row] for row in rows], np.int32),
        }

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return those and the curvature."""
        return self.read_arrays() | {"curvature": self.curvature}

    def load(self, arrays: Arrays) -> None:
        """Replace the state; from `read_arrays` alone a replica's."""
        self.shown = {}
        self.apply(arrays)
        if "curvature" in arrays:
            self.curvature = np.array(arrays["curvature"], np.float64)
        self._told.clear()
        self._changed = False

    def _sunk(self) -> Scores:
        """Return what having been shown in vain takes from each row, log(E theta / E theta_0)."""
        sunk = np.zeros(self._content.vectors.rows, np.float32)
        if self.shown:
            strength = self.params.taken + self.params.passed
            times = np.fromiter(self.shown.values(), np.float64, len(self.shown))
            sunk[list(self.shown)] = np.log(strength / (strength + times))
        return sunk

    def _step(self, z: Doubles, passed_over: float) -> None:
        """Take one Newton step of the softmax towards the last newcomer, which was chosen.

        `passed_over` is the logarithm of how many each of the others stands for.
        """
        scores = self.weights @ z
        scores[:-1] += passed_over
        p = np.exp(scores - scores.max())
        p /= p.sum()
        mean = z @ p
        self.curvature += (z * p) @ z.T - np.outer(mean, mean)
        self.weights = self.weights + np.linalg.solve(self.curvature, z[:, -1] - mean)
        self._changed = True


@lru_cache(maxsize=64)
def slots(after: int, length: int) -> tuple[int, ...]:
    """Return which places, from 0, of a list so long are newcomers'.

    Of the first p, after (1 + log(p / after)) are not: the sum of after / p beyond `after`.
    """
    if not after:
        return ()
    known = [
        p if p <= after else round(after * (1 + math.log(p / after))) for p in range(length + 1)
    ]
    return tuple(p for p in range(length) if known[p + 1] == known[p])
