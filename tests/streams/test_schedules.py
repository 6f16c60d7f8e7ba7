"""Thousands of bad days: random crashes, repeats, gaps, zombies and flushes, then a clean audit.

Two RECOMMEND and two LEARN cores over one log and one store own what they like, overlapping, and
are given what they like of it. hypothesis chooses, and shrinks what it finds.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from millstream.models.caps import CapParams
from millstream.models.event_set import ProfileParams
from millstream.streams.learn import LearnCore, Superseded
from millstream.streams.settings import LearnSettings, ModelSettings, WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.streams.conftest import FragileStore, MakeSystem, System

    from millstream.streams.audit import Audit
    from millstream.streams.log import Record

START_MS: Final = 1_700_000_000_000
RECOMMEND_FAILPOINTS: Final = ("recommend.published", "recommend.copied", "recommend.written")
ROUNDS_MAX: Final = 12
"""A copy of a copy comes a round later; four people's rings are told around long before this."""
LEARN_FAILPOINTS: Final = (
    "learn.before-frame",
    "learn.within-frame",
    "learn.after-frame",
    "snapshot.written",
)

workers = st.integers(0, 1)
nth = st.integers(1, 3)


class Schedule(RuleBasedStateMachine):
    """What happens to a system until hypothesis has had enough; then it must audit clean."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system
        self.sent: list[Record] = []
        self.recommends = [system.recommend(), system.recommend()]
        self.learners = [system.learn("l0"), system.learn("l1")]
        self.writers = 2
        self.dump: FragileStore | None = None
        self.hurt = False  # the store has forgotten, and workers may not have found out yet

    @rule(
        user=st.integers(0, 3),
        items=st.lists(st.integers(0, 8), min_size=1, max_size=4),
        role=st.sampled_from(["clicks", "views", "feedback"]),
        late_s=st.sampled_from([0, 0, 0, 1, 100, 10**8]),
    )
    def people_do_things(self, user: int, items: list[int], role: str, late_s: int) -> None:
        for item in items:
            fields: dict[str, Any] = {"ts": self.system.clock.ms - 1000 * late_s}
            if role == "feedback":
                fields["type"] = ("like", "dislike", "hide", "impression", "purchase")[item % 5]
            sent = self.system.event(f"u{user}", f"m{item}", role=role, **fields)
            self.sent.append(sent)

    @rule(guest=st.integers(0, 3), into=st.integers(0, 3), partition=workers)
    def a_guest_logs_in(self, guest: int, into: int, partition: int) -> None:
        """Whoever is whoever's guest, rings and oneself too, by any partition."""
        fields: dict[str, Any] = {"type": "merge", "into": f"u{into}", "partition": partition}
        self.sent.append(self.system.event(f"u{guest}", "-", role="feedback", **fields))

    @rule(n=st.integers(0, 10**6), partition=workers)
    def an_event_is_sent_again(self, n: int, partition: int) -> None:
        if self.sent:
            record = self.sent[n % len(self.sent)]
            role = "feedback" if record.topic == "feedback" else "clicks"
            if record.topic != "views":  # a click there would be a view here: other content
                self.system.raw(record.value, record.key, role, partition)

    @rule(partition=workers)
    def somebody_sends_rubbish(self, partition: int) -> None:
        self.system.raw(b'{"user": "u0"', b"u0", "clicks", partition)

    @rule(item=st.integers(0, 8), how=st.sampled_from(["hide", "show", "delete"]))
    def the_catalogue_changes(self, item: int, how: str) -> None:
        if how == "delete":
            self.system.item(f"m{item}")
        else:
            self.system.item(f"m{item}", hidden=how == "hide")

    @rule(worker=workers, skip=st.integers(0, 3), most=st.integers(1, 8), back=st.integers(0, 3))
    def records_are_delivered(self, worker: int, skip: int, most: int, back: int) -> None:
        core = self.recommends[worker]
        starts = {tp: max(at - back, 0) for tp, at in core.positions.owned().items()}
        core.apply(self.system.waiting(starts)[skip : skip + most])

    @rule(worker=workers)
    def a_worker_sweeps(self, worker: int) -> None:
        self.recommends[worker].sweep()

    @rule(worker=workers, name=st.sampled_from(RECOMMEND_FAILPOINTS), nth=nth)
    def a_worker_is_killed(self, worker: int, name: str, nth: int) -> None:
        self._killed(name, nth, self.recommends[worker].sweep)
        self.recommends[worker] = self.system.recommend()

    @rule(worker=workers, owned=st.sets(st.integers(0, 5)))
    def partitions_are_assigned_anew(self, worker: int, owned: set[int]) -> None:
        everything = self.system.partitions()
        self.recommends[worker].assign([everything[n] for n in sorted(owned)])

    @rule(
        worker=workers,
        name=st.sampled_from(RECOMMEND_FAILPOINTS),
        what=st.sampled_from(["the other works", "flush", "restore"]),
    )
    def something_happens_in_the_middle_of_a_batch(self, worker: int, name: str, what: str) -> None:
        # A store that forgets between a batch's writing and its progress, and still holds the
        # progress from before, is not found out: the compare-and-set sees what it expects.
        if what != "the other works":
            name = "recommend.published"
        happens: dict[str, Callable[[], object]] = {
            "the other works": self.recommends[1 - worker].sweep,
            "flush": self.the_store_is_flushed,
            "restore": self.the_store_is_restored,
        }
        self.system.failpoints.at(name, happens[what])
        self.recommends[worker].sweep()
        self.system.failpoints.disarm()

    @rule(worker=workers)
    def the_replica_is_fresh(self, worker: int) -> None:
        self.recommends[worker].replica.catch_up()

    @rule(learner=workers, most=st.integers(1, 8))
    def interactions_are_delivered(self, learner: int, most: int) -> None:
        start = self.learners[learner].model.offset
        self._learn(learner, lambda core: core.apply(self._interactions(start)[:most]))

    @rule(learner=workers)
    def a_learner_writes_a_snapshot(self, learner: int) -> None:
        self._learn(learner, lambda core: core.snapshot())

    @rule(learner=workers, name=st.sampled_from(LEARN_FAILPOINTS), nth=nth)
    def a_learner_is_killed(self, learner: int, name: str, nth: int) -> None:
        def work() -> None:
            core = self.learners[learner]
            for record in self._interactions(core.model.offset):
                self.system.clock.ms += 300
                core.apply([record])
            core.snapshot()

        try:
            self._killed(name, nth, work)
        except Superseded:
            self.system.failpoints.disarm()
        self._new_learner(learner)

    @rule()
    def the_store_is_dumped(self) -> None:
        self.dump = self.system.fragile.copy()

    @rule()
    def the_store_is_restored(self) -> None:
        if self.dump is not None:
            self.system.fragile.take_over(self.dump)
            self.hurt = True

    @rule()
    def the_store_is_flushed(self) -> None:
        self.system.fragile.flush()
        self.hurt = True

    @rule()
    def time_passes(self) -> None:
        self.system.clock.ms += 400

    @precondition(lambda self: not self.hurt)
    @rule()
    def somebody_audits(self) -> None:
        self._expect_clean()

    def teardown(self) -> None:
        self.system.failpoints.disarm()
        self.system.work("last-0")
        found = self._expect_clean()
        for n in range(1, ROUNDS_MAX):
            self.system.work(f"last-{n}")
            found = self._expect_clean()
            if not found.waiting:
                break
        assert found.waiting == 0, found.as_json()
        assert found.digests, "the last replicas have spoken"

    def _expect_clean(self) -> Audit:
        found = self.system.audit()
        assert found.clean, found.faults
        assert found.model_equal
        return found

    def _killed(self, name: str, nth: int, work: Callable[[], object]) -> None:
        self.system.failpoints.arm(name, nth)
        with suppress(self.system.failpoints.Crash):
            work()
        self.system.failpoints.disarm()

    def _interactions(self, start: int) -> list[Record]:
        return self.system.records("interactions")[start:]

    def _learn(self, learner: int, work: Callable[[LearnCore], None]) -> None:
        try:
            work(self.learners[learner])
        except Superseded:
            self._new_learner(learner)

    def _new_learner(self, learner: int) -> None:
        self.learners[learner] = self.system.learn(f"l{self.writers}")
        self.writers += 1


@pytest.mark.parametrize("narrow", [False, True], ids=["wide", "narrow"])
def test_every_schedule_of_faults_ends_in_a_clean_audit(
    make_system: MakeSystem, narrow: bool
) -> None:
    """Narrow: profiles and the model outgrow their bounds all the time."""

    def schedule() -> Schedule:
        worker, learn = WorkerSettings(batch_max=3), LearnSettings(frame_bytes_max=1000)
        if not narrow:
            return Schedule(make_system(worker=worker, learn=learn))
        return Schedule(
            make_system(
                worker=worker,
                learn=learn,
                profile=ProfileParams(events_max=4, seen_max=4, impressions_max=2),
                caps=CapParams(user_per_hour=6, item_per_user=2),
                model=ModelSettings(items_max=6, history_max=3),
            )
        )

    run_state_machine_as_test(
        schedule,  # type: ignore[arg-type]  # any callable will do
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
