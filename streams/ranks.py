"""Where an item stands: among what production would list, and for each source among all items.

The one place of evaluation that knows how sources score and how they are fused.
"""

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.content import BEHAVIOUR
from millstream.models.embedding import MODALITIES, Modality
from millstream.models.histories import Histories, Rows, Scores
from millstream.models.item_model import ItemModel
from millstream.models.newcomers import Drawn, slots
from millstream.models.recommender import Recommender
from millstream.streams.evaluation import MISS

RANKED_MAX: Final = 500
"""As if a list were so long: what stands below counts nowhere."""


def source_names(model: ItemModel, described: Collection[Modality] = MODALITIES) -> list[str]:
    """Return the name of each feature that has a rank of its own, in their order.

    What says something only beside others has none, nor has a modality that no item has.
    """
    silent = {*BEHAVIOUR, *MODALITIES} - {*described}
    return [name for name in model.scorer.features if name not in silent]


def fused_ranks(
    recommender: Recommender,
    histories: Histories,
    candidates: Rows,
    features: Scores,
    rows: Sequence[int],
    ties: Sequence[float],
    drawn: Drawn | None = None,
) -> list[int]:
    """Return each user's row's rank among their candidates, (B, C); MISS if it is none of them.

    With `list.diversity` a listed row's rank is its place, and the others come after the list.
    With newcomers `drawn`, these have the places that a list gives them, however long it were.
    """
    fused = recommender.fuse(histories, candidates, features, candidates.shape[1])
    shown = None
    if recommender.diversity:
        shown = recommender.listed(histories, candidates, features).rows
    ranks = []
    places = slots(recommender.model.newcomers_after, RANKED_MAX) if drawn is not None else ()
    for b, (row, tie) in enumerate(zip(rows, ties, strict=True)):
        new = drawn is not None and row >= 0 and row not in fused.rows[b]
        if drawn is not None and new and row in drawn.rows[b]:
            at = int(np.flatnonzero(drawn.rows[b][drawn.rows[b] >= 0] == row)[0])
            ranks.append(places[at] + 1 if at < len(places) else MISS)
            continue
        mine = np.flatnonzero(fused.rows[b] == row)
        if row < 0 or not len(mine):
            ranks.append(MISS)
            continue
        rank = rank_of(fused.scores[b][fused.rows[b] >= 0], int(mine[0]), tie)
        if shown is not None:
            place = np.flatnonzero(shown[b] == row)
            rank = int(place[0]) + 1 if len(place) else max(rank, recommender.length + 1)
        if drawn is not None:
            rank = _below(rank, places[: int((drawn.rows[b] >= 0).sum())])
        ranks.append(rank)
    return ranks


def _below(rank: int, taken: Sequence[int]) -> int:
    """Return the place, from 1, of the rank-th entry where some places (from 0) are taken."""
    for place in taken:
        rank += place < rank
    return rank


def source_ranks(
    model: ItemModel,
    histories: Histories,
    row: int,
    met: Sequence[str],
    tie: float,
    names: Sequence[str],
) -> list[int]:
    """Return the row's rank by these features, among all items but those that the user has met."""
    if row < 0:
        return [MISS] * len(names)
    rivals = _rivals(model, met)
    place = int(np.searchsorted(rivals, row))
    said = model.scorer.score(histories, rivals[None, :])
    at = [list(model.scorer.features).index(name) for name in names]
    return [rank_of(said[n, 0], place, tie) for n in at]


def rank_of(scores: npt.NDArray[np.float32], place: int, tie: float) -> int:
    """Return 1 + how many score higher + a random part (`tie`, below 1) of those that score alike.

    Ties in the item's favour would turn .09 into .35.
    """
    mine = scores[place]
    higher, alike = int((scores > mine).sum()), int((scores == mine).sum())
    return 1 + higher + int(tie * alike)


def _rivals(model: ItemModel, met: Sequence[str]) -> Rows:
    """Return the rows of all items in use that are not among those met."""
    rows = model.rows
    free = np.ones(len(rows), np.bool_)
    if rows.most - rows.room() < len(rows):  # some rows were given up
        free[[n for n, item in enumerate(rows.ids()) if not item]] = False
    free[[row for row in rows.rows(met) if row >= 0]] = False
    return np.flatnonzero(free).astype(np.int32)
