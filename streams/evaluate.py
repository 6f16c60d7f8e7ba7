"""Prequential evaluation: the production cores over a file, each event ranked before it is learnt.

An event is scored when its user has an earlier one and the item is new to that user. The rank of
the fused list is taken among the candidates that production would have listed, outside is a
miss; each source's own rank over the whole known catalogue, what the user has met left out. Ties
are broken at random (Vinagre et al. 2014; ties in a source's favour turn .09 into .35).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from millstream.models.catalogue import Catalogue
from millstream.models.event import Event
from millstream.models.histories import Histories, Rows
from millstream.models.interaction import FORMAT, InteractionBatch
from millstream.models.profile import Profile
from millstream.models.recommender import Recommender, Request
from millstream.streams.assembly import new_learned_model, new_recommender
from millstream.streams.interactions import interaction_of
from millstream.streams.settings import Settings

MISS: Final = 1_000_000
RECALL_AT: Final = 10
MRR_AT: Final = 20
SETTLE_EVERY: Final = 100


class Events(Protocol):
    """Events in time order, column by column."""

    @property
    def users(self) -> Sequence[str]:
        """Return each event's user."""

    @property
    def items(self) -> Sequence[str]:
        """Return each event's item."""

    @property
    def ts_ms(self) -> Sequence[int]:
        """Return each event's time, ascending."""

    @property
    def types(self) -> Sequence[str]:
        """Return each event's type."""

    @property
    def values(self) -> Sequence[float]:
        """Return each event's value, 0 where it has none."""

    def __len__(self) -> int:
        """Return the number of events."""


@dataclass(slots=True)
class Evaluation:
    """Ranks of the scored events, by source and fused, and what production's work cost."""

    events: int
    ranks: dict[str, list[int]] = field(default_factory=dict)
    cpu_ns: int = 0

    @property
    def scored(self) -> int:
        """Return how many events were ranked."""
        return len(self.ranks["fused"])

    def figures(self, name: str) -> dict[str, float]:
        """Return recall@10 and mrr@20 of a source or of `fused`; 0 when nothing was scored."""
        ranks = np.array(self.ranks[name], np.int64)
        if not len(ranks):
            return {"recall@10": 0.0, "mrr@20": 0.0}
        return {
            "recall@10": round(float((ranks <= RECALL_AT).mean()), 5),
            "mrr@20": round(float(np.where(ranks <= MRR_AT, 1.0 / ranks, 0.0).mean()), 5),
        }

    @property
    def us_per_event(self) -> float:
        """Return thread CPU of retrieve, score and learn, an event."""
        return round(self.cpu_ns / 1000 / max(self.events, 1), 1)


def evaluate(
    events: Events,
    settings: Settings,
    *,
    every: int = 1,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Return the prequential figures of the production cores; scores every `every`-th event."""
    model = new_learned_model(settings)
    recommender = new_recommender(settings, model)
    catalogue = Catalogue()
    profiles: dict[str, Profile] = {}
    met: dict[str, set[str]] = {}
    found = Evaluation(len(events), {name: [] for name in ("fused", *model.sources)})
    random = np.random.default_rng(seed)
    for n in range(len(events)):
        user, item = events.users[n], events.items[n]
        event = Event(f"{n:012d}", user, item, events.types[n], events.ts_ms[n], events.values[n])
        profile = profiles.setdefault(user, Profile())
        known = met.setdefault(user, set())
        scored = bool(known) and item not in known and n % every == 0
        started = time.thread_time_ns()
        taught = profile.taught(settings.weights, settings.model.history_max)
        asked = [Request(user, profile, event.ts, taught)]
        if scored:
            histories = recommender.histories(asked)
            rows = recommender.candidates(asked, histories, catalogue)
            recommender.fuse(histories, rows, settings.list.length)
            found.cpu_ns += time.thread_time_ns() - started
            _score(found, recommender, histories, rows, item, known, random)
            started = time.thread_time_ns()
        interaction = interaction_of(event, profile, taught, settings, 0, n)
        if profile.add(event, settings.profile) == "new":
            if model.needs_frame(1):
                model.settle()
            model.fold(n, InteractionBatch(FORMAT, ["file"], [interaction]), event.ts)
        found.cpu_ns += time.thread_time_ns() - started
        known.add(item)
        if n % SETTLE_EVERY == SETTLE_EVERY - 1:
            model.settle()
            progress(n + 1)
    return found


def _score(
    found: Evaluation,
    recommender: Recommender,
    histories: Histories,
    candidates: Rows,
    item: str,
    known: set[str],
    random: np.random.Generator,
) -> None:
    """Rank the item by what production lists, and by each source over the whole catalogue."""
    model = recommender.model
    row = model.rows.row(item)
    if row < 0:
        for ranks in found.ranks.values():
            ranks.append(MISS)
        return
    tie = float(random.random())
    fused = recommender.fuse(histories, candidates, candidates.shape[1])
    listed = fused.rows[0]
    mine = np.flatnonzero(listed == row)
    scores = fused.scores[0][listed >= 0]
    found.ranks["fused"].append(_rank(scores, int(mine[0]), tie) if len(mine) else MISS)
    unseen = np.ones(len(model.rows), np.bool_)
    unseen[[r for r in model.rows.rows(list(known)) if r >= 0]] = False
    every = np.flatnonzero(unseen).astype(np.int32)
    place = int(np.searchsorted(every, row))
    for name, source in model.sources.items():
        found.ranks[name].append(_rank(source.score(histories, every[None, :])[0], place, tie))


def _rank(scores: npt.NDArray[np.float32], place: int, tie: float) -> int:
    """Return 1 + how many score higher + a random part of those that score the same."""
    mine = scores[place]
    return 1 + int((scores > mine).sum()) + int(tie * int((scores == mine).sum()))
