"""Why an item stands where it does in a person's list, or why it does not: ranked as lists are."""

from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np

from millstream.models.catalogue import Catalogue
from millstream.models.histories import Histories
from millstream.models.newcomers import slots
from millstream.models.profile import Profile
from millstream.models.recommender import Listed, Recommender, Request, Withheld
from millstream.models.seen import item_hash

Verdict = Literal[
    "listed",
    "hidden",
    "not_yet_available",
    "expired",
    "disliked",
    "met",
    "resting",
    "unknown",
    "not_proposed",
    "outranked",
    "not_drawn",
]
DIGITS: Final = 5


class Contender(msgspec.Struct, frozen=True):
    """A candidate, its place among all candidates from 1, and what each feature gave its score.

    `learned` is what the fusion's network and the bonus of young items add to the features.
    """

    item: str
    rank: int
    score: float
    features: dict[str, float]
    learned: float


class Why(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of an item; what does not apply is left out.

    `place` counts from 1. `last` is the last of the list that is no newcomer. For a newcomer
    that was not drawn, `propensity` is about how likely it was to be, 0 where it took no part.
    """

    user: str
    item: str
    verdict: Verdict
    place: int | None = None
    entry: Listed | None = None
    candidates: int = 0
    contender: Contender | None = None
    last: Contender | None = None
    at_ms: int | None = None
    propensity: float | None = None


class _Asked(NamedTuple):
    """One person, read once."""

    recommender: Recommender
    request: Request
    histories: Histories
    withheld: Withheld
    contenders: list[Contender]  # best first


def why(recommender: Recommender, request: Request, catalogue: Catalogue, item: str) -> Why:
    """Return why an item is in the list that `recommender` makes now, or the first reason why not.

    `at_ms` is when an item becomes available, or when it expired. A deleted item is `hidden`.
    """
    user, model = request.user, recommender.model
    asked = _ask(recommender, request, catalogue)
    by_item = {one.item: one for one in asked.contenders}
    listed = recommender.rank([request], catalogue)[0]
    many, contender = len(by_item), by_item.get(item)
    known = [entry for entry in listed if entry.item in by_item]
    last = by_item[known[-1].item] if known else None
    for place, entry in enumerate(listed, 1):
        if entry.item == item:
            return Why(user, item, "listed", place, entry, many, contender, last)
    closed = _closed(catalogue, item, request.now_ms)
    if closed is not None:
        return Why(user, item, closed[0], at_ms=closed[1])
    withheld = _withheld(recommender, request, item)
    if withheld is not None:
        return Why(user, item, withheld)
    if model.rows.row(item) < 0:
        return Why(user, item, "unknown")
    if contender is not None:
        return Why(user, item, "outranked", candidates=many, contender=contender, last=last)
    if model.content is not None and model.rows.row(item) in model.content.unmet:
        return Why(user, item, "not_drawn", propensity=_propensity(asked, item))
    return Why(user, item, "not_proposed", candidates=many, last=last)


def _ask(recommender: Recommender, request: Request, catalogue: Catalogue) -> _Asked:
    """Rank all that is proposed, not only what is listed."""
    histories = recommender.histories([request])
    withheld = recommender.withheld([request], catalogue)
    contenders: list[Contender] = []
    if len(recommender.model.rows):
        rows = recommender.candidates([request], histories, withheld)
        features = recommender.features(histories, rows)
        ranked = recommender.fuse(histories, rows, features, rows.shape[1])
        names = list(recommender.model.scorer.features)
        columns = (ranked.rows[0].tolist(), ranked.scores[0].tolist(), ranked.parts[0].tolist())
        for row, score, parts in zip(*columns, strict=True):
            if row >= 0:
                given = {n: round(part, DIGITS) for n, part in zip(names, parts, strict=True)}
                contenders.append(
                    Contender(
                        recommender.model.rows.item(row),
                        len(contenders) + 1,
                        round(score, DIGITS),
                        given,
                        round(score - sum(parts), DIGITS),
                    )
                )
    return _Asked(recommender, request, histories, withheld, contenders)


def _closed(catalogue: Catalogue, item: str, now_ms: int) -> tuple[Verdict, int | None] | None:
    """Return what the catalogue has against an item, and since or until when."""
    gate = catalogue.gates.get(item)
    if gate is None or gate.shown_at(now_ms):
        return None
    if gate.hidden:
        return "hidden", None
    if now_ms < gate.available_from:
        return "not_yet_available", gate.available_from
    return "expired", gate.expires_at


def _withheld(recommender: Recommender, request: Request, item: str) -> Verdict | None:
    """Return why a person is not shown an item, whatever its score."""
    profile: Profile = request.profile
    hashed = np.uint32(item_hash(item))
    if item in profile.removed():
        return "disliked"
    if item not in profile.items and hashed in profile.removed_hashes():
        return "disliked"
    if not recommender.repeats and (item in profile.items or hashed in profile.seen_hashes()):
        return "met"
    if item in profile.resting(request.now_ms, recommender.fatigue):
        return "resting"
    return None


def _propensity(asked: _Asked, item: str) -> float:
    """Return about how likely a newcomer was to be drawn; 0 where it had no part in the draw."""
    recommender = asked.recommender
    drawn = recommender.newcomers([asked.request], asked.histories, asked.withheld)
    row = recommender.model.rows.row(item)
    if drawn is None or not slots(recommender.model.newcomers_after, recommender.length):
        return 0.0
    mine = np.flatnonzero(drawn.rows[0] == row)
    return round(float(drawn.propensities[0, mine[0]]), 3) if len(mine) else 0.0
