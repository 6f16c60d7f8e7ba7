"""Evaluation: the production cores over a file, each event ranked before it is learnt.

An event is scored when it teaches, its user has an earlier one and the item is new to that user
(with `list.repeats`: new or not). The fused rank is taken among the candidates that production
would have listed, outside is a miss; each source's own over the whole known catalogue, what the
user has met left out. Ties are broken at random, nothing is sampled (Vinagre et al. 2014).

Where every event is scored, the fusion learns from these very scores; LEARN, a process of its own,
scores anew. It sees two things otherwise: of a history, items new in the same micro-batch, which it
has rows for already; and what a person dislikes, hid or was shown too often, which it does not know
of and takes for candidates. Over 12,000 events of MovieLens that is .1800 and .1792 (p .46).
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec
import numpy as np

from millstream.models.catalogue import Catalogue
from millstream.models.choices import Scored
from millstream.models.content import Content
from millstream.models.event import Event
from millstream.models.histories import one_of
from millstream.models.interaction import FORMAT, Interaction, InteractionBatch
from millstream.models.profile import Profile
from millstream.models.recommender import Request
from millstream.streams.arrivals import LOT, Arrivals
from millstream.streams.assembly import new_learned_model, new_recommender
from millstream.streams.described import DescribedItems
from millstream.streams.evaluation import FUSED, Evaluation
from millstream.streams.events import Events
from millstream.streams.interactions import interaction_of
from millstream.streams.leave_last_out import HeldOut, held_out
from millstream.streams.listed import Lists
from millstream.streams.ranks import fused_ranks, source_names, source_ranks
from millstream.streams.settings import Settings

PROTOCOLS: Final = ("prequential", "leave-last-out")
BATCH: Final = 16
"""Events of a micro-batch: about what a worker takes at once at 500 events/s."""
UNMET: Final = "impression"
"""The type by which an item is shown to somebody, not met by them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to evaluate: every `every`-th event from `first` on is scored, all up to `stop` learnt.

    Events are taken in micro-batches of `batch`, as workers do: the item model is as of the batch's
    begin, each person as of their event. Without `sources` only the fused list is ranked, which
    takes half the time; with `lists` what they are like is summed up too.
    """

    protocol: Literal["prequential", "leave-last-out"] = "prequential"
    every: int = 1
    first: int = 0
    stop: int | None = None
    seed: int = 0
    batch: int = BATCH
    sources: bool = True
    lists: bool = False


@dataclass(slots=True)
class Person:
    """What is known of somebody while a file is replayed."""

    profile: Profile = field(default_factory=Profile)
    met: dict[str, None] = field(default_factory=dict)
    events: int = 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """An event to be ranked, with what was known before it."""

    place: int
    event: Event
    request: Request
    met: Sequence[str]
    before: tuple[int, int, int]
    cost_ns: int


def evaluate(
    events: Events,
    settings: Settings,
    plan: Plan | None = None,
    *,
    every: int = 1,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _: None,
    items: DescribedItems | None = None,
) -> Evaluation:
    """Return what the production cores would have listed, ranked; `every`, `seed`: a short plan.

    `items` are candidates from the moment that each is available, met or not. Without them the
    source `content` is left out: it has nothing to read.
    """
    settings = settings if items else _without_content(settings)
    replay = _Replay(events, settings, plan or Plan(every=every, seed=seed), items)
    replay.run(progress)
    return replay.found


class _Replay:
    """The cores, the people of the file, and what is found."""

    def __init__(
        self, events: Events, settings: Settings, plan: Plan, items: DescribedItems | None
    ) -> None:
        self._events = events
        self._settings = settings
        self._plan = plan
        self._model = new_learned_model(settings)
        self._recommender = new_recommender(settings, self._model)
        self._catalogue = Catalogue()
        entries = items.entries if items else ()
        for n, one in enumerate(entries):
            self._catalogue.apply(0, n, one.item, one.gate)
        self._arrivals = Arrivals(entries, min(LOT, settings.model.items_max))
        self._people: dict[str, Person] = {}
        self._item_events: Counter[str] = Counter()
        self._item_since: dict[str, int] = {}
        self._random = np.random.default_rng(plan.seed)
        self._targets = _targets(events, settings)
        self._shares = events.targets is None and plan.every == 1 and plan.first == 0
        described = items.modalities() if items else ()
        self._names = source_names(self._model, described) if plan.sources else []
        lists = Lists() if plan.lists else None
        self._stop = len(events) if plan.stop is None else min(plan.stop, len(events))
        self.found = Evaluation(self._stop, plan.protocol, [FUSED, *self._names], lists)
        self.found.items = items.found() if items else None

    def run(self, progress: Callable[[int], None]) -> None:
        """Replay the whole file."""
        last = self._plan.protocol == "leave-last-out"
        held = self._held_out() if last else None
        for start in range(0, self._stop, self._plan.batch):
            batch = range(start, min(start + self._plan.batch, self._stop))
            self._describe(self._events.ts_ms[start])
            if held is None:
                self._take(batch, scored=True)
            else:
                self._take([n for n in batch if n not in held.withheld], scored=False)
            progress(batch[-1] + 1)
        for n in held.targets if held else ():
            event = self._event(n)
            person = self._people.get(event.user, Person())
            # People may have gone on after the event that is held out; nothing is of the future.
            now_ms = max([event.ts, *person.profile.ts[-1:]])
            if self._is_scored(n, event, person):
                self._rank([self._asked(n, event, person, now_ms)])
        progress(self._stop)

    def _describe(self, now_ms: int) -> None:
        """Take in what the items look like that have become available."""
        for lot in self._arrivals.due(now_ms):
            started = time.thread_time_ns()
            self._model.describe(self._model.offset, lot, now_ms)
            self._model.settle()
            self.found.describe_ns += time.thread_time_ns() - started
            self.found.described += len(lot)

    def _take(self, batch: Iterable[int], scored: bool) -> None:
        """Take in events: each person as of their event, the item model as of the first."""
        asked: list[_Asked] = []
        interactions: list[Interaction] = []
        learnt_ns = 0
        count = 0
        for n in batch:
            event = self._event(n)
            person = self._people.setdefault(event.user, Person())
            if scored and self._is_scored(n, event, person):
                asked.append(self._asked(n, event, person, event.ts))
            started = time.thread_time_ns()
            taught = asked[-1].request.taught if asked and asked[-1].place == n else None
            taught = taught or self._recommender.taught(person.profile)
            interaction = interaction_of(event, person.profile, taught, self._settings, 0, n)
            if person.profile.add(event, self._settings.profile) == "new":
                interactions.append(interaction)
            learnt_ns += time.thread_time_ns() - started
            count += 1
            self._note(event, person)
        scored_now = self._rank(asked) if asked else None
        if not count:
            return
        started = time.thread_time_ns()
        if interactions:
            if self._model.needs_frame(len(interactions)):
                self._model.settle()
            records = InteractionBatch(FORMAT, ["file"], interactions)
            # Scoring is counted once; LEARN scores its sample anew, see above.
            share = scored_now if self._shares else None
            self._model.fold(self._model.offset, records, interactions[-1].ts, share)
        self._model.settle()
        learnt_ns += time.thread_time_ns() - started
        self.found.learn_ns.extend([learnt_ns // count] * count)

    def _held_out(self) -> HeldOut:
        of = slice(self._stop)
        users, items = self._events.users[of], self._events.items[of]
        return held_out(users, items, self._targets[of], self._settings.list.repeats)

    def _event(self, n: int) -> Event:
        e = self._events
        return Event(f"{n:012d}", e.users[n], e.items[n], e.types[n], e.ts_ms[n], e.values[n])

    def _asked(self, n: int, event: Event, person: Person, now_ms: int) -> _Asked:
        """Return what is known before an event: the person as they are, and what is counted."""
        started = time.thread_time_ns()
        taught = self._recommender.taught(person.profile)
        cost_ns = time.thread_time_ns() - started
        met = () if self._settings.list.repeats or not self._names else tuple(person.met)
        age_ms = max(event.ts - self._item_since.get(event.item, event.ts), 0)
        before = (person.events, self._item_events[event.item], age_ms)
        request = Request(event.user, person.profile.copy(), now_ms, taught)
        return _Asked(n, event, request, met, before, cost_ns)

    def _is_scored(self, n: int, event: Event, person: Person) -> bool:
        if n < self._plan.first or n % self._plan.every or not person.met:
            return False
        if event.item in person.met and not self._settings.list.repeats:
            return False
        return self._targets[n]

    def _rank(self, asked: Sequence[_Asked]) -> Scored:
        """Rank each event's item among what would have been listed; return the scores."""
        recommender = self._recommender
        started = time.thread_time_ns()
        requests = [one.request for one in asked]
        histories = recommender.histories(requests)
        withheld = recommender.withheld(requests, self._catalogue)
        candidates = recommender.candidates(requests, histories, withheld)
        features = recommender.features(histories, candidates)
        listed = recommender.listed(histories, candidates, features)
        drawn = recommender.newcomers(requests, histories, withheld)
        cost_ns = time.thread_time_ns() - started + sum(one.cost_ns for one in asked)
        self.found.score_ns.extend([cost_ns // len(asked)] * len(asked))
        if self.found.lists is not None:
            for rows in listed.rows.tolist():
                self.found.lists.shown(self._model, rows)
        rows = self._model.rows.rows([one.event.item for one in asked])
        ties = [float(self._random.random()) if row >= 0 else 0.0 for row in rows]
        fused = fused_ranks(recommender, histories, candidates, features, rows, ties, drawn)
        for b, one in enumerate(asked):
            ranks = {FUSED: fused[b]}
            if self._names:
                alone = one_of(histories, b)
                of_sources = source_ranks(
                    self._model, alone, rows[b], one.met, ties[b], self._names
                )
                ranks |= dict(zip(self._names, of_sources, strict=True))
            event = one.event
            self.found.add(one.place, event.user, event.item, event.ts, ranks, one.before)
        return Scored([one.place for one in asked], histories, candidates, features)

    def _note(self, event: Event, person: Person) -> None:
        if event.type != UNMET:
            person.met[event.item] = None
        person.events += 1
        self._item_events[event.item] += 1
        self._item_since.setdefault(event.item, event.ts)
        if self.found.lists is not None:
            self.found.lists.met(event.item)


def _without_content(settings: Settings) -> Settings:
    """Return settings without the source `content`, unless there is no other."""
    model = settings.model
    others = tuple(name for name in model.sources if name != Content.name)
    return settings.with_section(
        "model", msgspec.structs.replace(model, sources=others or model.sources)
    )


def _targets(events: Events, settings: Settings) -> Sequence[bool]:
    """Return which events may be scored: those chosen, else those that teach."""
    if events.targets is not None:
        return events.targets
    weight = settings.weights.weight
    return [weight(t, v) > 0.0 for t, v in zip(events.types, events.values, strict=True)]
