"""The RECOMMEND worker: a `RecommendCore` with its replica, lag, health and metrics."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from millstream.exporters.health import Health
from millstream.exporters.metrics import WorkerMetrics
from millstream.exporters.store import Store
from millstream.streams.batch_report import Report
from millstream.streams.log import Log, Record
from millstream.streams.patience import Patience
from millstream.streams.positions import Partition
from millstream.streams.recommend import RecommendCore
from millstream.streams.replica import Replica
from millstream.streams.settings import EVENT_ROLES, Settings

STALLED_S = 60.0
SWEEP_AFTER_S = 10.0
"""Under load a consumer hands over a megabyte of one partition while the others wait their turn."""
RENEWALS_A_TICK = 4
"""Steps of a few lists each; whether events wait is asked before every one."""
DIGEST_SHARE = 0.01
"""Share of a core that digests may cost; a large model is digested less often."""

logger = logging.getLogger("millstream")


class Digest(msgspec.Struct, frozen=True):
    """What a replica says of its model: audit holds it against its own fold at that offset."""

    model: int
    digest: str
    settings: str


class RecommendJob:
    """Hosts a core: what is due between batches, and what is said of it."""

    name = "recommend"
    heavy = False

    def __init__(
        self,
        settings: Settings,
        log: Log,
        store: Store,
        core: RecommendCore,
        patience: Patience,
        metrics: WorkerMetrics,
        worker: str,
        clock_ms: Callable[[], int],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock_s` is what standing still is measured by; it need not be the time of day."""
        self.topics = [settings.topics.name(role) for role in EVENT_ROLES]
        self._roles = dict(zip(self.topics, EVENT_ROLES, strict=True))
        self._log = log
        self._store = store
        self._core = core
        self._patience = patience
        self._metrics = metrics
        self._worker = worker
        self._clock_ms = clock_ms
        self._clock_s = clock_s
        self._settings_hash = settings.shape_hash()
        self._assigned = False
        self._recovering: dict[Partition, int] = {}  # log ends at assignment, until reached
        self._moved_at = self._clock_s()
        self._was: dict[Partition, int] = {}
        self._stands: dict[Partition, float] = {}  # since when a partition has not moved
        self._digest_at = 0.0
        self._digested = -1
        self._seen = {"applied": 0, "dropped": 0, "gaps": 0, "removed": 0, "hits": 0, "misses": 0}
        self._quiet = False  # no records have come since the last idle moment

    @property
    def _replica(self) -> Replica:
        return self._core.replica

    def open(self) -> None:
        """Load the model and catch up with the frames that are there."""
        self._patience.call(self._replica.open)
        while not self._replica.caught_up() and not self._replica.broken:
            self._patience.call(lambda: self._replica.catch_up(0.1))

    def assign(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Own exactly these partitions; return where each goes on."""
        begins = self._core.assign(partitions)
        ends = self._patience.call(lambda: self._log.bounds_of(begins))
        self._recovering = {tp: end for tp, (_, end) in ends.items() if end > begins[tp]}
        self._assigned = True
        self._was = {}
        self._moved_at = self._clock_s()
        logger.info("recommend owns %d partitions", len(begins))
        return begins

    def revoke(self) -> None:
        """Wait for the next assignment; late writes of ours would merge or be refused."""
        self._assigned = False

    def apply(self, records: Sequence[Record]) -> None:
        """Apply records and count what became of them."""
        self._quiet = False
        started_ms = self._clock_ms()
        self._tell(self._core.apply(records))
        newest = max((r.timestamp_ms for r in records), default=started_ms)
        self._metrics.list_latency("queue", max(started_ms - newest, 0) / 1000)

    def idle(self) -> None:
        """Keep the model fresh, and the lists of those for whom no events come."""
        self._patience.call(self._replica.catch_up)
        if self._quiet and self._assigned:
            self._renew()
        self._quiet = True
        self._count_replica()

    def check(self) -> None:
        """Measure lag, read what nobody delivered, publish the model's digest.

        Raises RuntimeError when events wait and none has been applied for a minute.
        """
        owned = dict(self._core.positions.owned())
        ends = self._patience.call(lambda: self._log.bounds_of(owned))
        lags = {tp: max(ends[tp][1] - offset, 0) for tp, offset in owned.items()}
        for topic, role in self._roles.items():
            self._metrics.lag(role, sum(n for (name, _), n in lags.items() if name == topic))
        self._recovering = {
            tp: end for tp, end in self._recovering.items() if owned.get(tp, end) < end
        }
        now = self._clock_s()
        if owned != self._was or not any(lags.values()):
            self._moved_at = now
        elif now - self._moved_at > STALLED_S:
            raise RuntimeError(f"{sum(lags.values())} events wait and none was applied for 60 s")
        for tp, offset in owned.items():
            if not lags[tp] or self._was.get(tp) != offset:
                self._stands[tp] = now
        self._was = owned
        # By partition: what is missing in an idle one does not wait until the busy ones rest.
        idle = [tp for tp in owned if now - self._stands[tp] > SWEEP_AFTER_S]
        if idle and self._assigned:
            self._tell(self._core.sweep(idle))
        self._count_replica()
        self._write_digest()

    def health(self) -> Health:
        """Ready when assigned, recovered, with a whole model, and nothing is away."""
        why = (
            self._patience.waiting_for
            or self._replica.broken
            or ("waiting for partitions" if not self._assigned else "")
            or ("recovering events" if self._recovering else "")
            or ("" if self._replica.caught_up() else "recovering the item model")
        )
        return Health(True, not why, why, {"model": self._replica.model.offset})

    def close(self) -> None:
        """Publish a last digest and let go."""
        self._digest_at = 0.0
        try:
            self._write_digest()
        finally:
            self._core.renewals.close()
            self._replica.close()

    def _renew(self) -> None:
        """Make old lists again, as long as no events wait."""
        renewals = self._core.renewals
        for _ in range(RENEWALS_A_TICK):
            if not renewals.due():
                renewals.look_back()
                return
            if self._events_wait():
                return
            self._metrics.lists_renewed(renewals.renew())

    def _events_wait(self) -> bool:
        owned = self._core.positions.owned()
        ends = self._patience.call(lambda: self._log.bounds_of(owned))
        return any(ends[tp][1] > offset for tp, offset in owned.items())

    def _write_digest(self) -> None:
        model = self._replica.model
        started = self._clock_s()
        if model.offset == self._digested or started < self._digest_at or self._replica.broken:
            return
        digest = Digest(model.offset, model.digest(), self._settings_hash)
        took = self._clock_s() - started
        value = msgspec.json.encode(digest)
        self._patience.call(lambda: self._store.write_digest(self._worker, value))
        self._digested = model.offset
        self._digest_at = started + took / DIGEST_SHARE

    def _tell(self, report: Report) -> None:
        metrics = self._metrics
        for (type_, outcome), n in report.outcomes.items():
            metrics.events(type_, outcome, n)
        for reason, n in report.rejects.items():
            metrics.rejects(reason, n)
        for size in report.batches:
            metrics.batch_size(size)
        for stage, seconds in report.seconds.items():
            metrics.list_latency(stage, seconds)
        metrics.list_latencies("total", [max(seconds, 0.0) for seconds in report.waits_s])
        metrics.lists_written(report.lists)
        metrics.conflicts(report.conflicts)
        metrics.progress_moved(report.progress_moved)
        if report.lists:
            metrics.profile_bytes(report.profile_bytes / report.lists, report.lists)
        self._count_replica()

    def _count_replica(self) -> None:
        replica, positions, cache = self._replica, self._core.positions, self._core.cache
        now = {
            "applied": replica.applied,
            "dropped": replica.dropped,
            "gaps": positions.gaps,
            "removed": positions.removed,
            "hits": cache.hits,
            "misses": cache.misses,
        }
        new = {name: value - self._seen[name] for name, value in now.items()}
        self._seen = now
        metrics = self._metrics
        metrics.frames("applied", new["applied"])
        metrics.frames("dropped", new["dropped"])
        metrics.gaps(new["gaps"])
        metrics.removed(new["removed"])
        metrics.cache(new["hits"], new["misses"])
        metrics.model_offset(replica.model.offset)
        if replica.model.newest_ts:
            metrics.model_age(max(self._clock_ms() - replica.model.newest_ts, 0) / 1000)
