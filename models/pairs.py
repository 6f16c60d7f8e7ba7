"""What `co` and `sr` share: a source that is one graph of neighbours."""

from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.histories import Histories, Rows, Scores, Steps
from millstream.models.neighbours import Neighbours
from millstream.models.source import Arrays

Proposals = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
Width = Annotated[int, msgspec.Meta(ge=1, le=65_536)]
Items = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Decay = Annotated[float, msgspec.Meta(gt=0, le=1)]


class PairParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings both have; see each for its own."""

    weight: float = 1.0
    proposals: Proposals = 100
    width: Width = 128
    pair_items: Items = 50
    pair_decay: Decay = 1.0
    profile_items: Items = 50
    profile_decay: Decay = 1.0


class Pairs:
    """Pairs an interaction with the history it followed, weighing a pair less the longer ago.

    An edge from the k-th last item gains weight x history weight x pair_decay^k.
    """

    learns_from_steps = True

    def __init__(self, name: str, params: PairParams, both: bool) -> None:
        """Pair both ways and read as a cosine when `both`, else forward only."""
        self.name = name
        self.both = both
        self.pair_decay = _powers(params.pair_decay, params.pair_items)
        profile_decay = _powers(params.profile_decay, params.profile_items)
        self.neighbours = Neighbours(params.width, profile_decay, cosine=both)

    def grow(self, rows: int) -> None:
        """Make room for item rows 0 .. rows - 1."""
        self.neighbours.grow(rows)

    def forget(self, rows: Rows) -> None:
        """Drop these rows and every edge to them."""
        self.neighbours.forget(rows)

    def learn(self, steps: Steps) -> None:
        """Pair each item with what it followed."""
        self.neighbours.learn(steps, self.pair_decay, self.both)

    def changes(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return nothing: replicas learn from the steps."""
        return {}

    def apply(self, changes: Arrays) -> None:
        """Do nothing: replicas learn from the steps."""

    def retrieve(self, histories: Histories, k: int) -> Rows:
        """Return the k items that weigh most, (B, k), best first, padded with -1."""
        return self.neighbours.retrieve(histories, k)

    def score(self, histories: Histories, candidates: Rows) -> Scores:
        """Return the weight reaching each candidate, (B, C), at least 0; unknown rows 0."""
        return self.neighbours.score(histories, candidates)

    def because(self, histories: Histories, listed: Rows) -> Rows:
        """Return the history row that weighs most in each listed row (B, n), or -1."""
        return self.neighbours.because(histories, listed)

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the graph."""
        return self.neighbours.arrays()

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the graph: there is nothing else."""
        return self.neighbours.arrays()

    def load(self, arrays: Arrays) -> None:
        """Replace the graph."""
        self.neighbours.load(arrays)


def _powers(decay: float, n: int) -> npt.NDArray[np.float32]:
    return (np.float64(decay) ** np.arange(n)).astype(np.float32)
