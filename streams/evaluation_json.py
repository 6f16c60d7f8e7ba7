"""The answer of `evaluate --json`: public, so fields are added, never renamed."""

import msgspec

from millstream.streams.breakdown import drifts, windows
from millstream.streams.evaluation import FUSED, SLICES, Evaluation
from millstream.streams.outcome import outcome_of


class Asked(msgspec.Struct, frozen=True):
    """What the run was asked for, so that it can be had again."""

    protocol: str
    batch: int
    every: int
    seed: int
    positive: str | None
    targets: str | None
    limit: int | None
    set: list[str]
    items: str | None = None
    item_columns: str | None = None


def as_json_answer(
    dataset: str, found: Evaluation, asked: Asked, machine: str
) -> dict[str, object]:
    """Return the whole answer."""
    return {
        "dataset": dataset,
        "protocol": found.protocol,
        "events": found.events,
        "scored": found.scored,
        "fused": found.figures(FUSED),
        "sources": {name: found.figures(name) for name in found.ranks if name != FUSED},
        "slices": {name: _slice(found, name) for name in SLICES},
        "lists": found.lists.figures() if found.lists else None,
        "windows": [
            {
                "to_event": found.scored_events.places[part.last()] + 1,
                "scored": part.scored,
                **part.figures,
            }
            for part in windows(found)
        ],
        "drifts": [drift.at + 1 for drift in drifts(found)],
        "us_per_event": found.us_per_event,
        "us_score": found.us_score,
        "us_learn": found.us_learn,
        "us_per_item": found.us_per_item,
        "items": found.items,
        "machine": machine,
        "asked": asked,
        "outcome": outcome_of(found),
    }


def _slice(found: Evaluation, name: str) -> dict[str, object]:
    scored, figures = found.slice(name)
    return {"scored": scored, **figures}
