"""What every scorer of items is: a small interface, so that a source is one file and one line."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from millstream.models.embedding import Embedding
from millstream.models.histories import Histories, Rows, Scores, Steps

Arrays = Mapping[str, npt.NDArray[np.generic]]


class Part(Protocol):
    """A part of the item model that learns in LEARN and is read in every replica."""

    def changes(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what replicas lack since the last call, and begin anew; {} for nothing."""

    def apply(self, changes: Arrays) -> None:
        """Take in what another instance's `changes` returned."""

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what replicas hold, by name, trimmed to the rows in use: the digest's material."""

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the whole learner's state, by name: the snapshot's material."""

    def load(self, arrays: Arrays) -> None:
        """Replace the state by what `arrays` returned (or a replica by its `read_arrays`)."""


class Source(Part, Protocol):
    """A part that proposes and scores items: it gives the fusion one or more features.

    LEARN owns the learner and calls `learn` in log order. A replica is the same class: it is
    given the same steps when `learns_from_steps`, and otherwise the rows that `changes` returned.
    Rows are dense item numbers; `grow` is called before a row is first used, and `forget` when
    a row is given to another item. Reads (`retrieve`, `score`, `arrays`) change nothing, and a
    user's result does not depend on who shares the batch.
    """

    name: str
    learns_from_steps: bool
    """True: replicas call `learn` themselves. False: replicas only `apply` what `changes` gave."""

    @property
    def features(self) -> Mapping[str, float]:
        """Return the name of each feature of `score`, with the weight the fusion starts from."""

    def grow(self, rows: int) -> None:
        """Make room for item rows 0 .. rows - 1; never shrinks."""

    def forget(self, rows: Rows) -> None:
        """Drop all that is known of these rows and every reference to them."""

    def learn(self, steps: Steps) -> None:
        """Take interactions into the state, one after another; how they are cut must not show."""

    def retrieve(self, histories: Histories, k: int) -> Rows:
        """Return up to k proposals a user, shape (B, k), best first, padded with -1.

        A source that only scores returns (B, 0). Items of the history may be among them.
        """

    def score(self, histories: Histories, candidates: Rows) -> Scores:
        """Return each feature of each candidate (B, C), shape (F, B, C), finite.

        Padding (-1) scores 0. Unknown rows and empty histories score 0 or a prior.
        """


class LearnsFromSteps:
    """For a source whose replicas are given the steps: there is nothing else to tell them."""

    learns_from_steps = True

    def changes(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return nothing: replicas learn from the steps."""
        return {}

    def apply(self, changes: Arrays) -> None:
        """Do nothing: replicas learn from the steps."""


class OnlyRescores:
    """For a source that proposes nothing: to find its best would cost with the catalogue."""

    def retrieve(self, histories: Histories, k: int) -> Rows:
        """Return (B, 0)."""
        return np.empty((len(histories), 0), np.int32)


@runtime_checkable
class Derives(Protocol):
    """A source that reads features of sources before it; without them it scores as with zeros."""

    needs: ClassVar[Sequence[str]]
    """Names of those features."""

    def score_after(self, histories: Histories, candidates: Rows, needed: Scores) -> Scores:
        """Return what `score` does, given the `needed` features (len(needs), B, C)."""


@runtime_checkable
class Describes(Protocol):
    """A source that is told what items look like, and gives replicas that by `changes`."""

    def describe(self, row: int, embedding: Embedding) -> None:
        """Put what an item looks like in place of what was known of it. LEARN's only."""
