"""Small files of events and models, for the tests of evaluation."""

import random
from collections.abc import Sequence
from typing import Final

from millstream.models.event import Event
from millstream.models.fism import FismParams
from millstream.models.interaction import FORMAT, InteractionBatch
from millstream.models.learned_model import LearnedModel
from millstream.models.mf import MfParams
from millstream.models.pairs import PairsParams
from millstream.models.profile import Profile
from millstream.streams.assembly import new_learned_model
from millstream.streams.datasets import EventTable
from millstream.streams.interactions import interaction_of
from millstream.streams.settings import ListSettings, ModelSettings, Settings

START_MS: Final = 1_700_000_000_000


def small_settings(items_max: int = 1000, repeats: bool = False) -> Settings:
    return Settings(
        model=ModelSettings(items_max=items_max),
        list=ListSettings(repeats=repeats),
        sources={
            "pairs": PairsParams(width=32),
            "mf": MfParams(factors=8, users_max=64, item_users=8),
            "fism": FismParams(factors=8),
        },
    )


def circles(count: int = 300, items: int = 40, people: int = 15) -> EventTable:
    """People who walk in circles: what follows is easy to learn."""
    chance = random.Random(1)
    at = {f"u{n}": chance.randrange(items) for n in range(people)}
    users, met = [], []
    for _ in range(count):
        user = chance.choice(list(at))
        at[user] = (at[user] + 1) % items
        users.append(user)
        met.append(f"m{at[user]}")
    return table(list(zip(users, met, strict=True)))


def table(
    rows: Sequence[tuple[str, str]],
    types: Sequence[str] = (),
    values: Sequence[float] = (),
    targets: Sequence[bool] | None = None,
    ts_ms: Sequence[int] = (),
) -> EventTable:
    """A second apart, clicks unless it is said otherwise."""
    return EventTable(
        "made up",
        [user for user, _ in rows],
        [item for _, item in rows],
        list(ts_ms) or [START_MS + 1000 * n for n in range(len(rows))],
        list(types) or ["click"] * len(rows),
        list(values) or [0.0] * len(rows),
        None if targets is None else list(targets),
    )


def learnt(settings: Settings, rows: Sequence[tuple[str, str]]) -> LearnedModel:
    """A model that learnt these clicks."""
    model = new_learned_model(settings)
    profiles: dict[str, Profile] = {}
    for n, (user, item) in enumerate(rows):
        event = Event(f"{n:06d}", user, item, "click", START_MS + 1000 * n)
        profile = profiles.setdefault(user, Profile())
        taught = profile.taught(settings.weights, settings.model.history_max)
        one = interaction_of(event, profile, taught, settings, 0, n)
        profile.add(event, settings.profile)
        if model.needs_frame(1):
            model.settle()
        model.fold(n, InteractionBatch(FORMAT, ["t"], [one]), event.ts)
    return model
