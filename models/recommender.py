"""A profile and the item model in, a ranked list out: history, candidates, scores, list."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.catalogue import Catalogue
from millstream.models.diversity import Places, diversify
from millstream.models.embedding import MODALITIES
from millstream.models.event import EventWeights
from millstream.models.fusion import Ranked
from millstream.models.histories import Histories, Rows, Scores
from millstream.models.impressions import NO_FATIGUE, FatigueParams
from millstream.models.interaction import hash64
from millstream.models.item_model import ItemModel
from millstream.models.mf import Mf
from millstream.models.newcomers import Drawn, slots
from millstream.models.profile import Profile
from millstream.models.speakers import Speakers
from millstream.models.teaching import Taught

SCORE_DIGITS: Final = 5
PROPENSITY_DIGITS: Final = 3
NOBODY: Final = np.int32(-1)
DIVERSE_AMONG: Final = 100
"""Of so many of the best, those are listed that are best together."""
NEW: Final = "new"
"""What is said of a newcomer."""
TRENDING: Final = "trending"
"""What is said of an entry that a person with no history gets."""


class Request(NamedTuple):
    """Whose list, from which profile, as of when (ms since the epoch).

    `taught` is what `profile.taught` returns, for those who have it at hand.
    """

    user: str
    profile: Profile
    now_ms: int
    taught: Taught | None = None


class Listed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One item of a list: the feature that gave it most, and the history item that spoke for it.

    Where content spoke, `modality` says in what the two are alike. A newcomer says how likely it
    was to be drawn (about); its score compares with newcomers' only.
    """

    item: str
    score: float
    source: str
    because: str | None = None
    propensity: float | None = None
    modality: str | None = None


class Withheld(NamedTuple):
    """What is not to be listed: for person b rows[ptr[b]:ptr[b + 1]], for nobody where `closed`."""

    ptr: npt.NDArray[np.int64]
    rows: Rows
    closed: npt.NDArray[np.bool_]


class Recommender:
    """Ranks a batch of profiles. Reads only; a list does not depend on who shares the batch."""

    def __init__(
        self,
        model: ItemModel,
        weights: EventWeights,
        *,
        history_max: int,
        length: int,
        repeats: bool,
        diversity: float = 0.0,
        user_key: bytes = b"",
        fatigue: FatigueParams = NO_FATIGUE,
    ) -> None:
        """`diversity` is the strength at which items of a list must differ by factors of `mf`."""
        self.model = model
        self._names = list(model.scorer.features)
        self._speakers = Speakers(model)
        self._weights = weights
        self._history_max = history_max
        self.length = length
        self.diversity = diversity
        self.repeats = repeats
        self._user_key = user_key
        self.fatigue = fatigue

    def rank(self, requests: Sequence[Request], catalogue: Catalogue) -> list[list[Listed]]:
        """Return each request's list, best first, at most `length` long; [] if nothing is known."""
        if not requests or not len(self.model.rows):
            return [[] for _ in requests]
        histories = self.histories(requests)
        withheld = self.withheld(requests, catalogue)
        rows = self.candidates(requests, histories, withheld)
        features = self.features(histories, rows)
        entries = self._entries(histories, self.listed(histories, rows, features))
        if not slots(self.model.newcomers_after, self.length):
            return entries
        drawn = self.newcomers(requests, histories, withheld)
        return entries if drawn is None else self._with_newcomers(entries, histories, drawn)

    def taught(self, profile: Profile) -> Taught:
        """Return what a profile teaches, as far as it is read."""
        return profile.taught(self._weights, self._history_max)

    def histories(self, requests: Sequence[Request]) -> Histories:
        """Return what the requests' profiles teach, as item rows."""
        counts = [0]
        rows: list[int] = []
        worth: list[float] = []
        when: list[int] = []
        rows_of = self.model.rows.rows
        for request in requests:
            items, weights, ts = request.taught or self.taught(request.profile)
            known = rows_of(items)
            if -1 in known:
                kept = [n for n, row in enumerate(known) if row >= 0]
                known = [known[n] for n in kept]
                weights = [weights[n] for n in kept]
                ts = [ts[n] for n in kept]
            rows += known
            worth += weights
            when += ts
            counts.append(len(rows))
        return Histories(
            np.array(counts, np.int64),
            np.array(rows, np.int32),
            np.array(worth, np.float32),
            np.array(when, np.int64),
            np.array([r.now_ms for r in requests], np.int64),
            np.array([hash64(r.user, self._user_key) for r in requests], np.uint64),
        )

    def withheld(self, requests: Sequence[Request], catalogue: Catalogue) -> Withheld:
        """Return what is not to be listed: what each has met, or with `repeats` taken out.

        What rests and what the catalogue closes too; what a profile keeps only as a hash is left
        to `candidates` and `newcomers`.
        """
        rows = self.model.rows
        # One moment for the batch: the masks of its requests differ only across an item's turn.
        closed = catalogue.closed_rows(rows, rows.changes, max(r.now_ms for r in requests))
        return Withheld(*self._excluded(requests), closed)

    def candidates(
        self, requests: Sequence[Request], histories: Histories, withheld: Withheld
    ) -> Rows:
        """Return what may be listed for each request, (B, C), padded with -1."""
        ptr, excluded, closed = withheld
        found = self.model.scorer.candidates(histories, ptr, excluded, len(self.model.rows), closed)
        self._drop_seen(requests, found)
        return found

    def newcomers(
        self, requests: Sequence[Request], histories: Histories, withheld: Withheld
    ) -> Drawn | None:
        """Return items that nobody has met, drawn for each request; None where there are none."""
        newcomers = self.model.newcomers
        if newcomers is None or not newcomers.waiting():
            return None
        places = len(slots(newcomers.params.after, self.length))
        drawn = newcomers.draw(histories, *withheld, places)
        self._drop_seen(requests, drawn.rows)
        return drawn

    def _drop_seen(self, requests: Sequence[Request], found: Rows) -> None:
        """Put -1 in the place of rows that a profile keeps only as a hash."""
        rows = self.model.rows
        for b, request in enumerate(requests):
            if len(request.profile.seen):
                profile = request.profile
                hashes = profile.removed_hashes() if self.repeats else profile.seen_hashes()
                found[b, _among(rows.hashes[found[b]], hashes)] = -1

    def features(self, histories: Histories, found: Rows) -> Scores:
        """Return what the sources say of the candidates (B, C), (K, B, C)."""
        return self.model.scorer.score(histories, found)

    def fuse(self, histories: Histories, found: Rows, features: Scores, n: int) -> Ranked:
        """Return the n best candidates of each user."""
        content = self.model.content
        bonus = None if content is None else content.bonus(found)
        return self.model.fusion.rank(features, found, histories, n, bonus)

    def listed(self, histories: Histories, found: Rows, features: Scores) -> Ranked:
        """Return each user's list: the best candidates, or with `diversity` the best together.

        Then scores need not descend: they stay what the fusion gave.
        """
        factors = self.model.sources.get("mf")
        if not self.diversity or not isinstance(factors, Mf):
            return self.fuse(histories, found, features, self.length)
        best = self.fuse(histories, found, features, max(DIVERSE_AMONG, self.length))
        vectors = factors.factors[: factors.rows]
        return _taken(best, diversify(best.rows, best.scores, vectors, self.length, self.diversity))

    def _excluded(self, requests: Sequence[Request]) -> tuple[npt.NDArray[np.int64], Rows]:
        """Return the rows each person is not shown: met (with repeats: removed) or resting."""
        counts = [0]
        excluded: list[int] = []
        for request in requests:
            profile = request.profile
            items = profile.removed() if self.repeats else profile.consumed()
            excluded += self.model.rows.rows(items)
            excluded += self.model.rows.rows(profile.resting(request.now_ms, self.fatigue))
            counts.append(len(excluded))
        return np.array(counts, np.int64), np.array(excluded, np.int32)

    def _entries(self, histories: Histories, found: Ranked) -> list[list[Listed]]:
        strongest = found.features()
        said = self._speakers.of_listed(histories, found.rows, strongest)
        strangers = np.diff(histories.ptr) == 0
        strongest[strangers] = len(self._names)
        item = self.model.rows.item
        names = [*self._names, TRENDING]
        scores = np.round(found.scores.astype(np.float64), SCORE_DIGITS)
        columns = (found.rows.tolist(), scores.tolist(), strongest.tolist(), *said.lists())
        return [
            [
                Listed(
                    item(row),
                    score,
                    names[source],
                    item(speaker) if speaker >= 0 else None,
                    None,
                    MODALITIES[modality] if modality >= 0 else None,
                )
                for row, score, source, speaker, modality in zip(*entries, strict=True)
                if row >= 0
            ]
            for entries in zip(*columns, strict=True)
        ]

    def _with_newcomers(
        self, entries: list[list[Listed]], histories: Histories, drawn: Drawn
    ) -> list[list[Listed]]:
        """Return the lists with newcomers in their places, no longer than they may be.

        Nobody has met a newcomer, but a source may know it from a history, and have it listed.
        """
        item, places = self.model.rows.item, slots(self.model.newcomers_after, self.length)
        drawn = drawn.first(2 * len(places))
        said = self._speakers.of_newcomers(histories, drawn.rows)
        values = np.round(drawn.values.astype(np.float64), SCORE_DIGITS).tolist()
        chances = np.round(drawn.propensities.astype(np.float64), PROPENSITY_DIGITS).tolist()
        columns = (drawn.rows.tolist(), values, chances, *said.lists())
        lists = []
        for known, *drawn_for in zip(entries, *columns, strict=True):
            merged, listed = list(known), {entry.item for entry in known}
            free = iter(places)
            for row, value, chance, speaker, modality in zip(*drawn_for, strict=True):
                if row < 0 or item(row) in listed:
                    continue
                place = next(free, None)
                if place is None:
                    break
                because = item(speaker) if speaker >= 0 else None
                alike = MODALITIES[modality] if modality >= 0 else None
                merged.insert(place, Listed(item(row), value, NEW, because, chance, alike))
            lists.append(merged[: self.length])
        return lists


def _taken(ranked: Ranked, order: Places) -> Ranked:
    """Return the entries at these places (B, n), padding where a place is -1."""
    there = order >= 0
    at = np.maximum(order, 0)
    rows = np.where(there, np.take_along_axis(ranked.rows, at, 1), NOBODY)
    scores = np.take_along_axis(ranked.scores, at, 1) * there
    parts = np.take_along_axis(ranked.parts, at[:, :, None], 1) * there[:, :, None]
    return Ranked(rows, scores, parts)


def _among(
    wanted: npt.NDArray[np.uint32], ascending: npt.NDArray[np.uint32]
) -> npt.NDArray[np.bool_]:
    """Return which stand in ascending numbers; `np.isin` sorts both and takes far longer."""
    if not len(ascending):
        return np.zeros(len(wanted), np.bool_)
    at = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return np.asarray(ascending[at] == wanted)
