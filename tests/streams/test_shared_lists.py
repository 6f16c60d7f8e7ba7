"""What everybody shares: the neighbours of an item, best first."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from tests.streams.conftest import System


def neighbours(system: System, item: str) -> list[dict[str, object]]:
    (value,) = system.store.similar([item])
    assert value is not None
    found: list[dict[str, object]] = msgspec.json.decode(value)["items"]
    return found


def test_neighbours_of_an_item_are_those_met_together_by_cosine(system: System) -> None:
    for user, items in {"ann": "ab", "bob": "ac", "cid": "ab"}.items():
        for item in items:
            system.event(user, item)
    system.work()
    found = neighbours(system, "a")
    # a was met three times, b twice with it, c once.
    assert [(one["item"], one["score"], one["source"]) for one in found] == [
        ("b", round(2 / 6**0.5, 5), "co"),
        ("c", round(1 / 3**0.5, 5), "co"),
    ]


def test_neighbours_are_best_first_and_never_hidden_or_the_item_itself(system: System) -> None:
    chance = random.Random(3)
    system.item("m3", hidden=True)
    for _ in range(150):
        system.event(f"u{chance.randrange(8)}", f"m{chance.randrange(25)}")
    system.work()
    several = 0
    for n in range(25):
        found = neighbours(system, f"m{n}")
        several += len(found) > 10
        scores = [one["score"] for one in found]
        assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]
        assert not {"m3", f"m{n}"} & {one["item"] for one in found}
    assert several > 5
