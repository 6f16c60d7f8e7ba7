"""ENCODE: the catalogue in, what readers know of items out; repeats are harmless."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from millstream.models.catalogue import Item
from millstream.streams.encode import NEWEST, EncodeCore
from millstream.streams.listing import decode_listing

if TYPE_CHECKING:
    from tests.streams.conftest import System


def said(system: System, item: str) -> object:
    (value,) = system.store.items([item])
    return None if value is None else msgspec.json.decode(value)


def applied(system: System, core: EncodeCore | None = None) -> EncodeCore:
    core = core or system.encode()
    core.sweep()
    core.tick()
    return core


def newest(system: System) -> list[str]:
    value = system.store.shared("new")
    return [] if value is None else [entry.item for entry in decode_listing(value).items]


def test_what_is_said_of_an_item_is_what_its_last_message_said(system: System) -> None:
    system.item("m1", title="Heta", categories=["crime"])
    system.item("m1", title="Heat", categories="crime|drama", plot="left alone", expires_at=None)
    applied(system)
    assert said(system, "m1") == {"title": "Heat", "categories": ["crime", "drama"]}
    assert system.store.hidden() == set()


def test_hidden_items_are_hidden_and_shown_again(system: System) -> None:
    system.item("m1", title="A", hidden=True)
    core = applied(system)
    assert said(system, "m1") == {"title": "A", "categories": [], "hidden": True}
    assert system.store.hidden() == {"m1"}
    system.item("m1", title="A")
    applied(system, core)
    assert system.store.hidden() == set()


def test_deleted_items_are_hidden_and_nothing_is_said_of_them(system: System) -> None:
    system.item("m1", title="A")
    system.item("m1")
    core = applied(system)
    assert said(system, "m1") is None
    assert system.store.hidden() == {"m1"}
    assert (core.accepted, core.deleted) == (0, 1), "one call, its last word"


def test_items_are_hidden_and_shown_when_their_time_comes(system: System) -> None:
    now = system.clock.ms
    system.item("m1", title="A", available_from=now + 100, expires_at=now + 200)
    core = applied(system)
    hidden = []
    for at in (99, 100, 199, 200):
        system.clock.ms = now + at
        core.tick()
        hidden.append(system.store.hidden() == {"m1"})
    assert hidden == [True, False, False, True]
    assert said(system, "m1") == {
        "title": "A",
        "categories": [],
        "available_from": now + 100,
        "expires_at": now + 200,
    }


def test_a_replay_from_the_start_ends_in_the_same_state(system: System) -> None:
    now = system.clock.ms
    for n in range(20):
        fields: dict[str, object] = {"title": f"T{n}"}
        if n % 4 == 1:
            fields["hidden"] = True
        if n % 4 == 2:
            fields["expires_at"] = now + 5 * n
        system.item(f"m{n % 7}", **fields if n % 5 else {})
    core = applied(system)
    once = ([said(system, f"m{n}") for n in range(7)], system.store.hidden(), newest(system))
    records = [r for tp in system.partitions("items") for r in system.log.read(*tp, 0, 99)]
    core.apply(records)
    again = applied(system)
    assert again.recovering() is False
    assert once == (
        [said(system, f"m{n}") for n in range(7)],
        system.store.hidden(),
        newest(system),
    )


def test_what_is_no_item_becomes_a_dead_letter_and_its_neighbours_are_applied(
    system: System,
) -> None:
    system.item("m1", title="A")
    system.raw(b"{", b"m2", "items")
    system.raw(b'{"hidden": 1}', b"m3", "items")
    system.raw(b"{}", None, "items")
    system.item("m4", title="D")
    core = applied(system)
    assert core.rejects == {"not-json": 1, "bad-field": 1, "bad-item": 1}
    letters = [dict(record.headers) for record in system.records("dead_letters")]
    assert sorted(letter["reason"] for letter in letters) == [
        b"bad-field",
        b"bad-item",
        b"not-json",
    ]
    assert {letter["topic"] for letter in letters} == {b"items"}
    assert said(system, "m4") == {"title": "D", "categories": []}
    assert system.audit().clean, "rejected items are not rejected events"


def test_the_newest_items_are_listed_newest_first_within_a_bound(system: System) -> None:
    for n in range(3 * NEWEST):
        system.clock.ms += 1
        system.item(f"m{n:04d}", title="x")
    core = applied(system)
    assert newest(system) == [f"m{n:04d}" for n in range(3 * NEWEST - 1, 2 * NEWEST - 1, -1)]
    system.item("m0299")
    system.item("m0298", title="x", hidden=True)
    applied(system, core)
    assert newest(system)[0] == "m0297"


def test_it_recovers_until_what_was_there_is_in(system: System) -> None:
    for n in range(4):
        system.item(f"m{n}", title="x")
    core = system.encode()
    assert core.recovering()
    core.sweep()
    assert not core.recovering()


@pytest.mark.parametrize("entry", [None, Item(hidden=True)])
def test_an_item_that_is_gone_waits_for_no_time(system: System, entry: Item | None) -> None:
    core = system.encode()
    system.item("m1", title="x", expires_at=system.clock.ms + 100)
    core.sweep()
    if entry is None:
        system.item("m1")
    else:
        system.item("m1", hidden=True, available_from=system.clock.ms + 50)
    core.sweep()
    system.clock.ms += 500
    core.tick()
    assert system.store.hidden() == {"m1"}
