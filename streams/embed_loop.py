"""The thread that embeds: apart from the one that hides and shows items, so neither waits."""

import logging
import threading
import time
from collections.abc import Iterable
from typing import Final

from millstream.exporters.metrics import WorkerMetrics
from millstream.streams.embed import Embedder
from millstream.streams.embed_counts import EmbedCounts
from millstream.streams.patience import Stopped
from millstream.streams.positions import Partition

POLL_S: Final = 0.2
BEHIND_EVERY_S: Final = 2.0
CLOSE_S: Final = 10.0

logger = logging.getLogger("millstream")


class EmbedLoop:
    """Runs an `Embedder` from `start` to `close`. What it raises, `check` raises again."""

    def __init__(
        self, embedder: Embedder, metrics: WorkerMetrics, stopping: threading.Event
    ) -> None:
        self._embedder = embedder
        self._metrics = metrics
        self._stopping = stopping
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="embed", daemon=True)
        self._fault: Exception | None = None
        self.behind = 0

    @property
    def old(self) -> int:
        """Return how many items have vectors of an older encoder."""
        return self._embedder.old

    def start(self) -> None:
        """Begin; there is nothing to do before `assign`."""
        self._thread.start()

    def assign(self, partitions: Iterable[Partition]) -> None:
        """Own these partitions of `items` from now on."""
        self._embedder.assign(partitions)

    def check(self) -> None:
        """Raise what ended the thread, if it has ended by itself."""
        if self._fault is not None:
            raise self._fault

    def close(self) -> None:
        """End the thread; a batch under way is given a moment, and done again by the next owner."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            self._work()
        except Stopped:
            pass
        except Exception as fault:
            self._fault = fault
            logger.exception("embedding ends: a fault nobody foresaw")
        finally:
            self._embedder.close()

    def _work(self) -> None:
        look_at = 0.0
        while not (self._closing.is_set() or self._stopping.is_set()):
            if not self._embedder.step(POLL_S):
                self._closing.wait(POLL_S / 4)
            self._tell()
            if time.monotonic() >= look_at:
                self.behind = self._embedder.behind()
                self._metrics.lag("items", self.behind)
                self._metrics.embeddings_old(self._embedder.old)
                look_at = time.monotonic() + BEHIND_EVERY_S

    def _tell(self) -> None:
        counts, self._embedder.counts = self._embedder.counts, EmbedCounts()
        for (modality, outcome), n in counts.outcomes.items():
            self._metrics.embeddings(modality, outcome, n)
        for reason, n in counts.failures.items():
            self._metrics.media_rejects(reason, n)
        for stage, seconds in counts.seconds:
            self._metrics.embed_seconds(stage, seconds)
