"""Evaluation: production's cores over a file, each event ranked before it is learnt."""

import random

import pytest

from millstream.models.co import CoParams
from millstream.models.mf import MfParams
from millstream.models.sr import SrParams
from millstream.streams.datasets import EventTable
from millstream.streams.evaluate import evaluate
from millstream.streams.settings import ModelSettings, Settings

START_MS = 1_700_000_000_000


def settings_of(items_max: int = 1000) -> Settings:
    return Settings(
        model=ModelSettings(items_max=items_max),
        co=CoParams(width=32),
        sr=SrParams(width=32),
        mf=MfParams(factors=4, users_max=64, item_users=8),
    )


def table(count: int = 300, items: int = 40) -> EventTable:
    """People who walk in circles: what follows is easy to learn."""
    chance = random.Random(1)
    at = {f"u{n}": chance.randrange(items) for n in range(15)}
    users, met = [], []
    for _ in range(count):
        user = chance.choice(list(at))
        at[user] = (at[user] + 1) % items
        users.append(user)
        met.append(f"m{at[user]}")
    times = [START_MS + 1000 * n for n in range(count)]
    return EventTable("circles", users, met, times, ["click"] * count, [0.0] * count)


def test_what_follows_is_learnt_and_figures_are_shares() -> None:
    found = evaluate(table(), settings_of())
    assert found.events == 300
    assert 100 < found.scored < 300
    for name in ("fused", "co", "sr", "pop", "mf"):
        figures = found.figures(name)
        assert all(0.0 <= value <= 1.0 for value in figures.values())
        assert len(found.ranks[name]) == found.scored
    assert found.figures("sr")["recall@10"] > found.figures("pop")["recall@10"]
    assert found.us_per_event > 0.0


def test_the_same_file_gives_the_same_figures() -> None:
    one, other = evaluate(table(), settings_of()), evaluate(table(), settings_of())
    assert one.ranks == other.ranks


def test_every_nth_event_is_scored_and_all_are_learnt() -> None:
    whole, some = evaluate(table(), settings_of()), evaluate(table(), settings_of(), every=3)
    assert 0 < some.scored < whole.scored
    assert some.events == whole.events


@pytest.mark.parametrize("items_max", [5, 20])
def test_a_catalogue_larger_than_the_models_bound_is_no_fault(items_max: int) -> None:
    assert evaluate(table(), settings_of(items_max)).scored


def test_an_empty_file_gives_zeros() -> None:
    found = evaluate(table(0), settings_of())
    assert (found.events, found.scored, found.us_per_event) == (0, 0, 0.0)
    assert found.figures("fused") == {"recall@10": 0.0, "mrr@20": 0.0}
