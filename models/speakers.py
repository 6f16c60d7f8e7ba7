"""Which item of a history spoke for each item of a list, and in what the two are alike."""

from typing import Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from millstream.models.arrays import missing
from millstream.models.content import Content
from millstream.models.content_because import JOINT, by_content
from millstream.models.embedding import MODALITIES
from millstream.models.histories import Histories, Rows
from millstream.models.item_model import ItemModel
from millstream.models.space import Floats

NOBODY: Final = np.int32(-1)


@runtime_checkable
class Explains(Protocol):
    """A source that can say which item of the history spoke for another."""

    def because(self, histories: Histories, listed: Rows) -> Rows:
        """Return for each listed row (B, n) the history row that gave it most, or -1."""


class Said(NamedTuple):
    """For each listed row (B, n) the history row that spoke, or -1, and its modality, or -1."""

    rows: Rows
    modalities: Rows  # numbers of MODALITIES; -1 where it was not content that spoke

    def lists(self) -> tuple[list[list[int]], list[list[int]]]:
        """Return both as lists."""
        return self.rows.tolist(), self.modalities.tolist()


class Speakers:
    """Asks the sources that can say. Reads only; what is said does not depend on the batch."""

    def __init__(self, model: ItemModel) -> None:
        """Take the sources of a model."""
        self._model = model
        names = list(model.scorer.features)
        self._explain = [
            ([names.index(name) for name in source.features], source)
            for source in model.sources.values()
            if isinstance(source, Explains)
        ]
        self._content = model.content
        of_content: dict[str, int] = {}
        if isinstance(self._content, Content):
            of_content = dict.fromkeys(self._content.features, JOINT)
            of_content |= {name: n for n, name in enumerate(MODALITIES) if name in of_content}
        # By feature: the modality that it is, JOINT, or -1 where it is not of content.
        self._modality: Rows = np.array([of_content.get(name, -1) for name in names], np.int32)

    def of_listed(self, histories: Histories, rows: Rows, strongest: npt.NDArray[np.int64]) -> Said:
        """Return who spoke for rows (B, n) by the feature that gave most to each, (B, n).

        For a modality it is the history item nearest in it; for other features of content the
        modality is the one that brings the row nearest to the person's taste.
        """
        speakers = missing(*rows.shape)
        for features, source in self._explain:
            mine = np.isin(strongest, features)
            if mine.any():
                said = source.because(histories, np.where(mine, rows, NOBODY))
                speakers = np.where(mine, said, speakers)
        wanted = np.where(rows >= 0, self._modality[strongest], NOBODY)
        if self._content is None or not (wanted >= 0).any():
            return Said(speakers, missing(*rows.shape))
        said, modalities = by_content(self._content, histories, rows, wanted, self._content.worth)
        return Said(np.where(wanted >= 0, said, speakers), modalities)

    def of_newcomers(self, histories: Histories, rows: Rows) -> Said:
        """Return who spoke for newcomers (B, n), by the learned weights of their modalities."""
        newcomers = self._model.newcomers
        if self._content is None or newcomers is None:
            return Said(missing(*rows.shape), missing(*rows.shape))
        wanted = np.where(rows >= 0, np.int32(JOINT), NOBODY)
        worth: Floats = newcomers.modality_weights()
        return Said(*by_content(self._content, histories, rows, wanted, worth))
