"""Choices: an interaction as a choice among what might have been listed, taught to the fusion."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from millstream.models.fusion import Fusion
from millstream.models.histories import Histories, Rows, Scores, Steps, histories_before, picked
from millstream.models.interaction import Interaction
from millstream.models.item_rows import ItemRows
from millstream.models.scorer import Scorer

SCORED_AT_ONCE: Final = 64
"""Choices whose features are held at once: 1 MB."""
GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
"""Multiples of it spread evenly over 2^64 (Knuth, TAOCP 6.4)."""


class Scored(NamedTuple):
    """What this very model said before interactions of these source offsets, one row each."""

    offsets: Sequence[int]
    histories: Histories
    candidates: Rows  # (B, C)
    features: Scores  # (K, B, C)


class Choices:
    """Ranks for a sample of people as they were ranked for, and learns what they chose."""

    def __init__(self, scorer: Scorer, fusion: Fusion, rows: ItemRows, repeat: bool) -> None:
        """`repeat`: people are listed what they had before, too."""
        self._scorer = scorer
        self._fusion = fusion
        self._rows = rows
        self._repeat = repeat
        self.watch: Callable[[Rows], None] = _unwatched
        """Is told what `Fusion.learn` returns; no part of the state."""

    def learn(
        self, fresh: Sequence[Interaction], steps: Steps, first: int, scored: Scored | None
    ) -> None:
        """Learn from interactions that the sources have not learnt yet; `first` is their number.

        What somebody had before is nothing that was listed, unless items repeat.
        """
        numbers = np.arange(first, first + len(steps), dtype=np.uint64)
        wanted = (numbers * GOLDEN >> np.uint64(11)) < self._share(numbers)
        wanted &= np.diff(steps.ptr) > 0
        if not self._repeat:
            wanted &= ~np.array([one.again for one in fresh], np.bool_)
        if scored is None:
            chosen = np.flatnonzero(wanted)
            for start in range(0, len(chosen), SCORED_AT_ONCE):
                at = chosen[start : start + SCORED_AT_ONCE]
                self._learn_choices(steps, at, self._scored(steps, at))
        else:
            number = {one.offset: n for n, one in enumerate(fresh)}
            both = [(b, number[o]) for b, o in enumerate(scored.offsets) if o in number]
            mine = np.array([b for b, n in both if wanted[n]], np.int64)
            at = np.array([n for _, n in both if wanted[n]], np.int64)
            histories = picked(scored.histories, mine)
            found, features = scored.candidates[mine], scored.features[:, mine]
            self._learn_choices(steps, at, Scored([], histories, found, features))

    def _scored(self, steps: Steps, at: npt.NDArray[np.int64]) -> Scored:
        """Return what the sources say before some steps, none of which has been learnt."""
        histories = picked(histories_before(steps), at)
        ptr = np.zeros_like(histories.ptr) if self._repeat else histories.ptr
        found = self._scorer.candidates(histories, ptr, histories.rows, len(self._rows))
        return Scored([], histories, found, self._scorer.score(histories, found))

    def _learn_choices(self, steps: Steps, at: npt.NDArray[np.int64], scored: Scored) -> None:
        if not len(at):
            return
        chosen = steps.rows[at]
        _, histories, found, features = scored
        self.watch(self._fusion.learn(features, found, histories, chosen, steps.weights[at]))

    def _share(self, numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        """Return below which of 2^53 a step's draw must be for the fusion to learn from it."""
        p = self._fusion.params
        return np.where(numbers < p.sampled_from, 2**53, int(p.sample * 2**53)).astype(np.uint64)


def _unwatched(above: Rows) -> None:
    """Tell nobody."""
