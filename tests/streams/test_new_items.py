"""From the catalogue to the list: an item that nobody has met stands where it fits."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from tests.streams.embedding import DECODERS, MeanColours, WordHashes, inline, png
from tests.streams.test_audit import edit_list
from tests.streams.worlds import applied, is_learnt, publish, until, world_of

from millstream.models.encoders.hashing import HashingText
from millstream.models.event import Event
from millstream.models.newcomers import NewcomersParams
from millstream.streams.audit import audit
from millstream.streams.demo_world import World
from millstream.streams.descriptions import decode_descriptions
from millstream.streams.listing import Entry, decode_listing
from millstream.streams.log import Message
from millstream.streams.settings import (
    EncoderSettings,
    LearnSettings,
    ListSettings,
    Settings,
    TopicSettings,
    WorkerSettings,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.streams.conftest import MakeSystem, System

START_MS: Final = 1_700_000_000_000
TASTES: Final = {
    "a": ("A detective hunts a murderer in the city", ["crime", "thriller"], 1995),
    "b": ("Two lovers dance in a garden of roses", ["romance", "musical"], 1955),
}
OLD: Final = 6
LIST: Final = {"list": ListSettings(length=5), "newcomers": NewcomersParams(after=2)}


def says(item: str) -> dict[str, object]:
    """What the catalogue says of an item: its taste by its first letter."""
    title, categories, year = TASTES[item[0]]
    return {"title": f"{title} {item[1:]}", "categories": categories, "year": year + int(item[1:])}


def old_items() -> list[str]:
    return [f"{taste}{n}" for taste in TASTES for n in range(OLD)]


def newcomer(entries: list[Entry], item: str) -> Entry | None:
    """The entry of an item, which says of itself that it is new."""
    found = next((entry for entry in entries if entry.item == item), None)
    if found is not None:
        assert found.source == "new"
        assert found.propensity is not None
        assert 0 < found.propensity <= 1
    return found


# --- on the twin, step by step ---------------------------------------------------------------


def fill(system: System) -> None:
    """A catalogue of two tastes and twelve people of each, all learnt."""
    for item in old_items():
        system.item(item, **says(item))
    system.embed({"text": HashingText()})
    for n in range(24):
        taste = "ab"[n % 2]
        for k in range(OLD - 1):
            system.event(f"u{n}", f"{taste}{(n + k) % OLD}")
    system.work()


def entries(system: System, user: str) -> list[Entry]:
    return list(system.listing(user).items)


def test_each_newcomer_goes_to_whom_it_fits(make_system: MakeSystem) -> None:
    system = make_system(**LIST)
    fill(system)
    for n in range(20, 26):
        for taste in TASTES:
            system.item(f"{taste}{n}", **says(f"{taste}{n}"))
    system.embed({"text": HashingText()})
    for n in range(24):
        system.event(f"u{n}", f"{'ab'[n % 2]}{(n + 5) % OLD}")
    system.work()
    fits = 0
    for n in range(24):
        new = [entry.item for entry in entries(system, f"u{n}") if entry.source == "new"]
        assert len(new) == 1
        fits += new[0][0] == "ab"[n % 2]
    assert fits >= 18, "chance alone gives 12"
    found = system.audit()
    assert found.clean, found.faults
    assert found.lists == 24


@pytest.mark.parametrize(
    "edit", [{"propensity": 0.5}, {"propensity": None}, {"because": "b1"}, {"modality": "audio"}]
)
def test_what_is_said_of_a_newcomer_is_audited_too(
    make_system: MakeSystem, edit: dict[str, object]
) -> None:
    system = make_system(**LIST)
    fill(system)
    system.item("a9", **says("a9"))
    system.embed({"text": HashingText()})
    system.event("u0", "a1")
    system.work()
    assert newcomer(entries(system, "u0"), "a9")
    assert system.audit().clean
    edited = [
        msgspec.structs.replace(entry, **edit) if entry.item == "a9" else entry
        for entry in entries(system, "u0")
    ]
    edit_list(system, "u0", msgspec.structs.replace(system.listing("u0"), items=edited))
    found = system.audit()
    assert found.lists_differ == 1
    assert "the list of user u0 is not what its inputs give" in found.faults[0]


def test_a_deleted_newcomer_leaves_and_one_that_was_taken_is_new_no_more(
    make_system: MakeSystem,
) -> None:
    system = make_system(**LIST)
    fill(system)
    system.item("a9", **says("a9"))
    system.embed({"text": HashingText()})
    system.event("u0", "a1")
    system.work()
    assert newcomer(entries(system, "u0"), "a9")
    system.event("u2", "a9")
    system.event("u0", "a2")
    system.work()
    system.event("u0", "a3")
    system.work()
    taken = [entry for entry in entries(system, "u0") if entry.item == "a9"]
    assert all(entry.source != "new" for entry in taken)
    system.item("a9")
    system.embed({"text": HashingText()})
    system.event("u0", "a4")
    system.work()
    assert "a9" not in system.listed("u0")
    found = system.audit()
    assert found.clean, found.faults


def test_a_restart_of_encode_says_nothing_again(make_system: MakeSystem) -> None:
    system = make_system(**LIST)
    fill(system)
    before = system.append_ends()
    system.embed({"text": HashingText()})
    assert system.append_ends() == before


def test_a_worker_that_fell_between_both_topics_says_it_again(make_system: MakeSystem) -> None:
    system = make_system(**LIST)
    system.item("a1", **says("a1"))
    embeddings = system.topic("item_embeddings")
    append = system.log.append

    def fall(topic: str, messages: list[Message]) -> list[int]:
        if topic == embeddings:
            raise system.failpoints.Crash
        return append(topic, messages)

    system.log.append = fall  # type: ignore[method-assign,assignment]
    with pytest.raises(system.failpoints.Crash):
        system.embed()
    system.log.append = append  # type: ignore[method-assign]
    assert (system.append_ends()["interactions"], system.append_ends()["item_embeddings"]) == (1, 0)
    system.embed()
    assert (system.append_ends()["interactions"], system.append_ends()["item_embeddings"]) == (2, 1)
    first, second = system.records("interactions")
    assert first.value == second.value


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_catalogue_of_none_or_few(make_system: MakeSystem, count: int) -> None:
    system = make_system(**LIST)
    for n in range(count):
        system.item(f"a{n}", **says(f"a{n}"))
    system.embed({"text": HashingText()})
    system.event("ann", "a0")
    system.work()
    system.event("ann", "a0")
    system.work()
    assert set(system.listed("ann")) <= {f"a{n}" for n in range(count)}
    found = system.audit()
    assert found.clean, found.faults


def test_an_encoder_of_another_length_takes_over_and_the_audit_agrees(
    make_system: MakeSystem,
) -> None:
    system = make_system(**LIST)
    fill(system)
    for length in (16, 24):
        system.embed({"text": WordHashes(f"v{length}", length)})
        system.item(f"a{length}", **says(f"a{length}"))
        system.embed({"text": WordHashes(f"v{length}", length)})
        system.event("u0", "a1")
        system.work()
        assert newcomer(entries(system, "u0"), "a16") or newcomer(entries(system, "u0"), "a24")
        found = system.audit()
        assert found.clean, found.faults


def test_what_an_encoder_published_stays_when_it_cannot_be_opened(make_system: MakeSystem) -> None:
    system = make_system(**LIST)
    system.item("a1", **says("a1"), image=inline(png(1, 2, 3)))
    both = system.embed({"text": WordHashes(), "image": MeanColours()}, DECODERS)
    assert both.counts.outcomes["image", "encoded"] == 1
    system.item("a1", **says("a2"), image=inline(png(1, 2, 3)))
    system.embed({"text": WordHashes()}, DECODERS)
    parts = newest_parts(system)
    assert list(parts) == ["text", "image", "categories", "numbers"]
    system.item("a1", **says("a3"))
    system.embed({"text": WordHashes()}, DECODERS)
    assert list(newest_parts(system)) == ["text", "categories", "numbers"]


def newest_parts(system: System) -> list[str]:
    described = decode_descriptions(system.records("interactions")[-1].value)
    assert described is not None
    return list(described[-1][1].parts)


# --- live -------------------------------------------------------------------------------------


@pytest.fixture(params=["embedded", "kafka and redis"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> AbstractContextManager[World]:
    """Each world in turn, with the encoder that is always there."""
    settings = Settings(
        data_dir=str(tmp_path),
        topics=TopicSettings(event_partitions=1, item_partitions=2),
        list=LIST["list"],  # type: ignore[arg-type]
        newcomers=LIST["newcomers"],  # type: ignore[arg-type]
        learn=LearnSettings(frame_interval_ms=50),
        worker=WorkerSettings(batch_max=10),
        encoders=EncoderSettings(text="hashing", image="off", audio="off"),
    )
    return world_of(request, settings)


def load(there: World, *items: str) -> None:
    """Publish items, and wait until a replica has all that is described."""
    before = described(there)
    messages = [Message(item.encode(), msgspec.json.encode(says(item))) for item in items]
    there.log.append(there.settings.topics.name("items"), messages)
    until(there, lambda: described(there) > before, "a description")
    until(there, lambda: embedded_items(there) >= len(items), "ENCODE")
    until(there, lambda: is_learnt(there), "LEARN and the replica")


def described(there: World) -> int:
    return there.log.bounds(there.settings.topics.name("interactions"), 0)[1]


def embedded_items(there: World) -> int:
    topic = there.settings.topics.name("item_embeddings")
    return sum(there.log.bounds(topic, p)[1] for p in range(there.log.partitions(topic)))


def list_after(there: World, n: int, user: str, item: str) -> list[Entry]:
    """A person's list right after their next event."""
    before = applied(there)
    publish(there, "clicks", [Event(f"n{n}", user, item, "click", START_MS + 100_000 + n)])
    until(there, lambda: applied(there) == before + 1, "the new list")
    value = there.store.listings([user])[0]
    assert value is not None
    return list(decode_listing(value).items)


def test_an_item_stands_in_the_next_list_of_a_person_and_leaves_when_it_is_deleted(
    world: AbstractContextManager[World],
) -> None:
    clicks = [
        Event(f"{n}-{k}", f"u{n}", f"{'ab'[n % 2]}{(n + k) % OLD}", "click", START_MS + 10 * n + k)
        for n in range(12)
        for k in range(4)
    ]
    with world as there:
        load(there, *old_items())
        publish(there, "clicks", clicks)
        until(there, lambda: applied(there) == len(clicks), "RECOMMEND")
        until(there, lambda: is_learnt(there), "LEARN and the replica")
        assert not newcomer(list_after(there, 0, "u0", "a4"), "a9")
        load(there, "a9")
        found = newcomer(list_after(there, 1, "u0", "a5"), "a9")
        assert found is not None
        records = described(there)
        there.log.append(there.settings.topics.name("items"), [Message(b"a9", None)])
        until(there, lambda: "a9" in there.store.hidden(), "ENCODE to hide it")
        until(there, lambda: described(there) > records, "the description of a deletion")
        until(there, lambda: is_learnt(there), "LEARN and the replica")
        assert "a9" not in {entry.item for entry in list_after(there, 2, "u0", "a1")}
        until(there, lambda: is_learnt(there), "LEARN and the replica")
        checked = audit(there.settings, there.log, there.store, there.snapshots)
        assert checked.clean, checked.faults
        assert checked.lists == 12
        assert checked.digests >= 2


def test_the_warm_up_compiles_all_that_a_first_newcomer_would_have_to_wait_for() -> None:
    script = (
        "from millstream.models import cells, content_kernels, newcomer_kernels\n"
        "from millstream.streams.assembly import warm_up\n"
        "from millstream.streams.settings import Settings\n"
        "warm_up(Settings())\n"
        "of = content_kernels, newcomer_kernels, cells\n"
        "for module, name in ((0, 'near'), (0, 'score'), (0, 'tastes'), (1, 'fits'), "
        "(1, 'standings'), (2, '_look')):\n"
        "    print(name, len(getattr(of[module], name).signatures))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.splitlines() == [
        "near 1",
        "score 1",
        "tastes 1",
        "fits 1",
        "standings 1",
        "_look 1",
    ]
