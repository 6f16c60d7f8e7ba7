"""Hosts jobs over any log by group-less followers: what `--embedded` runs instead of Faust.

The jobs and their cores are the very same. One owner a job: without Kafka there are no groups.
"""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

from millstream.streams.job import Job
from millstream.streams.log import Log
from millstream.streams.patience import Stopped
from millstream.streams.settings import Settings

CHECK_EVERY_S: Final = 2.0

logger = logging.getLogger("millstream")


class MemoryHost:
    """Runs each job in a thread until `stop`; a job that raises stops all, `fault` says why."""

    def __init__(
        self, settings: Settings, log: Log, jobs: Sequence[Job], stopping: threading.Event
    ) -> None:
        """`stopping` is what the jobs' own waits give up on; it ends the host too."""
        self._settings = settings
        self._log = log
        self._stopping = stopping
        self._threads = [
            threading.Thread(target=self._run, args=(job,), name=job.name, daemon=True)
            for job in jobs
        ]
        self.fault: Exception | None = None

    def start(self) -> None:
        """Start every job."""
        for thread in self._threads:
            thread.start()

    def check(self) -> None:
        """Raise what ended a job, if one has ended by itself."""
        if self.fault is not None:
            raise self.fault

    def stop(self, timeout_s: float = 20.0) -> None:
        """End every job and wait for it to close."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout_s)

    def _run(self, job: Job) -> None:
        try:
            self._work(job)
        except Stopped:
            pass
        except Exception as fault:
            self.fault = fault
            self._stopping.set()
            logger.exception("the %s job ends: a fault nobody foresaw", job.name)

    def _work(self, job: Job) -> None:
        job.open()
        partitions = [(t, p) for t in job.topics for p in range(self._log.partitions(t))]
        follower = self._log.follow(job.assign(partitions))
        batch = self._settings.worker.batch_max
        wait_s = self._settings.learn.frame_interval_ms / 1000
        check_at = time.monotonic() + CHECK_EVERY_S
        idle_at = time.monotonic() + wait_s
        try:
            while not self._stopping.is_set():
                records = follower.poll(wait_s, batch)
                if records:
                    job.apply(records)
                now = time.monotonic()
                if not records or now >= idle_at:
                    job.idle()
                    idle_at = now + wait_s
                if now >= check_at:
                    job.check()
                    check_at = now + CHECK_EVERY_S
            job.close()
        finally:
            follower.close()
