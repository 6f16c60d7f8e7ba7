"""What everybody shares: the neighbours of an item, best first."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest
from tests.models.test_speakers import part

from millstream.models.embedding import Embedding
from millstream.models.likeness_graph import EXACT_MAX, LikenessGraph
from millstream.streams.assembly import new_learned_model
from millstream.streams.shared_lists import NEIGHBOURS_A_TICK, SharedLists

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


def test_an_item_that_nobody_has_met_has_neighbours_when_it_is_described(system: System) -> None:
    model = new_learned_model(system.settings)
    shared = SharedLists(system.settings, system.log, system.store, system.patience(), system.clock)
    shared.open()
    system.item("gone", hidden=True)
    chance = np.random.default_rng(3)
    for n, name in enumerate(("round", "rounder", "gone", *(f"other{n}" for n in range(12)))):
        look = chance.normal(0, 0.2 if n < 3 else 1.0, 16) + (n < 3) * 3.0 * np.eye(16)[0]
        model.describe(n, [(name, Embedding({"image": part(*look)}))], 0)
    shared.tick(model)
    found = neighbours(system, "round")
    assert (found[0]["item"], found[0]["source"], found[0]["modality"]) == (
        "rounder",
        "content",
        "image",
    )
    assert "gone" not in {one["item"] for one in found}
    assert model.take_touched() == []
    shared.close()


@pytest.mark.parametrize("exact_max", [EXACT_MAX, 5], ids=["few items", "many"])
def test_those_that_a_new_item_is_like_name_it_too_and_then_all_is_still(
    system: System, exact_max: int
) -> None:
    model = new_learned_model(system.settings)
    model.likeness = LikenessGraph(exact_max)
    shared = SharedLists(system.settings, system.log, system.store, system.patience(), system.clock)
    shared.open()

    def describe(item: str, seed: int) -> None:
        look = np.random.default_rng(seed).normal(0, 0.2 if seed % 3 == 0 else 1.0, 16)
        look[0] += 3.0 * (seed % 3 == 0)
        model.describe(model.offset, [(item, Embedding({"image": part(*look)}))], 0)

    def tick(times: int = 3) -> None:
        for _ in range(times):
            system.clock.ms += 1_000
            shared.tick(model)

    for seed in range(18):
        describe(f"m{seed}", seed)
    tick()
    describe("new", 18)  # axes are not fitted anew: nobody else is touched
    tick()
    assert "new" in {one["item"] for one in neighbours(system, "m3")}
    system.store.write_similar({"m3": b"{}", "new": b"{}"})
    tick()
    assert system.store.similar(["m3", "new"]) == [b"{}", b"{}"]
    shared.close()


def test_a_new_item_does_not_wait_for_a_catalogue_that_came_before_it(system: System) -> None:
    model = new_learned_model(system.settings)
    shared = SharedLists(system.settings, system.log, system.store, system.patience(), system.clock)
    shared.open()
    chance = np.random.default_rng(4)
    many = 3 * NEIGHBOURS_A_TICK
    catalogue = [f"m{n}" for n in range(many)]
    for item in catalogue:
        looks = Embedding({"image": part(*chance.normal(0, 1, 16))})
        model.describe(model.offset, [(item, looks)], 0)
    shared.tick(model)
    model.describe(model.offset, [("new", Embedding({"image": part(*chance.normal(0, 1, 16))}))], 0)
    system.clock.ms += 1_000
    shared.tick(model)
    assert system.store.similar(["new"]) != [None]
    assert None in system.store.similar(catalogue)
    for _ in range(many):
        system.clock.ms += 1_000
        shared.tick(model)
        if None not in system.store.similar(catalogue):
            break
    else:
        pytest.fail("some are never written")
    shared.close()
