"""From histories to features: what the sources propose, and what each says of every candidate."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.candidates import candidates
from millstream.models.histories import Histories, Rows, Scores
from millstream.models.source import Derives, Source

NONE_WITHHELD: Final = np.zeros(0, np.bool_)


class Scorer:
    """Reads the sources of one item model, always in the same order."""

    def __init__(self, sources: Sequence[tuple[Source, int]], candidates_max: int) -> None:
        """Take each source with how many items it proposes a person."""
        self._sources = list(sources)
        self._candidates_max = candidates_max
        self.features = {
            name: start for source, _ in sources for name, start in source.features.items()
        }

    def candidates(
        self,
        histories: Histories,
        excluded_ptr: npt.NDArray[np.int64],
        excluded: Rows,
        rows_in_use: int,
        withheld: npt.NDArray[np.bool_] = NONE_WITHHELD,
    ) -> Rows:
        """Return what may be listed for each user, (B, candidates_max), padded with -1."""
        proposals = [source.retrieve(histories, k) for source, k in self._sources if k]
        most = self._candidates_max
        return candidates(proposals, excluded_ptr, excluded, withheld, rows_in_use, most)

    def score(self, histories: Histories, found: Rows) -> Scores:
        """Return all features of the candidates (B, C), in the order of `features`, (K, B, C)."""
        out = np.empty((len(self.features), *found.shape), np.float32)
        names = list(self.features)
        at = 0
        for source, _ in self._sources:
            end = at + len(source.features)
            if isinstance(source, Derives):
                needed = np.zeros((len(source.needs), *found.shape), np.float32)
                for n, name in enumerate(source.needs):
                    if name in names[:at]:
                        needed[n] = out[names.index(name)]
                out[at:end] = source.score_after(histories, found, needed)
            else:
                out[at:end] = source.score(histories, found)
            at = end
        return out
