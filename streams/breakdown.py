"""Figures of parts of an evaluation: over time, by profile length, by the item's age and count."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.online_quality import Drift, OnlineQuality
from millstream.streams.evaluation import FUSED, Evaluation, Figures, Mask

POPULARITY: Final = "pop"
WINDOWS: Final = 20
WINDOW_MIN: Final = 50
"""Scored events that a window has at least; a smaller one would show chance."""

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

PROFILE_LENGTHS: Final = ((1, 5), (6, 20), (21, 50), (51, 100), (101, None))
ITEM_COUNTS: Final = ((0, 0), (1, 5), (6, 20), (21, 100), (101, None))
ITEM_AGES: Final = (
    ("under an hour", HOUR_MS),
    ("under a day", DAY_MS),
    ("under a week", 7 * DAY_MS),
    ("under 30 days", 30 * DAY_MS),
    ("under a year", 365 * DAY_MS),
    ("older", None),
)


@dataclass(frozen=True, slots=True)
class Part:
    """Some scored events and the fused figures over them; `of` picks them for other sources."""

    name: str
    scored: int
    figures: Figures
    of: Mask

    def last(self) -> int:
        """Return the number of its last scored event."""
        return int(np.flatnonzero(self.of)[-1])


def windows(found: Evaluation) -> list[Part]:
    """Return up to 20 parts of equal size in the order of time, named by their last event."""
    count = max(1, min(WINDOWS, found.scored // WINDOW_MIN))
    edges = np.linspace(0, found.scored, count + 1).astype(np.int64)
    parts = []
    for start, stop in pairwise(edges.tolist()):
        if stop > start:
            of = np.zeros(found.scored, np.bool_)
            of[start:stop] = True
            parts.append(_part(found, f"{found.scored_events.places[stop - 1] + 1:,}", of))
    return parts


def drifts(found: Evaluation) -> list[Drift]:
    """Return where the fused list's lead over `pop` changed; `at` is the event's place in the file.

    By River's ADWIN over the difference of hits, event by event. Without `pop` among what was
    ranked, and where the events have no order, there are none.
    """
    if POPULARITY not in found.ranks or found.protocol != "prequential":
        return []
    ranks = np.array([found.ranks[FUSED], found.ranks[POPULARITY]], np.int32)
    places = found.scored_events.places
    return [drift._replace(at=places[drift.at]) for drift in OnlineQuality().add(ranks - 1)]


def by_profile_length(found: Evaluation) -> list[Part]:
    """Return parts by how many events the user had before."""
    return _by_count(found, found.scored_events.user_events, PROFILE_LENGTHS)


def by_item_count(found: Evaluation) -> list[Part]:
    """Return parts by how many events the item had before."""
    return _by_count(found, found.scored_events.item_events, ITEM_COUNTS)


def by_item_age(found: Evaluation) -> list[Part]:
    """Return parts by the time since the item's first event; that first event is one of its own."""
    ages = np.array(found.scored_events.item_ages_ms, np.int64)
    new = np.array(found.scored_events.item_events, np.int64) == 0
    parts = [_part(found, "first event", new)]
    left = ~new
    for name, below in ITEM_AGES:
        of = left if below is None else left & (ages < below)
        left = left & ~of
        parts.append(_part(found, name, of))
    return [part for part in parts if part.scored]


def _by_count(
    found: Evaluation, column: Sequence[int], ranges: Sequence[tuple[int, int | None]]
) -> list[Part]:
    return [part for part in _ranges(found, np.array(column, np.int64), ranges) if part.scored]


def _ranges(
    found: Evaluation,
    values: npt.NDArray[np.int64],
    ranges: Sequence[tuple[int, int | None]],
) -> Iterator[Part]:
    for low, high in ranges:
        of = values >= low
        if high is not None:
            of &= values <= high
        name = f"{low} or more" if high is None else f"{low}–{high}" if high > low else str(low)
        yield _part(found, name, of)


def _part(found: Evaluation, name: str, of: Mask) -> Part:
    return Part(name, int(of.sum()), found.figures(FUSED, of), of)
