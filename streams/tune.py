"""Searches settings on the first part of a file, and holds the best against the base on the rest.

Random draws first, then one setting after another, each way; every trial is a whole prequential
replay of the first part. What it finds there is chosen by chance too: only the rest, which no
trial has seen, says what it is worth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.streams.compare import Comparison, compare_ranks
from millstream.streams.described import DescribedItems
from millstream.streams.errors import BadUsage
from millstream.streams.evaluate import Plan, evaluate
from millstream.streams.evaluation import FUSED, Evaluation
from millstream.streams.events import Events
from millstream.streams.ranges import Range
from millstream.streams.settings import Settings

RANDOM_SHARE: Final = 0.3
"""Of the trials, how many are random draws."""
DRAWN_SHARE: Final = 0.3
"""Of the settings, how many a random draw changes."""
DRAWN_REACH: Final = 0.25
"""Standard deviation of a draw round the base, as a share of the setting's range."""
FIRST_STEP: Final = 0.15
LAST_STEP: Final = 0.02

Trial = dict[str, float]
"""What differs from the base, by key."""


@dataclass(frozen=True, slots=True)
class Search:
    """How long and on what to search: `share` of the events, `budget_s` checked between trials."""

    trials: int = 40
    budget_s: float | None = None
    share: float = 0.6
    every: int = 1
    seed: int = 0


class Tuned(msgspec.Struct, frozen=True):
    """The best settings met; `rest` holds them (b) against the base (a) on unseen events."""

    trials: int
    searched_events: int
    base: float
    best: float
    changed: dict[str, float]
    toml: str
    rest: Comparison | None
    verdict: str


@dataclass(slots=True)
class Tuner:
    """One search. `best` and `tried` are there at any moment, also when it is interrupted."""

    events: Events
    settings: Settings
    ranges: Sequence[Range]
    search: Search
    clock_s: Callable[[], float]
    items: DescribedItems | None = None
    tried: int = 0
    base: float = 0.0
    best: float = 0.0
    changed: Trial = field(default_factory=dict)
    on_trial: Callable[["Tuner"], None] = lambda _: None
    _figures: dict[tuple[tuple[str, float], ...], float] = field(default_factory=dict)
    _began_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what leaves nothing to search on or to report on."""
        if not 1 <= self.cut < len(self.events):
            raise BadUsage(
                f"{len(self.events)} events are too few to search on one part of them and to "
                "report on the rest"
            )

    @property
    def cut(self) -> int:
        """Return how many events are searched on."""
        return int(len(self.events) * self.search.share)

    def run(self) -> None:
        """Search until the trials or the seconds are used up."""
        self._began_s = self.clock_s()
        random = np.random.default_rng(self.search.seed)
        self.base = self.best = self._figure({})
        self.on_trial(self)
        for _ in range(round(self.search.trials * RANDOM_SHARE)):
            if self._is_over():
                return
            self._try(self._drawn(random))
        step = FIRST_STEP
        while step >= LAST_STEP and not self._is_over():
            before = self.best
            for n in random.permutation(len(self.ranges)).tolist():
                self._walk(self.ranges[n], step)
                if self._is_over():
                    return
            if self.best == before:
                step /= 2

    def rest(self, progress: Callable[[int], None] = lambda _: None) -> Comparison:
        """Return the best (b) against the base (a) on the events that no trial has seen."""
        plan = Plan(every=self.search.every, first=self.cut, seed=self.search.seed, sources=False)
        total = len(self.events)
        base = evaluate(self.events, self.settings, plan, progress=progress, items=self.items)
        head = evaluate(
            self.events,
            self.chosen(),
            plan,
            progress=lambda done: progress(total + done),
            items=self.items,
        )
        return compare_ranks(_ranks(base), _ranks(head), _users(base), self.search.seed)

    def chosen(self) -> Settings:
        """Return the best settings met."""
        return self._with(self.changed)

    def answer(self, rest: Comparison | None) -> Tuned:
        """Return what was found."""
        return Tuned(
            self.tried,
            self.cut,
            self.base,
            self.best,
            dict(self.changed),
            self.toml(),
            rest,
            verdict(self.changed, rest) if self.tried else "no trial was finished",
        )

    def toml(self) -> str:
        """Return what to paste into a settings file; empty when nothing was better."""
        ranges = {one.key: one for one in self.ranges}
        lines: list[str] = []
        section = ""
        for key in sorted(self.changed):
            ahead, _, name = key.partition(".")
            if ahead != section:
                section = ahead
                lines += [*([""] if lines else []), f"[{section}]"]
            lines.append(f"{name} = {ranges[key].text(self.changed[key])}")
        return "\n".join(lines)

    def _walk(self, one: Range, step: float) -> None:
        """Go up, or else down, for as long as it gets better."""
        for by in (step, -step):
            went = False
            while not self._is_over():
                now = self.changed.get(one.key, one.of(self.settings))
                value = one.stepped(now, by)
                if value == now or not self._try({**self.changed, one.key: value}):
                    break
                went = True
            if went:
                return

    def _drawn(self, random: np.random.Generator) -> Trial:
        chosen = random.random(len(self.ranges)) < DRAWN_SHARE
        chosen[int(random.integers(len(self.ranges)))] = True
        return {
            one.key: one.stepped(one.of(self.settings), float(random.normal(0.0, DRAWN_REACH)))
            for one, is_ in zip(self.ranges, chosen, strict=True)
            if is_
        }

    def _try(self, trial: Trial) -> bool:
        """Return whether a trial is the best so far."""
        figure = self._figure(trial)
        is_best = figure > self.best
        if is_best:
            self.best, self.changed = figure, self._differing(trial)
        self.on_trial(self)
        return is_best

    def _figure(self, trial: Trial) -> float:
        key = tuple(sorted(self._differing(trial).items()))
        if key not in self._figures:
            every, seed = self.search.every, self.search.seed
            plan = Plan(every=every, seed=seed, stop=self.cut, sources=False)
            found = evaluate(self.events, self._with(trial), plan, items=self.items)
            self.tried += 1
            self._figures[key] = found.figures(FUSED)["recall@10"]
        return self._figures[key]

    def _differing(self, trial: Trial) -> Trial:
        base = {one.key: one.of(self.settings) for one in self.ranges}
        return {key: value for key, value in trial.items() if value != base[key]}

    def _with(self, trial: Trial) -> Settings:
        settings = self.settings
        for one in self.ranges:
            if one.key in trial:
                settings = one.put(settings, trial[one.key])
        return settings

    def _is_over(self) -> bool:
        """Return whether the trials are used up, or the next would go beyond the budget."""
        if self.tried >= self.search.trials:
            return True
        spent = self.clock_s() - self._began_s
        budget = self.search.budget_s
        return budget is not None and spent + spent / max(self.tried, 1) > budget


def verdict(changed: Trial, rest: Comparison | None) -> str:
    """Return in a sentence what the search was worth."""
    if not changed:
        return "nothing was better than the settings as they are: keep them"
    if rest is None:
        return "not held against the rest: it may be chance"
    gain = f"{rest.recall.difference:+.4f} recall@10 on the rest"
    if rest.verdict == "within noise":
        return f"{gain} is within noise (p = {rest.recall.p_sign_flip:g}): keep what you have"
    if rest.recall.difference < 0:
        return f"{gain}: it is worse on events that it was not chosen by; keep what you have"
    return f"{gain} (p = {rest.recall.p_sign_flip:g}): worth setting"


def _ranks(found: Evaluation) -> npt.NDArray[np.int32]:
    return np.array(found.ranks[FUSED], np.int32)


def _users(found: Evaluation) -> npt.NDArray[np.int32]:
    return np.array(found.scored_events.users, np.int32)
