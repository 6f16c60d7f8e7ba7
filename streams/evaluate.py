"""Evaluation: the production cores over a file, each event ranked before it is learnt.

An event is scored when it teaches, its user has an earlier one and the item is new to that user
(with `list.repeats`: new or not). The fused rank is taken among the candidates that production
would have listed, outside is a miss; each source's own over the whole known catalogue, what the
user has met left out. Ties are broken at random, nothing is sampled (Vinagre et al. 2014).
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

import numpy as np

from millstream.models.catalogue import Catalogue
from millstream.models.event import Event
from millstream.models.histories import Histories, Rows
from millstream.models.interaction import FORMAT, InteractionBatch
from millstream.models.profile import Profile, Taught
from millstream.models.recommender import Request
from millstream.streams.assembly import new_learned_model, new_recommender
from millstream.streams.evaluation import FUSED, Evaluation
from millstream.streams.interactions import interaction_of
from millstream.streams.leave_last_out import HeldOut, held_out
from millstream.streams.listed import Lists
from millstream.streams.ranks import fused_rank, source_names, source_ranks
from millstream.streams.settings import Settings

PROTOCOLS: Final = ("prequential", "leave-last-out")
SETTLE_EVERY: Final = 100
UNMET: Final = "impression"
"""The type by which an item is shown to somebody, not met by them."""


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

    @property
    def targets(self) -> Sequence[bool] | None:
        """Return which events may be scored; None: all that teach."""

    def __len__(self) -> int:
        """Return the number of events."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to evaluate: every `every`-th event from `first` on is scored, all up to `stop` learnt.

    Without `sources` only the fused list is ranked, which takes half the time; with `lists` what
    they are like is summed up too.
    """

    protocol: Literal["prequential", "leave-last-out"] = "prequential"
    every: int = 1
    first: int = 0
    stop: int | None = None
    seed: int = 0
    sources: bool = True
    lists: bool = False


@dataclass(slots=True)
class Person:
    """What is known of somebody while a file is replayed."""

    profile: Profile = field(default_factory=Profile)
    met: dict[str, None] = field(default_factory=dict)
    events: int = 0


def evaluate(
    events: Events,
    settings: Settings,
    plan: Plan | None = None,
    *,
    every: int = 1,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> Evaluation:
    """Return what the production cores would have listed, ranked; `every`, `seed`: a short plan."""
    replay = _Replay(events, settings, plan or Plan(every=every, seed=seed))
    replay.run(progress)
    return replay.found


class _Replay:
    """The cores, the people of the file, and what is found."""

    def __init__(self, events: Events, settings: Settings, plan: Plan) -> None:
        self._events = events
        self._settings = settings
        self._plan = plan
        self._model = new_learned_model(settings)
        self._recommender = new_recommender(settings, self._model)
        self._catalogue = Catalogue()
        self._people: dict[str, Person] = {}
        self._item_events: Counter[str] = Counter()
        self._item_since: dict[str, int] = {}
        self._random = np.random.default_rng(plan.seed)
        self._targets = _targets(events, settings)
        self._names = source_names(self._model) if plan.sources else []
        lists = Lists() if plan.lists else None
        self._stop = len(events) if plan.stop is None else min(plan.stop, len(events))
        self.found = Evaluation(self._stop, plan.protocol, [FUSED, *self._names], lists)

    def run(self, progress: Callable[[int], None]) -> None:
        """Replay the whole file."""
        last = self._plan.protocol == "leave-last-out"
        held = self._held_out() if last else None
        for n in range(self._stop):
            if held is None or n not in held.withheld:
                event = self._event(n)
                person = self._people.setdefault(event.user, Person())
                taught = self._rank(n, event, person, event.ts) if held is None else None
                self._learn(n, event, person, taught)
            if n % SETTLE_EVERY == SETTLE_EVERY - 1:
                self._model.settle()
                progress(n + 1)
        for n in held.targets if held else ():
            event = self._event(n)
            person = self._people.get(event.user, Person())
            # People may have gone on after the event that is held out; nothing is of the future.
            self._rank(n, event, person, max([event.ts, *person.profile.ts[-1:]]))
        progress(self._stop)

    def _held_out(self) -> HeldOut:
        of = slice(self._stop)
        users, items = self._events.users[of], self._events.items[of]
        return held_out(users, items, self._targets[of], self._settings.list.repeats)

    def _event(self, n: int) -> Event:
        e = self._events
        return Event(f"{n:012d}", e.users[n], e.items[n], e.types[n], e.ts_ms[n], e.values[n])

    def _rank(self, n: int, event: Event, person: Person, now_ms: int) -> Taught | None:
        """Rank the event's item if it is to be scored; return what was computed for that."""
        if not self._is_scored(n, event, person):
            return None
        recommender = self._recommender
        started = time.thread_time_ns()
        taught = recommender.taught(person.profile)
        asked = [Request(event.user, person.profile, now_ms, taught)]
        histories = recommender.histories(asked)
        candidates = recommender.candidates(asked, histories, self._catalogue)
        listed = recommender.listed(histories, candidates)
        self.found.score_ns.append(time.thread_time_ns() - started)
        if self.found.lists is not None:
            self.found.lists.shown(self._model, listed.rows[0].tolist())
        self._record(n, event, person, histories, candidates)
        return taught

    def _is_scored(self, n: int, event: Event, person: Person) -> bool:
        if n < self._plan.first or n % self._plan.every or not person.met:
            return False
        if event.item in person.met and not self._settings.list.repeats:
            return False
        return self._targets[n]

    def _record(
        self, n: int, event: Event, person: Person, histories: Histories, candidates: Rows
    ) -> None:
        row = self._model.rows.row(event.item)
        tie = float(self._random.random()) if row >= 0 else 0.0
        ranks = {FUSED: fused_rank(self._recommender, histories, candidates, row, tie)}
        if self._names:
            met = () if self._settings.list.repeats else tuple(person.met)
            of_sources = source_ranks(self._model, histories, row, met, tie)
            ranks |= dict(zip(self._names, of_sources, strict=True))
        age = max(event.ts - self._item_since.get(event.item, event.ts), 0)
        before = (person.events, self._item_events[event.item], age)
        self.found.add(n, event.user, event.item, event.ts, ranks, before)

    def _learn(self, n: int, event: Event, person: Person, taught: Taught | None) -> None:
        started = time.thread_time_ns()
        if taught is None:
            taught = self._recommender.taught(person.profile)
        interaction = interaction_of(event, taught, self._settings, 0, n)
        if person.profile.add(event, self._settings.profile) == "new":
            if self._model.needs_frame(1):
                self._model.settle()
            self._model.fold(n, InteractionBatch(FORMAT, ["file"], [interaction]), event.ts)
        self.found.learn_ns.append(time.thread_time_ns() - started)
        if event.type != UNMET:
            person.met[event.item] = None
        person.events += 1
        self._item_events[event.item] += 1
        self._item_since.setdefault(event.item, event.ts)
        if self.found.lists is not None:
            self.found.lists.met(event.item)


def _targets(events: Events, settings: Settings) -> Sequence[bool]:
    """Return which events may be scored: those chosen, else those that teach."""
    if events.targets is not None:
        return events.targets
    weight = settings.weights.weight
    return [weight(t, v) > 0.0 for t, v in zip(events.types, events.values, strict=True)]
