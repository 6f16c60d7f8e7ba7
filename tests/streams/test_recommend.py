"""RECOMMEND: publish, write, note progress; whatever happens in between, all counts once."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from millstream.exporters.errors import StoreUnavailable
from millstream.exporters.store import UserWrite
from millstream.models.fusion import FusionParams
from millstream.models.interaction import decode_batch
from millstream.models.pairs import Pairs
from millstream.streams.dead_letters import TooManyRejected
from millstream.streams.listing import Entry
from millstream.streams.memory_log import MemoryLog, choose_partition
from millstream.streams.recommend import CONFLICT_TRIES, Contended
from millstream.streams.settings import ListSettings, ModelSettings, WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.streams.conftest import MakeSystem, System

FAILPOINTS = ["recommend.published", "recommend.written"]


def history(system: System) -> None:
    """What four people did; let the item model learn it."""
    for user, items in {"ann": "abcd", "bob": "abe", "cid": "bcd", "dan": "ace"}.items():
        for item in items:
            system.event(user, item)
    system.work()


def day(system: System) -> None:
    """Publish events of many kinds: repeats, late ones, ratings, impressions, rubbish."""
    for n in range(60):
        user, item = f"u{n * 7 % 11}", f"m{n * 5 % 13}"
        role = ("clicks", "views", "feedback")[n % 3]
        fields: dict[str, Any] = {"type": "like"} if role == "feedback" else {}
        if n % 10 == 9:
            fields = {"type": "rating", "value": 4}
        if n % 12 == 11:
            fields = {"type": "impression"}
        if n % 13 == 12:
            fields["ts"] = 1_700_000_000_000 - n
        again = system.event(user, item, role=role, **fields)
        if n % 8 == 7:
            system.raw(again.value, again.key, "views" if role == "clicks" else role)
        if n % 14 == 13:
            system.raw(b'{"user": "u1"', b"u1", role)


def interactions(system: System) -> list[tuple[str, float, list[str]]]:
    """Item, weight and history of every interaction in the log, in order."""
    found = []
    for record in system.records("interactions"):
        batch = decode_batch(record.value)
        assert batch is not None
        found += [(one.item, one.weight, one.history) for one in batch.interactions]
    return found


def test_a_list_worked_out_by_hand(make_system: MakeSystem) -> None:
    """Two candidates: z-scores are +1 and -1, and the signed log makes ln 2 of them.

    a was met 3 times, b twice, c once; a and b by two people, a and c by one:
    by `co` b scores 2 / sqrt(3 * 2), c scores 1 / sqrt(3 * 1), which is less; by each other way
    to read the pairs b scores more too. Five of them begin with a weight of .1.
    """
    system = make_system(
        model=ModelSettings(sources=("pairs",), history_max=10),
        sources={},
        fusion=FusionParams(learn=False),
    )
    for user, items in {"ann": "ab", "bob": "ac", "cid": "ab"}.items():
        for item in items:
            system.event(user, item)
    system.work()
    place = system.event("eve", "a")
    system.work()
    listing = system.listing("eve")
    (best, second) = listing.items
    assert (best.item, best.source, best.because) == ("b", "co", "a")
    assert second.source in Pairs.features
    assert (second.item, second.because) == ("c", "a")
    assert best.score == pytest.approx(0.5 * math.log(2), abs=3e-4)
    assert second.score == pytest.approx(-0.5 * math.log(2), abs=3e-4)
    assert listing.user == "eve"
    assert listing.as_of[f"clicks-{place.partition}"] == place.offset + 1
    assert listing.settings == system.settings.shape_hash()
    assert listing.model == 1, "one record holds the six interactions"
    assert system.audit().clean


def test_an_interaction_says_what_the_person_had_done_before(system: System) -> None:
    core = system.recommend()
    system.event("ann", "a")
    system.event("ann", "b", role="feedback", type="rating", value=4)
    system.event("ann", "c", role="feedback", type="hide")
    system.event("ann", "d")
    core.apply(system.waiting(dict(core.positions.owned())))
    assert interactions(system) == [
        ("a", 1.0, []),
        ("b", 0.8, ["a"]),
        ("c", 0.0, []),
        ("d", 1.0, ["b", "a"]),
    ]


def test_a_late_event_follows_only_what_was_before_it(system: System) -> None:
    core = system.recommend()
    early = system.clock.ms
    system.event("ann", "a", ts=early + 100)
    system.event("ann", "b", ts=early + 300)
    system.event("ann", "c", ts=early + 200)
    core.sweep()
    assert interactions(system)[-1] == ("c", 1.0, ["a"])
    assert system.profile("ann").items == ["a", "c", "b"]


def test_a_batch_is_published_then_written_then_noted(system: System) -> None:
    """What is there at each failpoint shows the order."""
    system.event("ann", "a")
    system.raw(b"{", b"x")
    seen = {}

    def look(name: str) -> None:
        ends = system.append_ends()
        written = system.store.profiles(["ann"])[0] is not None
        noted = sum(system.store.progress("recommend").values())
        seen[name] = (ends["interactions"], ends["dead_letters"], written, noted)

    for name in FAILPOINTS:
        system.failpoints.at(name, partial(look, name))
    system.recommend().sweep()
    assert seen == {
        "recommend.published": (1, 1, False, 0),
        "recommend.written": (1, 1, True, 0),
    }
    assert sum(system.store.progress("recommend").values()) == 2


def test_events_are_counted_by_what_became_of_them(system: System) -> None:
    core = system.recommend()
    first = system.event("ann", "a")
    system.raw(first.value, first.key)
    system.event("ann", "old", role="views", ts=system.clock.ms - 400 * 86_400_000)
    system.raw(b"{")
    report = core.sweep()
    assert report.outcomes == {
        ("click", "applied"): 1,
        ("click", "duplicate"): 1,
        ("view", "late"): 1,
    }
    assert report.rejects == {"not-json": 1}
    assert (report.lists, report.conflicts) == (1, 0)


def test_poison_goes_to_dead_letters_and_its_neighbours_are_applied(system: System) -> None:
    core = system.recommend()
    system.raw(b"{", b"ann", partition=0)
    system.event("ann", "a", partition=0)
    system.raw(None, b"ann", partition=0)
    system.raw(b"\xff" * 100_000, None, partition=0)
    system.event("ann", "b", partition=0)
    core.apply(system.waiting({("clicks", 0): 0}))
    assert system.profile("ann").items == ["a", "b"]
    letters = [dict(record.headers) for record in system.records("dead_letters")]
    assert [(letter["reason"], letter["offset"]) for letter in letters] == [
        (b"not-json", b"0"),
        (b"no-value", b"2"),
        (b"too-large", b"3"),
    ]


def test_too_many_rejected_stop_the_worker_after_their_batch_is_noted(
    make_system: MakeSystem,
) -> None:
    system = make_system(worker=WorkerSettings(batch_max=10, reject_window=20, reject_ratio=0.1))
    for _ in range(20):
        system.raw(b"{")
    core = system.recommend()
    with pytest.raises(TooManyRejected):
        core.sweep()
    assert sum(system.store.progress("recommend").values()) == 20
    assert system.append_ends()["dead_letters"] == 20


def test_batches_are_bounded_and_each_user_is_written_once_a_batch(system: System) -> None:
    for n in range(35):
        system.event("ann", f"m{n % 7}")
    report = system.recommend().sweep()
    assert report.batches == [10, 10, 10, 5]
    assert report.lists == 4


def undisturbed(make_system: MakeSystem) -> System:
    system = make_system()
    history(system)
    day(system)
    system.settle(system.recommend(), system.learn())
    return system


def expect_equal(system: System, other: System, *, same_order: bool = False) -> None:
    """Profiles are equal, the model is the fold of its own log, and all of it audits clean.

    Models are equal too where events were published in the same order and records: the new
    items of a record begin together.
    """
    assert system.histories() == other.histories()
    if same_order:
        assert system.learn("probe").model.digest() == other.learn("probe").model.digest()
    ends = [system.log.bounds(*tp)[1] for tp in system.partitions()]
    assert sum(system.store.progress("recommend").values()) == sum(ends)
    found = system.audit()
    assert found.clean, found.faults
    assert (found.waiting, found.applied) == (0, other.audit().applied)


@pytest.mark.parametrize("nth", [1, 2, 4])
@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_after_a_crash_a_new_worker_ends_where_the_undisturbed_one_does(
    make_system: MakeSystem, failpoint: str, nth: int
) -> None:
    system = make_system()
    history(system)
    day(system)
    system.failpoints.arm(failpoint, nth)
    with pytest.raises(system.failpoints.Crash, match=failpoint):
        system.recommend().sweep()
    before = system.append_ends()["interactions"]
    system.settle(system.recommend(), system.learn())
    assert system.append_ends()["interactions"] > before
    expect_equal(system, undisturbed(make_system), same_order=True)


def test_crashes_at_every_failpoint_one_after_the_other_change_nothing(
    make_system: MakeSystem,
) -> None:
    system = make_system(worker=WorkerSettings(batch_max=3))
    history(system)
    day(system)
    crashes = 0
    for n in range(40):
        system.failpoints.arm(FAILPOINTS[n % 2], 1 + n % 3)
        try:
            system.recommend().sweep()
        except system.failpoints.Crash:
            crashes += 1
    system.failpoints.disarm()
    assert crashes > 10
    system.settle(system.recommend(), system.learn())
    expect_equal(system, undisturbed(make_system))


def test_two_workers_on_the_same_partitions_conflict_merge_and_count_once(
    make_system: MakeSystem,
) -> None:
    system = make_system()
    history(system)
    day(system)
    one, other = system.recommend(), system.recommend()
    everything = system.waiting(dict(one.positions.owned()))
    conflicts = moved = 0
    for at in range(0, len(everything), 8):
        # The other one does these and more between our publishing and our writing.
        system.failpoints.at(
            "recommend.published", partial(other.apply, everything[max(at - 4, 0) : at + 12])
        )
        report = one.apply(everything[at : at + 8])
        conflicts += report.conflicts
        moved += report.progress_moved
    assert conflicts
    assert moved
    system.settle(one, system.learn())
    expect_equal(system, undisturbed(make_system))


def test_a_write_between_load_and_write_is_merged(system: System) -> None:
    """The same person's events in two partitions, owned by two workers."""
    first, second = system.recommend([("clicks", 0)]), system.recommend([("clicks", 1)])
    system.event("ann", "a", partition=0)
    first.sweep()
    system.event("ann", "b", partition=1)
    second.sweep()
    system.event("ann", "c", partition=0)
    report = first.sweep()
    assert report.conflicts == 1, "first still had its own profile of ann in its cache"
    assert system.profile("ann").items == ["a", "b", "c"]
    assert system.listing("ann").as_of == {"clicks-0": 2, "clicks-1": 1}


class Contest:
    """Another writer who is always quicker."""

    def __init__(self, system: System, tries: int) -> None:
        self._system = system
        self._left = tries
        self._write = system.store.write_users

    def write_users(self, writes: Sequence[UserWrite]) -> list[bool]:
        if self._left:
            self._left -= 1
            for write in writes:
                stored = self._system.store.profiles([write.user])[0] or b""
                profile = self._system.profile(write.user)
                profile.note_offsets({"clicks-1": self._left + 1})
                self._write([UserWrite(write.user, stored[:8], profile.pack(), b"{}")])
        return self._write(writes)


def test_who_never_wins_gives_up_and_the_next_worker_goes_on(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.event("ann", "a", partition=0)
    core = system.recommend()
    monkeypatch.setattr(system.store, "write_users", Contest(system, CONFLICT_TRIES).write_users)
    with pytest.raises(Contended, match="1 profiles changed"):
        core.sweep()
    monkeypatch.undo()
    system.recommend().sweep()
    assert system.profile("ann").items == ["a"]


def test_who_wins_at_the_last_try_goes_on(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    system.event("ann", "a", partition=0)
    contest = Contest(system, CONFLICT_TRIES - 1)
    monkeypatch.setattr(system.store, "write_users", contest.write_users)
    assert system.recommend().sweep().conflicts == CONFLICT_TRIES - 1


def test_a_worker_that_slept_through_others_work_takes_no_offsets_back(system: System) -> None:
    """A zombie applies old events again: what the profile says it holds must stay true."""
    events = [system.event("ann", f"m{n}", partition=0) for n in range(6)]
    zombie, heir = system.recommend(), system.recommend()
    zombie.apply(events[:2])
    heir.sweep()
    zombie.apply(events[2:4])
    assert system.profile("ann").items == [f"m{n}" for n in range(6)]
    assert system.profile("ann").as_of["clicks-0"] == 6
    stranger = system.recommend()
    stranger.positions._next["clicks", 0] = 1
    stranger.apply(events[1:3])
    assert system.profile("ann").as_of["clicks-0"] == 6
    system.settle(heir, system.learn())
    found = system.audit()
    assert found.clean, found.faults


def test_a_flushed_store_is_filled_again_from_the_log(make_system: MakeSystem) -> None:
    system = make_system()
    history(system)
    day(system)
    core = system.recommend()
    everything = system.waiting(dict(core.positions.owned()))
    core.apply(everything[:30])
    system.fragile.flush()
    report = core.apply(everything[30:])
    assert report.progress_moved
    system.settle(core, system.learn())
    expect_equal(system, undisturbed(make_system))


@pytest.mark.parametrize("batch_max", [1, 4])
def test_a_store_flushed_between_any_two_batches_of_a_sweep_is_filled_again(
    make_system: MakeSystem, batch_max: int
) -> None:
    for at in (1, 3, 7):
        system = make_system(worker=WorkerSettings(batch_max=batch_max))
        history(system)
        day(system)
        system.failpoints.at("recommend.written", system.fragile.flush, at)
        system.settle(system.recommend(), system.learn())
        expect_equal(system, undisturbed(make_system))


def test_a_store_restored_from_an_older_dump_is_brought_up_to_date(
    make_system: MakeSystem,
) -> None:
    system = make_system()
    history(system)
    day(system)
    core = system.recommend()
    everything = system.waiting(dict(core.positions.owned()))
    core.apply(everything[:20])
    dump = system.fragile.copy()
    core.apply(everything[20:50])
    system.fragile.take_over(dump)
    core.apply(everything[50:])
    system.settle(core, system.learn())
    expect_equal(system, undisturbed(make_system))


def test_an_evicted_profile_is_begun_anew_and_does_not_stop_the_others(system: System) -> None:
    core = system.recommend()
    system.event("ann", "a")
    system.event("bob", "a")
    core.sweep()
    system.fragile.lose_user("ann")
    system.event("ann", "b")
    system.event("bob", "b")
    report = core.sweep()
    assert report.conflicts == 1, "the cache still had the old profile"
    assert system.profile("bob").items == ["a", "b"]
    assert system.profile("ann").items == ["a", "b"], "the cache remembered"


def test_redis_away_is_waited_for_with_the_batch_in_hand(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.event("ann", "a")
    core = system.recommend()
    write, failures = system.store.write_users, [3]

    def away(writes: Sequence[UserWrite]) -> list[bool]:
        if failures[0]:
            failures[0] -= 1
            raise StoreUnavailable("Redis is away", 0.001)
        return write(writes)

    monkeypatch.setattr(system.store, "write_users", away)
    assert core.sweep().lists == 1
    assert system.waited == ["Redis is away"]
    assert system.append_ends()["interactions"] == 1


def test_an_answer_lost_on_the_way_is_a_conflict_that_merges_to_the_same(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write was done, the answer never came, the call is made again."""
    system.event("ann", "a")
    core = system.recommend()
    write, failures = system.store.write_users, [1]

    def lost(writes: Sequence[UserWrite]) -> list[bool]:
        done = write(writes)
        if failures[0]:
            failures[0] -= 1
            raise StoreUnavailable("no answer", 0.001)
        return done

    monkeypatch.setattr(system.store, "write_users", lost)
    assert core.sweep().conflicts == 1
    assert system.profile("ann").items == ["a"]


def test_the_cache_is_bounded_and_what_is_not_in_it_is_loaded(make_system: MakeSystem) -> None:
    system = make_system(worker=WorkerSettings(batch_max=10, cache_users=3))
    for n in range(40):
        system.event(f"u{n % 8}", f"m{n}")
    core = system.recommend()
    core.sweep()
    assert len(core.cache) == 3
    assert all(len(system.profile(f"u{n}").items) == 5 for n in range(8))


def test_a_new_assignment_forgets_the_cache_and_owns_exactly_what_is_given(
    system: System,
) -> None:
    core = system.recommend()
    system.event("ann", "a", partition=0)
    system.event("bob", "a", partition=1)
    core.sweep()
    assert len(core.cache) == 2
    assert core.assign([("clicks", 1)]) == {("clicks", 1): 1}
    assert len(core.cache) == 0
    system.event("ann", "b", partition=0)
    assert core.sweep().outcomes == {}


def test_a_topic_created_anew_is_read_from_its_start_and_its_lists_are_written(
    system: System,
) -> None:
    for n in range(5):
        system.event("ann", f"m{n}", partition=0)
    system.recommend().sweep()
    system.rewrite("clicks", [])
    event = system.event("ann", "new", partition=0)
    assert event.offset == 0
    core = system.recommend()
    assert core.sweep().outcomes == {("click", "applied"): 1}
    assert "new" in system.profile("ann").items
    assert system.listing("ann").as_of["clicks-0"] == 1


def test_lists_leave_out_what_the_catalogue_hides_and_name_its_version(system: System) -> None:
    history(system)
    system.item("e", hidden=True)
    system.item("c")
    core = system.recommend()
    system.event("fay", "b")
    core.sweep()
    assert system.listed("fay")
    assert not {"c", "e"} & set(system.listed("fay"))
    partitions = [choose_partition(item, 2) for item in (b"e", b"c")]
    assert system.listing("fay").catalogue == [partitions.count(p) for p in (0, 1)]


def test_a_person_without_known_items_gets_what_is_trending(system: System) -> None:
    history(system)
    core = system.recommend()
    system.event("new", "never seen")
    core.sweep()
    assert {entry.source for entry in system.listing("new").items} == {"trending"}


def test_lists_have_the_length_that_is_set(make_system: MakeSystem) -> None:
    system = make_system(list=ListSettings(length=2))
    history(system)
    system.event("fay", "a")
    system.recommend().sweep()
    items = system.listing("fay").items
    assert len(items) == 2
    assert all(isinstance(entry, Entry) for entry in items)


def test_the_first_events_of_all_give_empty_lists_and_no_error(system: System) -> None:
    system.event("ann", "a")
    system.recommend().sweep()
    assert system.listed("ann") == []


def test_events_that_kafka_never_delivered_are_found_by_a_sweep(system: System) -> None:
    core = system.recommend()
    assert isinstance(system.log, MemoryLog)
    system.event("ann", "a", partition=0)
    skipped = system.event("ann", "b", partition=0)
    later = system.event("ann", "c", partition=0)
    core.apply([later])
    assert system.profile("ann").items == ["a", "b", "c"]
    assert core.positions.gaps == 1
    assert core.apply([skipped]).outcomes == {}
