"""The LEARN worker: one owner of the interactions, standbys in the same group."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from millstream.exporters.health import Health
from millstream.exporters.metrics import WorkerMetrics
from millstream.streams.learn import LearnCore, Learnt
from millstream.streams.log import Log, Record
from millstream.streams.patience import Patience
from millstream.streams.positions import Partition
from millstream.streams.settings import Settings
from millstream.streams.shared_lists import SharedLists

SWEEP_AFTER_S = 3.0
STALLED_S = 60.0

logger = logging.getLogger("millstream")


class LearnJob:
    """Owns a `LearnCore` while it owns the partition; each ownership begins with a new one."""

    name = "learn"
    heavy = False

    def __init__(
        self,
        settings: Settings,
        log: Log,
        new_core: Callable[[], LearnCore],
        shared: SharedLists,
        patience: Patience,
        metrics: WorkerMetrics,
        clock_ms: Callable[[], int],
    ) -> None:
        self._topic = settings.topics.name("interactions")
        self.topics = [self._topic]
        self._log = log
        self._new_core = new_core
        self._shared = shared
        self._patience = patience
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._core: LearnCore | None = None
        self._assigned = False
        self._told = Learnt()
        self._was = -1
        self._moved_at = time.monotonic()

    def open(self) -> None:
        """Open what the shared lists need."""
        self._patience.call(self._shared.open)

    def assign(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Become the owner, or a standby when nothing is given."""
        owned = list(partitions)
        self._assigned = True
        if not owned:
            self._core = None
            logger.info("learn is a standby")
            return {}
        if self._core is not None and self._core.is_last_writer():
            return dict.fromkeys(owned, self._core.model.offset)
        self._core = self._new_core()
        self._told = Learnt()
        offset = self._core.begin()
        self._moved_at = time.monotonic()
        logger.info("learn owns the item model from interaction %d on", offset)
        return dict.fromkeys(owned, offset)

    def revoke(self) -> None:
        """Emit nothing until the partition is ours again: another owner may write frames."""
        self._assigned = False

    def apply(self, records: Sequence[Record]) -> None:
        """Fold records."""
        if self._core is not None and self._assigned:
            self._core.apply(records)
            self._tell(self._core)

    def idle(self) -> None:
        """Emit what is pending, and refresh the lists that everybody shares."""
        if self._core is not None and self._assigned:
            self._core.tick()
            self._shared.tick(self._core.model)
            self._tell(self._core)

    def check(self) -> None:
        """Measure lag and read what nobody delivered. Raises RuntimeError when stalled."""
        core = self._core
        if core is None or not self._assigned:
            return
        _, end = self._patience.call(lambda: self._log.bounds(self._topic, 0))
        lag, now = max(end - core.model.offset, 0), time.monotonic()
        self._metrics.lag("interactions", lag)
        if core.model.offset != self._was or not lag:
            self._was, self._moved_at = core.model.offset, now
        elif now - self._moved_at > STALLED_S:
            raise RuntimeError(f"{lag} interactions wait and none was folded for 60 s")
        elif now - self._moved_at > SWEEP_AFTER_S:
            core.sweep()
        self._shared.tick(core.model)
        self._tell(core)

    def health(self) -> Health:
        """Ready as an owner, or as a standby that has joined the group."""
        why = self._patience.waiting_for or ("" if self._assigned else "waiting for partitions")
        core = self._core
        role = (
            {"role": "standby"} if core is None else {"role": "owner", "model": core.model.offset}
        )
        return Health(True, not why, why, role)

    def close(self) -> None:
        """Emit what is pending and write a snapshot, so that the next start is quick."""
        try:
            if self._core is not None and self._assigned:
                self._core.snapshot()
        finally:
            self._shared.close()

    def _tell(self, core: LearnCore) -> None:
        new, self._told = core.learnt.since(self._told), replace(core.learnt)
        metrics = self._metrics
        metrics.interactions("learnt", new.learnt)
        metrics.interactions("weightless", new.weightless)
        metrics.interactions("repeat", new.repeats)
        metrics.interactions("unreadable", new.unreadable)
        metrics.described(new.described)
        metrics.frames("emitted", new.frames)
        metrics.removed(new.removed)
        metrics.snapshots("written", new.snapshots)
        metrics.snapshots("failed", new.snapshots_failed)
        metrics.drifts("better", new.drifts_better)
        metrics.drifts("worse", new.drifts_worse)
        if core.quality.choices:
            for by, ratio in core.quality.hit_ratios().items():
                metrics.hit_ratio(by, ratio)
        metrics.learner_offset(core.model.offset)
        metrics.catalogue("known", len(core.model.rows))
