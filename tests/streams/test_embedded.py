"""`--embedded` is the product: the same jobs and cores, and in the end the same lists."""

from __future__ import annotations

import ast
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import msgspec
import pytest
from tests.streams.worlds import applied, is_learnt, publish, until, world_of

from millstream.exporters.memory_store import MemoryStore
from millstream.exporters.redis_store import RedisStore
from millstream.models.catalogue import Catalogue, Item
from millstream.models.event import Event
from millstream.models.interaction import FORMAT, InteractionBatch
from millstream.models.profile import Profile
from millstream.models.recommender import Request
from millstream.streams import worker
from millstream.streams.assembly import new_learned_model, new_recommender
from millstream.streams.audit import audit
from millstream.streams.demo_world import World, embedded_world
from millstream.streams.interactions import interaction_of
from millstream.streams.kafka_log import KafkaLog
from millstream.streams.listing import decode_listing
from millstream.streams.log import Message
from millstream.streams.settings import (
    EncoderSettings,
    LearnSettings,
    ListSettings,
    Settings,
    TopicSettings,
    WorkerSettings,
)

START_MS: Final = 1_700_000_000_000
PEOPLE: Final = 6
HIDDEN: Final = "m2"
STREAMS: Final = Path(worker.__file__).parent
CORES: Final = {"RecommendCore", "LearnCore", "EncodeCore"}
JOBS: Final = {"RecommendJob", "LearnJob", "EncodeJob"}


# --- nothing is forked -----------------------------------------------------------------------


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path) -> set[str]:
    """The modules and names that a module imports from the product."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("millstream"):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("host", ["host_memory", "host_faust"])
def test_a_host_knows_no_core_no_job_but_the_protocol_and_no_model(host: str) -> None:
    names = imported(STREAMS / f"{host}.py")
    assert "millstream.streams.job.Job" in names
    assert not [name for name in names if name.startswith("millstream.models")]
    assert not [name for name in names if name.rpartition(".")[2] in CORES | JOBS]


@pytest.mark.parametrize("module", ["demo_world", "worker"])
def test_who_hosts_makes_neither_cores_nor_jobs_by_hand(module: str) -> None:
    names = imported(STREAMS / f"{module}.py")
    assert "millstream.streams.assembly.Assembly" in names
    assert not [name for name in names if name.rpartition(".")[2] in CORES | JOBS]


@pytest.mark.parametrize("module", ["demo_world", "worker"])
def test_who_hosts_takes_every_job_from_the_assembly(module: str) -> None:
    asked = {
        node.attr
        for node in ast.walk(tree(STREAMS / f"{module}.py"))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "assembly"
    }
    assert asked >= set(worker.WORKERS)


def test_cores_and_jobs_are_made_in_one_place_only() -> None:
    made_in = {
        path.name
        for path in STREAMS.rglob("*.py")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in CORES | JOBS
    }
    assert made_in == {"assembly.py"}


# --- one contract, two worlds ----------------------------------------------------------------


def history() -> list[Event]:
    """Sixty clicks of six people, in the order of the log."""
    return [
        Event(f"e{n:03d}", f"u{n % PEOPLE}", f"m{n * n % 23}", "click", START_MS + 1000 * n)
        for n in range(60)
    ]


def looks() -> list[Event]:
    """One impression a person: it teaches nobody anything, and brings everyone a new list."""
    return [
        Event(f"i{n}", f"u{n}", "m0", "impression", START_MS + 100_000 + n) for n in range(PEOPLE)
    ]


def expected_lists(settings: Settings) -> dict[str, list[tuple[str, float, str, str | None]]]:
    """What the lists must say when all has been learnt: folded here, one event at a time."""
    model, profiles = new_learned_model(settings), dict[str, Profile]()
    for n, event in enumerate(history()):
        profile = profiles.setdefault(event.user, Profile())
        before = profile.taught(settings.weights, settings.model.history_max)
        one = interaction_of(event, profile, before, settings, 0, n)
        profile.add(event, settings.profile)
        model.fold(n, InteractionBatch(FORMAT, ["-"], [one]), 0)
    catalogue = Catalogue()
    catalogue.apply(0, 0, HIDDEN, Item(hidden=True))
    ranked = new_recommender(settings, model).rank(
        [Request(user, profile, START_MS) for user, profile in profiles.items()], catalogue
    )
    return {
        user: [(e.item, e.score, e.source, e.because) for e in listed]
        for user, listed in zip(profiles, ranked, strict=True)
    }


@pytest.fixture(params=["embedded", "embedded, diverse", "kafka and redis"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> AbstractContextManager[World]:
    """Each world in turn; one partition, batches of one: both learn in the same steps."""
    settings = Settings(
        data_dir=str(tmp_path),
        topics=TopicSettings(event_partitions=1, item_partitions=1),
        list=ListSettings(length=8, diversity=0.5 if "diverse" in request.param else 0.0),
        learn=LearnSettings(frame_interval_ms=50),
        worker=WorkerSettings(batch_max=1),
        # When the hidden item is described is chance, and a row of its own moves what is learnt.
        encoders=EncoderSettings(text="off", image="off", audio="off"),
    )
    return world_of(request, settings)


def test_the_same_scenario_ends_in_the_same_lists_and_a_clean_audit(
    world: AbstractContextManager[World],
) -> None:
    with world as there:
        real = isinstance(there.log, KafkaLog)
        assert isinstance(there.store, RedisStore if real else MemoryStore)
        hidden = Message(HIDDEN.encode(), msgspec.json.encode({"title": "T", "hidden": True}))
        there.log.append(there.settings.topics.name("items"), [hidden])
        until(there, lambda: there.store.hidden() == {HIDDEN}, "ENCODE")
        publish(there, "clicks", history())
        until(there, lambda: applied(there) == 60, "RECOMMEND")
        until(there, lambda: is_learnt(there), "LEARN and the replica")
        publish(there, "views", looks())
        until(there, lambda: applied(there) == 60 + PEOPLE, "the new lists")
        until(there, lambda: is_learnt(there), "LEARN and the replica")

        users = [f"u{n}" for n in range(PEOPLE)]
        lists = {}
        for user, value in zip(users, there.store.listings(users), strict=True):
            assert value is not None
            listing = decode_listing(value)
            assert listing.as_of == {"clicks-0": 60, "views-0": int(user[1:]) + 1, "feedback-0": 0}
            lists[user] = [(e.item, e.score, e.source, e.because) for e in listing.items]
        assert lists == expected_lists(there.settings)
        assert HIDDEN not in {item for entries in lists.values() for item, *_ in entries}
        assert there.store.shared("popular")
        assert there.store.shared("trending")

        found = audit(there.settings, there.log, there.store, there.snapshots)
        assert found.clean, found.faults
        assert (found.events, found.applied, found.lists) == (60 + PEOPLE, 60 + PEOPLE, PEOPLE)
        assert found.digests >= 2


def test_after_one_event_the_list_is_personal(tmp_path: Path) -> None:
    """Two new people, one click each, on items of two tastes: two lists, each of its taste."""
    settings = Settings(
        data_dir=str(tmp_path),
        topics=TopicSettings(event_partitions=1, item_partitions=1),
        list=ListSettings(length=3),
        learn=LearnSettings(frame_interval_ms=50),
    )
    tastes = (["a1", "a2", "a3", "a4"], ["b1", "b2", "b3", "b4"])
    clicks = [
        Event(f"{n}-{item}", f"u{n}", item, "click", START_MS + n)
        for n in range(12)
        for item in tastes[n % 2]
    ]
    new = [Event("n0", "ann", "a1", "click", START_MS), Event("n1", "bob", "b1", "click", START_MS)]
    with embedded_world(settings, lambda _: None) as there:
        publish(there, "clicks", clicks)
        until(there, lambda: applied(there) == len(clicks), "RECOMMEND")
        until(there, lambda: is_learnt(there), "LEARN and the replica")
        publish(there, "clicks", new)
        until(there, lambda: applied(there) == len(clicks) + 2, "the new lists")
        for person, taste in zip(("ann", "bob"), tastes, strict=True):
            value = there.store.listings([person])[0]
            assert value is not None
            entries = decode_listing(value).items
            assert {entry.item for entry in entries} == set(taste[1:])
