"""The RECOMMEND worker between its batches: what is idle is swept, what stalls is loud."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from millstream.streams.recommend_job import STALLED_S, SWEEP_AFTER_S, Digest

if TYPE_CHECKING:
    from tests.streams.conftest import System

    from millstream.streams.recommend_job import RecommendJob


def opened(system: System, worker: str = "w") -> RecommendJob:
    job = system.assembly(worker).recommend()
    job.open()
    job.assign(system.partitions())
    return job


def check_after(job: RecommendJob, system: System, seconds: float) -> None:
    system.clock.ms += round(1000 * seconds)
    job.check()


def test_an_idle_partition_is_swept_while_another_is_busy(system: System) -> None:
    job = opened(system)
    job.check()
    system.event("ann", "a", partition=0)  # never delivered
    for n in range(4):
        job.apply([system.event("bob", f"m{n}", partition=1)])
        check_after(job, system, SWEEP_AFTER_S / 3)
    assert system.profile("ann").items == ["a"]


def test_after_a_flush_every_partition_is_read_again_without_new_events(system: System) -> None:
    job = opened(system)
    job.apply([system.event("ann", "a", partition=0), system.event("bob", "b", partition=1)])
    system.fragile.flush()
    job.apply([system.event("bob", "c", partition=1)])
    for _ in range(3):
        check_after(job, system, SWEEP_AFTER_S + 1)
    assert system.profile("ann").items == ["a"]
    assert system.profile("bob").items == ["b", "c"]


def test_what_is_delivered_slowly_is_not_swept(system: System) -> None:
    job = opened(system)
    job.check()
    system.event("ann", "a")
    for _ in range(2):
        check_after(job, system, SWEEP_AFTER_S / 2 - 1)
    assert system.store.profiles(["ann"]) == [None]


def test_a_worker_whose_events_wait_for_a_minute_ends(system: System) -> None:
    job = opened(system)
    system.event("ann", "a")
    job.check()
    with pytest.raises(RuntimeError, match="1 events wait and none was applied"):
        check_after(job, system, STALLED_S + 1)


def test_readiness_says_what_is_missing_until_all_is_there(system: System) -> None:
    event = system.event("ann", "a")
    job = system.assembly().recommend()
    assert not job.health().ready
    job.open()
    assert job.health().why == "waiting for partitions"
    job.assign(system.partitions())
    assert job.health().why == "recovering events"
    job.apply([event])
    job.check()
    assert job.health().ready


def test_the_digest_of_the_replica_is_published_for_the_audit(system: System) -> None:
    system.event("ann", "a")
    system.work("first")
    job = opened(system, "second")
    job.check()
    said = {w: msgspec.json.decode(v, type=Digest) for w, v in system.store.digests().items()}
    assert said["first"].model == said["second"].model == 1
    assert said["first"].digest == said["second"].digest
    assert said["second"].settings == system.settings.shape_hash()
    assert system.audit().digests == 3, "both replicas and the chain of frames"
