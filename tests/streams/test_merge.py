"""A guest logs in: their history is the person's, once, whoever dies on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from millstream.models.event import event_key
from millstream.models.event_set import ProfileParams
from millstream.models.interaction import decode_batch
from millstream.streams.settings import FieldSettings, WorkerSettings

if TYPE_CHECKING:
    from tests.streams.conftest import MakeSystem, System

    from millstream.streams.log import Record

MOMENTS = [
    ("recommend.published", 1),
    ("recommend.published", 3),
    ("recommend.copied", 1),
    ("recommend.written", 1),
    ("recommend.written", 3),
]
LONG = "a-uuid-is-longer-than-24-bytes-0001"


def log_in(system: System, guest: str, person: str, **fields: Any) -> Record:
    return system.event(guest, "-", role="feedback", **{"type": "merge", "into": person, **fields})


def visit(system: System) -> None:
    """What a guest and a person do before the log-in, after it, and once more as the person."""
    for item in "ab":
        system.event("guest", item)
    system.event("guest", "c", role="feedback", type="rating", value=2)
    system.event("ann", "d", id=LONG)
    log_in(system, "guest", "ann")
    system.event("guest", "e", id=LONG + "x")
    system.event("ann", "f")


def rest(system: System) -> None:
    """Let RECOMMEND and LEARN do all that waits, copies and copies of copies too."""
    system.settle(system.recommend(), system.learn())
    found = system.audit()
    assert found.clean, found.faults
    assert found.waiting == 0


def items(system: System, user: str) -> list[str]:
    return system.profile(user).items


def test_what_a_guest_did_and_still_does_is_the_persons(system: System) -> None:
    visit(system)
    rest(system)
    guest, ann = system.profile("guest"), system.profile("ann")
    assert guest.items == ["a", "b", "c", "e"]
    assert ann.items == ["a", "b", "c", "d", "e", "f"]
    mine = [n for n, item in enumerate(ann.items) if item not in "df"]
    for column in ("keys", "ts", "types", "values"):
        assert [getattr(ann, column)[n] for n in mine] == getattr(guest, column)
    assert guest.mark is not None
    assert guest.mark[2] == "ann"
    assert ann.mark is None


def test_a_person_who_was_nobody_gets_a_list_of_what_their_guest_did(system: System) -> None:
    for user, liked in {"x": "abc", "y": "abd", "z": "ac"}.items():
        for item in liked:
            system.event(user, item)
    system.work()
    system.event("guest", "a")
    log_in(system, "guest", "new")
    rest(system)
    assert system.listing("new").items == system.listing("guest").items
    assert "a" in {entry.because for entry in system.listing("new").items}


def test_the_item_model_learns_from_a_guests_event_once(system: System) -> None:
    visit(system)
    rest(system)
    worth: dict[str, list[float]] = {}
    for record in system.records("interactions"):
        batch = decode_batch(record.value)
        assert batch is not None
        for one in batch.interactions:
            worth.setdefault(one.item, []).append(one.weight)
    assert worth == {
        "a": [1.0, 0.0],
        "b": [1.0, 0.0],
        "c": [0.4, 0.0],
        "d": [1.0],
        "e": [1.0, 0.0],
        "f": [1.0],
    }


def test_no_user_id_stands_in_the_interactions(system: System) -> None:
    visit(system)
    rest(system)
    for record in system.records("interactions"):
        assert b"ann" not in (record.value or b"")
        assert b"guest" not in (record.value or b"")


def test_a_copy_says_whose_it_was_in_the_teams_own_field_names(make_system: MakeSystem) -> None:
    names = FieldSettings(
        user="customer", item="sku", into="account", merged_from="visitor", id="v"
    )
    system = make_system(fields=names)
    said = {"ts": system.clock.ms, "customer": "guest", "v": "e1"}
    system.raw(msgspec.json.encode({**said, "sku": "a"}))
    system.recommend().sweep()
    system.raw(msgspec.json.encode({**said, "v": "e2", "type": "merge", "account": "ann"}))
    system.recommend().sweep()
    (copy,) = [record for p in (0, 1) for record in system.records("feedback", p)]
    assert copy.key == b"ann"
    assert msgspec.json.decode(copy.value or b"") == {
        "v": "e1",
        "customer": "ann",
        "sku": "a",
        "type": "click",
        "ts": system.clock.ms,
        "value": 0.0,
        "visitor": "guest",
    }
    rest(system)
    assert items(system, "ann") == ["a"]


def undisturbed(make_system: MakeSystem) -> dict[str, object]:
    system = make_system()
    visit(system)
    rest(system)
    return system.histories()


@pytest.mark.parametrize(("moment", "nth"), MOMENTS)
def test_a_worker_that_dies_on_the_way_changes_nothing(
    make_system: MakeSystem, moment: str, nth: int
) -> None:
    system = make_system(worker=WorkerSettings(batch_max=3))
    visit(system)
    system.failpoints.arm(moment, nth)
    core, learner = system.recommend(), system.learn()
    with pytest.raises(system.failpoints.Crash, match=moment):
        system.settle(core, learner)
    rest(system)
    assert system.histories() == undisturbed(make_system)


def test_everything_told_again_changes_nothing(make_system: MakeSystem) -> None:
    system = make_system()
    visit(system)
    rest(system)
    before = system.append_ends()["feedback"]
    log_in(system, "guest", "ann")
    rest(system)
    assert system.append_ends()["feedback"] == before + 1, "the same person: nothing to tell"
    system.fragile.flush()
    rest(system)
    assert system.histories().keys() == undisturbed(make_system).keys()
    assert items(system, "ann") == ["a", "b", "c", "d", "e", "f"]


def test_an_event_whose_id_is_long_is_one_with_its_copy(system: System) -> None:
    """A shop that sends the guest's event once more as the person's."""
    system.event("guest", "a", id=LONG, ts=system.clock.ms)
    log_in(system, "guest", "ann")
    system.event("ann", "a", id=LONG, ts=system.clock.ms - 30)
    rest(system)
    assert system.profile("ann").keys == [event_key(LONG)]


def test_a_guest_who_is_oneself_is_nothing_special(system: System) -> None:
    system.event("ann", "a")
    log_in(system, "ann", "ann")
    rest(system)
    assert system.append_ends()["feedback"] == 1
    assert system.profile("ann").mark is None


def test_two_who_are_each_other_end_with_the_same_history(system: System) -> None:
    system.event("ann", "a")
    system.event("bob", "b")
    log_in(system, "ann", "bob")
    log_in(system, "bob", "ann")
    rest(system)
    assert items(system, "ann") == items(system, "bob") == ["a", "b"]
    assert system.append_ends()["feedback"] < 10
    system.event("ann", "c")
    rest(system)
    assert items(system, "bob") == ["a", "b", "c"]


def test_a_ring_of_three_with_narrow_profiles_comes_to_rest(make_system: MakeSystem) -> None:
    system = make_system(profile=ProfileParams(events_max=3, bytes_max=200, seen_max=4))
    for one, other in ("ab", "bc", "ca"):
        log_in(system, one, other)
    for n in range(12):
        system.event("abc"[n % 3], "m" * (n % 5 + 1) + str(n))
    rest(system)
    assert items(system, "a") == items(system, "b") == items(system, "c")
    assert system.append_ends()["feedback"] < 80


def test_a_guest_of_a_guest_is_the_person_too(system: System) -> None:
    system.event("one", "a")
    log_in(system, "one", "two")
    log_in(system, "two", "three")
    system.event("one", "b")
    rest(system)
    assert items(system, "three") == ["a", "b"]


def test_of_two_log_ins_the_later_counts_for_what_comes_after(system: System) -> None:
    system.event("guest", "a")
    log_in(system, "guest", "ann", ts=system.clock.ms + 1)
    rest(system)
    log_in(system, "guest", "bob")
    system.event("guest", "b")
    rest(system)
    assert items(system, "ann") == ["a"]
    assert items(system, "bob") == ["a", "b"]


def test_an_event_and_the_log_in_from_two_workers_meet_in_a_conflict(system: System) -> None:
    """One worker knows of the log-in and not of the event, the other the other way round."""
    one, other = system.recommend([("clicks", 0)]), system.recommend([("feedback", 1)])
    system.event("guest", "a", partition=0)
    log_in(system, "guest", "ann", partition=1)
    system.failpoints.at("recommend.published", other.sweep)
    assert one.sweep().conflicts == 1
    assert system.append_ends()["feedback"] == 2, "the copy was told before the profile was written"
    rest(system)
    assert items(system, "ann") == ["a"]


def test_a_copy_that_was_never_told_is_named_by_the_audit(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit(system)
    core = system.recommend()
    monkeypatch.setattr(core._copies, "due", lambda *_: [])
    system.settle(core, system.learn())
    found = system.audit()
    assert found.missing == 4
    assert any("of guest guest was not told of user ann" in fault for fault in found.faults)


@pytest.mark.parametrize("order", ["guest first", "person first"])
def test_on_real_kafka_and_redis_too(real_system: System, order: str) -> None:
    system = real_system
    visit(system)
    core, learner = system.recommend(), system.learn()
    owned = sorted(core.positions.owned(), reverse=order == "person first")
    for tp in owned:
        core.sweep([tp])
    system.settle(core, learner)
    assert items(system, "ann") == ["a", "b", "c", "d", "e", "f"]
    found = system.audit()
    assert found.clean, found.faults
    assert found.waiting == 0
