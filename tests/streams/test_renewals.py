"""Old lists are made again in idle time, and never at the cost of live events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from millstream.streams.renewals import AT_ONCE
from millstream.streams.settings import ListSettings

if TYPE_CHECKING:
    from tests.streams.conftest import MakeSystem, System

    from millstream.streams.recommend_job import RecommendJob

HOUR_MS = 3_600_000


def opened(system: System, worker: str = "w") -> RecommendJob:
    job = system.assembly(worker).recommend()
    job.open()
    job.assign(system.partitions())
    return job


def town(system: System, prefix: str = "") -> None:
    """What four people did; let the item model learn it."""
    for user, items in {"x": "abcd", "y": "abe", "z": "bcd", "w": "ace"}.items():
        for item in items:
            system.event(user, prefix + item)
    system.work()


def renewed(job: RecommendJob) -> float:
    value = job._metrics.registry.get_sample_value("millstream_lists_renewed_total")
    assert value is not None
    return value


def idle(job: RecommendJob, ticks: int = 10) -> None:
    for _ in range(ticks):
        job.idle()


def clean(system: System) -> None:
    found = system.audit()
    assert found.clean, found.faults


def test_somebody_who_does_nothing_gets_a_list_of_what_the_model_learnt_since(
    system: System,
) -> None:
    town(system)
    job = opened(system)
    job.apply([system.event("ann", "a")])
    before, profile = system.listing("ann"), system.store.profiles(["ann"])
    idle(job)
    assert system.listing("ann") == before, "it is not old yet"
    for user in ("p", "q", "r"):
        for item in "az":
            system.event(user, item)
    job.apply(system.waiting(dict(job._core.positions.owned())))
    system.work("learner")
    system.clock.ms += HOUR_MS
    idle(job)
    after = system.listing("ann")
    assert "z" in system.listed("ann")
    assert "z" not in {entry.item for entry in before.items}
    assert after.made_at >= before.made_at + HOUR_MS
    assert after.model > before.model
    assert system.store.profiles(["ann"]) == profile, "the profile is left as it was"
    clean(system)
    idle(job)
    assert system.listing("ann") == after


def test_a_list_made_when_nothing_was_known_is_made_again_soon(system: System) -> None:
    job = opened(system)
    job.apply([system.event("ann", "a"), system.event("bob", "b")])
    assert system.listed("ann") == []
    idle(job)
    assert renewed(job) == 0
    learner = system.learn()
    learner.sweep()
    system.clock.ms += 2_000
    learner.tick()
    idle(job)
    assert system.listed("ann") == ["b"]
    assert renewed(job) == 2
    clean(system)


def test_by_setting_only_events_make_lists(make_system: MakeSystem) -> None:
    system = make_system(list=ListSettings(renew_after_s=0))
    job = opened(system)
    job.apply([system.event("ann", "a")])
    town(system)
    system.clock.ms += 100 * HOUR_MS
    idle(job)
    assert renewed(job) == 0


def test_while_events_wait_no_list_is_renewed(system: System) -> None:
    town(system)
    job = opened(system)
    job.apply([system.event("ann", "a")])
    before = system.listing("ann")
    system.clock.ms += 2 * HOUR_MS
    waiting = system.event("bob", "b")
    idle(job)
    assert system.listing("ann") == before
    job.apply([waiting])
    job.idle()
    assert system.listing("ann") == before, "events have only just come"
    job.idle()
    assert system.listing("ann") != before


def test_an_event_that_comes_in_between_ends_the_tick(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    town(system)
    job = opened(system)
    job.apply([system.event(f"u{n:02d}", "a") for n in range(20)])
    system.clock.ms += 2 * HOUR_MS
    write = system.store.write_users

    def write_and_hear(writes: list[object]) -> list[bool]:
        system.event("live", "b")
        return write(writes)  # type: ignore[arg-type]

    job.idle()
    monkeypatch.setattr(system.store, "write_users", write_and_hear)
    job.idle()
    assert renewed(job) == AT_ONCE
    fresh = [n for n in range(20) if system.listing(f"u{n:02d}").made_at == system.clock.ms - 10]
    assert fresh == list(range(20 - AT_ONCE, 20)), "the most recently active came first"


def test_a_tick_is_bounded_and_the_next_goes_on(system: System) -> None:
    town(system)
    job = opened(system)
    for n in range(50):
        job.apply([system.event(f"u{n:02d}", "a")])
    system.clock.ms += 2 * HOUR_MS
    idle(job, 2)
    first = renewed(job)
    assert 0 < first < 50
    idle(job, 10)
    assert renewed(job) >= 50
    clean(system)


def test_a_profile_that_changed_meanwhile_keeps_its_newer_list(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    town(system)
    job, other = opened(system), system.recommend([])
    job.apply([system.event("ann", "a")])
    system.clock.ms += 2 * HOUR_MS
    renewals = job._core.renewals
    make = renewals._maker.make

    def make_late(*given: object) -> list[bytes]:
        made = make(*given)  # type: ignore[arg-type]
        system.event("ann", "b")
        other.assign(system.partitions())
        other.sweep()
        return made

    monkeypatch.setattr(renewals._maker, "make", make_late)
    assert renewals.renew() == 0
    assert system.profile("ann").items == ["a", "b"]
    assert "b" not in system.listed("ann")
    clean(system)


def test_who_was_active_before_this_worker_came_is_found_in_the_log(system: System) -> None:
    town(system)
    system.event("ann", "a")
    system.work("before")
    listing = system.listing("ann")
    job = opened(system, "after")
    idle(job)
    assert renewed(job) == 0, "their lists are young"
    assert len(job._core.renewals.ring) == 5
    system.clock.ms += 2 * HOUR_MS
    idle(job)
    assert renewed(job) == 5
    assert system.listing("ann").id != listing.id
    clean(system)


def test_an_evicted_profile_is_not_made_up(system: System) -> None:
    town(system)
    job = opened(system)
    job.apply([system.event("ann", "a"), system.event("bob", "a")])
    system.fragile.lose_user("ann")
    system.clock.ms += 2 * HOUR_MS
    idle(job)
    assert system.store.profiles(["ann"]) == [None]
    assert system.listing("bob").made_at == system.clock.ms


def test_who_left_a_month_ago_is_left_alone(system: System) -> None:
    town(system)
    job = opened(system)
    job.apply([system.event("ann", "a")])
    system.clock.ms += 31 * 24 * HOUR_MS
    idle(job)
    assert renewed(job) == 0


def test_after_a_revocation_nothing_is_renewed(system: System) -> None:
    town(system)
    job = opened(system)
    job.apply([system.event("ann", "a")])
    system.clock.ms += 2 * HOUR_MS
    job.revoke()
    idle(job)
    assert renewed(job) == 0
