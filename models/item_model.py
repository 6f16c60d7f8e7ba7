"""The item model: what everybody did, as a fold over one log of interactions.

A `LearnedModel` (models/learned_model.py) folds the log and is the only writer; a `ModelReplica`
folds the frames it emits. Both hold the same rows and the same sources, and at a frame's end the
same `digest`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from millstream.models.arrays import array_texts
from millstream.models.content import Content
from millstream.models.errors import StateRefused
from millstream.models.frame import (
    Array,
    digest,
)
from millstream.models.fusion import Fusion, FusionParams
from millstream.models.histories import Rows
from millstream.models.item_rows import ItemRows
from millstream.models.newcomers import NO_NEWCOMERS, Newcomers, NewcomersParams
from millstream.models.scorer import Scorer
from millstream.models.source import Part, Source

DESCRIBED_BYTES: Final = 500
"""About what a described item adds to a frame: its id, codes and scales."""
FUSION: Final = "fusion"
NEWCOMERS: Final = "newcomers"
"""What these are called among the parts; no source has such a name."""


class ItemModel:
    """Rows, sources and fusion, as of interaction `offset` (the next to fold). Reads only."""

    def __init__(
        self,
        sources: Sequence[tuple[Source, int]],
        fusion: FusionParams,
        items_max: int,
        seed: int,
        newcomers: NewcomersParams = NO_NEWCOMERS,
    ) -> None:
        """Take each source with how many items it proposes a person."""
        self.rows = ItemRows(items_max)
        self.sources = {source.name: source for source, _ in sources}
        self.scorer = Scorer(sources, fusion.candidates_max)
        self.fusion = Fusion(self.scorer.features, fusion, seed)
        self._parts: dict[str, Part] = {**self.sources, FUSION: self.fusion}
        content = self.content
        self.newcomers = None if content is None else Newcomers(content, newcomers)
        if self.newcomers is not None:
            self._parts[NEWCOMERS] = self.newcomers
        self.offset = 0
        self.newest_ts = 0

    @property
    def content(self) -> Content | None:
        """Return the source that knows what items look like, if there is one."""
        found = self.sources.get(Content.name)
        return found if isinstance(found, Content) else None

    @property
    def newcomers_after(self) -> int:
        """Return after how many places newcomers have some; 0: they have none."""
        return 0 if self.newcomers is None else self.newcomers.params.after

    def digest(self) -> str:
        """Return 16 hex digits over what replicas hold."""
        return digest(self.rows.ids(), dict(self._read_arrays()))

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Replace the state by a learner's snapshot. Raises StateRefused on missing parts."""
        try:
            offset, newest_ts, _ = np.asarray(arrays["fold.offset"], np.int64).tolist()
            self.rows.load(array_texts(arrays["fold.items"]))
            for source in self.sources.values():
                source.grow(len(self.rows))
            for name, part in self._parts.items():
                prefix = f"{name}."
                part.load(
                    {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
                )
        except (KeyError, ValueError) as error:
            raise StateRefused(f"the snapshot does not fit these sources: {error}") from error
        self.offset, self.newest_ts = offset, newest_ts

    def _read_arrays(self) -> Iterator[tuple[str, Array]]:
        for name, part in self._parts.items():
            for array_name, array in part.read_arrays().items():
                yield f"{name}.{array_name}", array

    def _place(self, items: Sequence[tuple[int, str]]) -> None:
        for row, item in items:
            self.rows.place(item, row)
        if items:
            for source in self.sources.values():
                source.grow(len(self.rows))

    def _forget(self, rows: Rows) -> None:
        if len(rows):
            self.rows.free(rows)
            for source in self.sources.values():
                source.forget(rows)
            if self.newcomers is not None:
                self.newcomers.forget(rows)
