"""What items look, read and sound like, as a source: near to what a person took to lately.

A person's taste is one direction a modality, the mean of what their newest items look like, derived
when read (models/content_kernels.py). How modalities come together is a setting:

    late     each modality is a feature, and the learned fusion weighs them
    early    one feature, the dot product of joint vectors with fixed weights
    hybrid   both; the joint one attends to the modalities in which the history is of one mind

Three more carry behaviour over to items that few have met: `spread` is how near an item is to what
`co` says of the other candidates (one step of smoothing over the graph of likeness), and `fresh`
and `fresh_spread` are taste and spread again, for young items only, so that the fusion can trust
likeness more where it has little else. Each was measured: docs/decisions/0008-content.md.

All young items are looked at, or of more than `young_max` those in the cells nearest to a taste
(models/cells.py, docs/decisions/0009-cells.md).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, ClassVar, Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown, missing
from millstream.models.cells import Cells, joint
from millstream.models.content_kernels import (
    NO_DOTS,
    TINY,
    as_columns,
    dots_of,
    in_parts,
    near,
    score,
    tastes,
)
from millstream.models.embedding import MODALITIES, Embedding
from millstream.models.histories import Histories, Rows, Scores, Steps
from millstream.models.item_vectors import ItemVectors
from millstream.models.pool import Pool
from millstream.models.source import Arrays
from millstream.models.space import DIM, Codes, Floats

Fusion = Literal["late", "early", "hybrid"]
Worth = Annotated[float, msgspec.Meta(ge=0, le=100)]
JOINT: Final = ("content",)
BEHAVIOUR: Final = ("spread", "fresh", "fresh_spread")
FEATURES: Final[Mapping[Fusion, tuple[str, ...]]] = {
    "late": (*MODALITIES, *BEHAVIOUR),
    "early": (*JOINT, *BEHAVIOUR),
    "hybrid": (*MODALITIES, *JOINT, *BEHAVIOUR),
}
ATTENTION: Final = 5.0
"""How sharply attention goes to the modalities in which a history is of one mind."""


class ContentParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `content`; `worth` weighs the modalities of the joint vector, in their order."""

    proposals: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 40
    fusion: Fusion = "hybrid"
    worth_text: Worth = 1.0
    worth_image: Worth = 0.5
    worth_audio: Worth = 0.5
    worth_categories: Worth = 1.0
    worth_numbers: Worth = 1.5
    profile_items: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 30
    profile_decay: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.85
    young: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 5
    young_bonus: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.75
    young_max: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 2048


class Taste:
    """What some people take to: codes (B, M, DIM), scales (B, M), and how much of one mind."""

    def __init__(self, people: int) -> None:
        """Begin with nobody's."""
        shape = (people, len(MODALITIES))
        self.codes: Codes = np.zeros((*shape, DIM), np.int8)
        self.scales: Floats = np.zeros(shape, np.float32)
        self.lengths: Floats = np.zeros(shape, np.float32)


class Content:
    """Item vectors and how often each item was met; proposes young items that fit."""

    name = "content"
    learns_from_steps = True
    needs: ClassVar[Sequence[str]] = ("co",)

    def __init__(self, params: ContentParams) -> None:
        """Start empty."""
        self.params = params
        self.features = dict.fromkeys(FEATURES[params.fusion], 0.0)
        p = params
        worth = {"text": p.worth_text, "image": p.worth_image, "audio": p.worth_audio}
        worth |= {"categories": p.worth_categories, "numbers": p.worth_numbers}
        self.worth: Floats = np.array([worth[modality] for modality in MODALITIES], np.float32)
        powers = np.float64(p.profile_decay) ** np.arange(p.profile_items)
        self.decay: Floats = powers.astype(np.float32)
        self.vectors = ItemVectors()
        self.cells = Cells()
        self.counts: Rows = np.zeros(0, np.int32)
        self.described = Pool()
        self.young = Pool()
        self.unmet = Pool()
        self._tasted: tuple[Histories, Taste] | None = None

    def grow(self, rows: int) -> None:
        """Make room for item rows 0 .. rows - 1."""
        self.vectors.grow(rows)
        self.cells.grow(rows)
        self.counts = grown(self.counts, rows)

    def forget(self, rows: Rows) -> None:
        """Drop what these rows look like, and how often they were met."""
        self.vectors.forget(rows)
        self.cells.forget(rows.tolist())
        self.counts[rows] = 0
        self._tasted = None
        for pool in (self.described, self.young, self.unmet):
            pool.drop(rows.tolist())

    def describe(self, row: int, embedding: Embedding) -> Collection[int]:
        """Put what an item looks like in place of what was known of it. LEARN's only.

        Returns the rows whose codes are new: of others too where axes were fitted anew.
        """
        described = self.vectors.describe(row, embedding)
        rows = np.array(described, np.int32)
        there = self.vectors.scales[rows].any(axis=1)
        self.cells.drop(rows[~there].tolist())
        self.cells.put(rows[there].tolist(), self.joint)
        for told in described:
            self._place(told)
        self._tasted = None
        return described

    def learn(self, steps: Steps) -> None:
        """Count who was met."""
        for row in steps.rows.tolist():
            self.counts[row] += 1
            if self.counts[row] <= self.params.young + 1:
                self._place(row)

    def changes(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return what was described since the last call, and who changed cells for that."""
        return self.vectors.changes() | self.cells.changes()

    def apply(self, changes: Arrays) -> None:
        """Take in what the learner was told of items."""
        self.vectors.apply(changes)
        if "cells" in changes:
            self.cells.apply(changes)
        for row in np.asarray(changes["rows"], np.int32).tolist():
            self._place(row)
        self._tasted = None

    def joint(self, rows: Rows) -> Floats:
        """Return the directions (n, cells.WIDTH) by which rows find their cells."""
        codes, scales = self.vectors.codes[rows], self.vectors.scales[rows]
        return joint(codes, scales, np.sqrt(self.worth))

    def tastes(self, histories: Histories) -> Taste:
        """Return what each person takes to. One batch asks several times: the last is kept."""
        if self._tasted is not None and self._tasted[0] is histories:
            return self._tasted[1]
        taste = Taste(len(histories))
        vectors = self.vectors
        tastes(
            vectors.codes,
            vectors.scales,
            histories.ptr,
            histories.rows,
            histories.weights,
            self.decay,
            taste.codes,
            taste.scales,
            taste.lengths,
        )
        self._tasted = histories, taste
        return taste

    def look(self, rows: Rows, taste: Taste, worth: Floats) -> Rows | None:
        """Return which of some rows to look at for each taste, (B, n) padded with -1; None: all.

        Of more than `young_max` half as many, those that lie nearest by modalities of such worth:
        everybody's own, they come from all over memory, which takes twice as long.
        """
        if len(rows) <= self.params.young_max:
            return None
        # A joint vector holds the root of each modality's worth already.
        asked = worth * np.sqrt(1.0 / np.maximum(self.worth, TINY), dtype=np.float32)
        asked[self.worth <= 0.0] = 0.0
        most = max(1, self.params.young_max // 2)
        return self.cells.look(rows, joint(taste.codes, taste.scales, asked), most)

    def retrieve(self, histories: Histories, k: int) -> Rows:
        """Return each person's k nearest young items by the joint vector, (B, k)."""
        top = missing(len(histories), k)
        pool, codes, scales = self.young.rows(), self.vectors.codes, self.vectors.scales
        if not len(pool):
            return top
        taste = self.tastes(histories)
        looked = self.look(pool, taste, self.worth)
        columns = as_columns(codes[pool if looked is None else pool[:0]])
        for part in in_parts(len(histories)):
            pools = pool[None, :] if looked is None else looked[part]
            mine, lengths = taste.codes[part], taste.scales[part]
            dots = NO_DOTS if looked is not None else dots_of(columns, mine)
            near(codes, scales, mine, lengths, self.worth, pools, dots, top[part])
        return top

    def score(self, histories: Histories, candidates: Rows) -> Scores:
        """Return each feature of each candidate, (F, B, C), as if `co` said nothing."""
        return self.score_after(histories, candidates, np.zeros((1, *candidates.shape), np.float32))

    def score_after(self, histories: Histories, candidates: Rows, needed: Scores) -> Scores:
        """Return each feature of each candidate (F, B, C), finite; `needed` is `co`, (1, B, C)."""
        out = np.zeros((len(self.features), *candidates.shape), np.float32)
        if not self.vectors.any or not candidates.size:
            return out
        taste = self.tastes(histories)
        spread = Taste(len(histories))
        width = candidates.shape[1]
        vectors = self.vectors
        tastes(
            vectors.codes,
            vectors.scales,
            np.arange(0, candidates.size + 1, width, dtype=np.int64),
            candidates.ravel(),
            np.maximum(needed[0], np.float32(0.0)).ravel(),
            np.ones(width, np.float32),
            spread.codes,
            spread.scales,
            spread.lengths,
        )
        score(
            vectors.codes,
            vectors.scales,
            taste.codes,
            taste.scales,
            self.attention(taste),
            spread.codes,
            spread.scales,
            self.worth,
            self.counts,
            self.params.young,
            self.params.fusion != "early",
            self.params.fusion != "late",
            candidates,
            out,
        )
        return out

    def bonus(self, candidates: Rows) -> Scores | None:
        """Return what young items that are described get on top, (B, C); None where none does.

        What few have met is known less well than it is good: optimism, as bandits have it.
        """
        if not self.params.young_bonus or not len(self.young.rows()):
            return None
        return self.young.among(candidates) * np.float32(self.params.young_bonus)

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return codes, scales, cells and counts."""
        counts = {"counts": self.counts[: self.vectors.rows]}
        return self.vectors.read_arrays() | self.cells.read_arrays() | counts

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return those, and what codes are made by."""
        return self.read_arrays() | self.vectors.arrays() | self.cells.arrays()

    def load(self, arrays: Arrays) -> None:
        """Replace the state; from `read_arrays` alone a replica's."""
        self.vectors.load(arrays)
        self.cells.load(arrays)
        self.counts = np.array(arrays["counts"], np.int32)
        described = self.vectors.described()
        few = (self.counts > 0) & (self.counts <= self.params.young)
        self.described = Pool(described)
        self.young = Pool(described & few)
        self.unmet = Pool(described & (self.counts == 0))
        self._tasted = None

    def attention(self, taste: Taste) -> Floats:
        """Return what each modality counts in each person's joint vector, (B, M)."""
        if self.params.fusion != "hybrid":
            return np.broadcast_to(self.worth, taste.lengths.shape).copy()
        return np.asarray(self.worth * np.exp(np.float32(ATTENTION) * taste.lengths), np.float32)

    def _place(self, row: int) -> None:
        """Put a row into the pools where it belongs, if any."""
        count = self.counts[row]
        described = bool(self.vectors.scales[row].any())
        self.described.put(row, described)
        self.unmet.put(row, described and count == 0)
        self.young.put(row, described and 0 < count <= self.params.young)
