"""`evaluate` tells where the lists became worse."""

import random
from collections.abc import Sequence
from typing import Final

import pytest

from millstream.models.pairs import PairsParams
from millstream.streams.breakdown import drifts
from millstream.streams.datasets import EventTable
from millstream.streams.evaluate import Plan, evaluate
from millstream.streams.evaluation import Evaluation
from millstream.streams.settings import ListSettings, ModelSettings, Settings

COUNT: Final = 3000
BROKEN_AT: Final = 2000


def walks(shuffled_from: int) -> EventTable:
    """People who walk along 50 items; from one event on, half of the items are drawn blindly."""
    chance = random.Random(5)
    at = {f"u{n}": chance.randrange(50) for n in range(30)}
    users: list[str] = []
    items: list[str] = []
    for n in range(COUNT):
        user = chance.choice(list(at))
        at[user] = (at[user] + 1) % 50
        blind = n >= shuffled_from and chance.random() < 0.5
        users.append(user)
        items.append(f"m{chance.randrange(50) if blind else at[user]}")
    times: Sequence[int] = [1_700_000_000_000 + 1000 * n for n in range(COUNT)]
    return EventTable("made up", users, items, list(times), ["click"] * COUNT, [0.0] * COUNT, None)


def evaluated(table: EventTable, **plan: object) -> Evaluation:
    settings = Settings(
        model=ModelSettings(sources=("pairs", "pop")),
        list=ListSettings(repeats=True),
        sources={"pairs": PairsParams(width=32)},
    )
    return evaluate(table, settings, Plan(**plan))  # type: ignore[arg-type]


def test_an_injected_loss_is_found_soon_after_it_began() -> None:
    losses = [drift for drift in drifts(evaluated(walks(BROKEN_AT))) if drift.is_loss]
    assert losses
    assert BROKEN_AT < losses[0].at < BROKEN_AT + 600


def test_no_loss_is_told_of_a_file_that_has_none() -> None:
    assert not [drift for drift in drifts(evaluated(walks(COUNT))) if drift.is_loss]


@pytest.mark.parametrize("plan", [{"sources": False}, {"protocol": "leave-last-out"}])
def test_where_nothing_can_be_compared_nothing_is_told(plan: dict[str, object]) -> None:
    assert drifts(evaluated(walks(BROKEN_AT), **plan)) == []
