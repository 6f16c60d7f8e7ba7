"""A profile and the item model in, a ranked list out: history, candidates, scores, list."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, runtime_checkable

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.arrays import missing
from millstream.models.catalogue import Catalogue
from millstream.models.event import EventWeights
from millstream.models.fusion import FusionParams, Ranked, candidates, rank
from millstream.models.histories import Histories, Rows
from millstream.models.impressions import NO_FATIGUE, FatigueParams
from millstream.models.interaction import hash64
from millstream.models.item_model import ItemModel
from millstream.models.profile import Profile
from millstream.models.teaching import Taught

SCORE_DIGITS: Final = 5
NOBODY: Final = np.int32(-1)
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
    """One item of a list: the source that gave it most, and the history item that spoke for it."""

    item: str
    score: float
    source: str
    because: str | None = None


@runtime_checkable
class Explains(Protocol):
    """A source that can say which item of the history spoke for another."""

    def because(self, histories: Histories, listed: Rows) -> Rows:
        """Return for each listed row (B, n) the history row that gave it most, or -1."""


class Recommender:
    """Ranks a batch of profiles. Reads only; a list does not depend on who shares the batch."""

    def __init__(
        self,
        model: ItemModel,
        source_weights: Sequence[tuple[str, float, int]],
        fusion: FusionParams,
        weights: EventWeights,
        *,
        history_max: int,
        length: int,
        repeats: bool,
        user_key: bytes = b"",
        fatigue: FatigueParams = NO_FATIGUE,
    ) -> None:
        """Take the sources as (name, weight in the fusion, proposals), in the model's order."""
        self.model = model
        self._sources = [(model.sources[name], w, k) for name, w, k in source_weights]
        self._names = [name for name, _, _ in source_weights]
        self._explain = [
            (n, s) for n, (s, _, _) in enumerate(self._sources) if isinstance(s, Explains)
        ]
        self._fusion = fusion
        self._weights = weights
        self._history_max = history_max
        self._length = length
        self._repeats = repeats
        self._user_key = user_key
        self._fatigue = fatigue

    def rank(self, requests: Sequence[Request], catalogue: Catalogue) -> list[list[Listed]]:
        """Return each request's list, best first, at most `length` long; [] if nothing is known."""
        if not requests or not len(self.model.rows):
            return [[] for _ in requests]
        histories = self.histories(requests)
        rows = self.candidates(requests, histories, catalogue)
        found = self.fuse(histories, rows, self._length)
        return self._entries(histories, found)

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

    def candidates(
        self, requests: Sequence[Request], histories: Histories, catalogue: Catalogue
    ) -> Rows:
        """Return what may be listed for each request, (B, C), padded with -1.

        Without `repeats` nothing is listed that the person has met, with them nothing that was
        taken out; what the profile keeps only as a hash counts too.
        """
        proposals = [source.retrieve(histories, k) for source, _, k in self._sources if k]
        ptr, excluded = self._excluded(requests)
        rows = self.model.rows
        # One moment for the batch: the masks of its requests differ only across an item's turn.
        closed = catalogue.closed_rows(rows, rows.changes, max(r.now_ms for r in requests))
        found = candidates(proposals, ptr, excluded, closed, self._fusion.candidates_max)
        for b, request in enumerate(requests):
            if len(request.profile.seen):
                profile = request.profile
                hashes = profile.removed_hashes() if self._repeats else profile.seen_hashes()
                found[b, np.isin(rows.hashes[found[b]], hashes)] = -1
        return found

    def fuse(self, histories: Histories, found: Rows, n: int) -> Ranked:
        """Return the n best candidates of each user."""
        scores = [source.score(histories, found) for source, _, _ in self._sources]
        weights = [weight for _, weight, _ in self._sources]
        return rank(found, scores, weights, n, self._fusion.squash)

    def _excluded(self, requests: Sequence[Request]) -> tuple[npt.NDArray[np.int64], Rows]:
        """Return the rows each person is not shown: met (with repeats: removed) or resting."""
        counts = [0]
        excluded: list[int] = []
        for request in requests:
            profile = request.profile
            items = profile.removed() if self._repeats else profile.consumed()
            excluded += self.model.rows.rows(items)
            excluded += self.model.rows.rows(profile.resting(request.now_ms, self._fatigue))
            counts.append(len(excluded))
        return np.array(counts, np.int64), np.array(excluded, np.int32)

    def _entries(self, histories: Histories, found: Ranked) -> list[list[Listed]]:
        strongest = found.sources()
        because = self._because(histories, found.rows, strongest)
        strangers = np.diff(histories.ptr) == 0
        strongest[strangers] = len(self._names)
        item = self.model.rows.item
        names = [*self._names, TRENDING]
        scores = np.round(found.scores.astype(np.float64), SCORE_DIGITS)
        columns = (found.rows.tolist(), scores.tolist(), strongest.tolist(), because.tolist())
        return [
            [
                Listed(item(row), score, names[source], item(speaker) if speaker >= 0 else None)
                for row, score, source, speaker in zip(*entries, strict=True)
                if row >= 0
            ]
            for entries in zip(*columns, strict=True)
        ]

    def _because(self, histories: Histories, rows: Rows, strongest: npt.NDArray[np.int64]) -> Rows:
        speakers = missing(*rows.shape)
        for n, source in self._explain:
            mine = strongest == n
            if mine.any():
                said = source.because(histories, np.where(mine, rows, NOBODY))
                speakers = np.where(mine, said, speakers)
        return speakers
