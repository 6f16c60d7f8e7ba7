"""What a demonstration runs on: a stack and worker processes, or the same cores in memory."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry

from millstream.exporters.memory_store import MemoryStore
from millstream.exporters.metrics import WorkerMetrics
from millstream.exporters.store import Store
from millstream.streams.assembly import Assembly, new_snapshots, warm_up
from millstream.streams.demo import Alive
from millstream.streams.encoders.choose import open_usable
from millstream.streams.errors import FoundWrong
from millstream.streams.host_memory import MemoryHost
from millstream.streams.job import Job
from millstream.streams.log import Log
from millstream.streams.memory_log import MemoryLog
from millstream.streams.processes import last_words
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import as_environment, cache_dir
from millstream.streams.snapshots import Snapshots
from millstream.streams.stack import Stack
from millstream.streams.topics import ensure_topics
from millstream.streams.worker import WORKERS, end_processes
from millstream.streams.world import addresses, open_log, open_store

Say = Callable[[str], None]
EMBEDDED: Final = "embedded"


@dataclass(frozen=True, slots=True)
class World:
    """A log, a store, workers at work on them, and what they are called."""

    settings: Settings
    log: Log
    store: Store
    snapshots: Snapshots
    workers: Alive
    kafka: str
    redis: str


@contextmanager
def embedded_world(settings: Settings, say: Say) -> Iterator[World]:
    """Give the cores in this process, over a log and a store in memory, and end them after."""
    say("embedded: no Kafka, no Redis; the same cores over a log and a store in memory")
    log, store = MemoryLog(), MemoryStore()
    ensure_topics(log, settings)
    warm_up(settings)
    metrics = WorkerMetrics(CollectorRegistry())
    with tempfile.TemporaryDirectory(prefix="millstream-embedded-") as folder:
        snapshots = Snapshots(Path(folder), settings.learn.snapshots_kept)
        assembly = Assembly(
            settings,
            log,
            store,
            metrics,
            EMBEDDED,
            say,
            snapshots=snapshots,
            encoders=open_usable(settings, cache_dir()),
        )
        jobs: list[Job] = [assembly.recommend(), assembly.learn(), assembly.encode()]
        host = MemoryHost(settings, log, jobs, assembly.stopping)
        host.start()
        try:
            yield World(settings, log, store, snapshots, host, EMBEDDED, EMBEDDED)
        finally:
            host.stop()


@contextmanager
def real_world(settings: Settings, say: Say) -> Iterator[World]:
    """Give real Kafka and Redis with workers in processes; what was started here is ended after."""
    stack: Stack | None = None
    given = addresses(settings)
    if given.kafka is None or given.redis is None:
        stack = Stack(settings.data_path, cache_dir())
        say(f"starting Kafka and Redis in {settings.data_path}")
        stack.start(say)
    try:
        given = addresses(settings)
        settings = msgspec.structs.replace(
            settings,
            kafka=msgspec.structs.replace(settings.kafka, bootstrap=given.kafka or ""),
            redis=msgspec.structs.replace(settings.redis, url=given.redis or ""),
        )
        log, store = open_log(settings), open_store(settings)
        try:
            ensure_topics(log, settings)
            with _worker_processes(settings, say) as workers:
                local = Stack(settings.data_path, cache_dir()).status()
                ours = local.kafka == settings.kafka.bootstrap
                kafka = local.versions.get("kafka", "") if ours else settings.kafka.bootstrap
                yield World(
                    settings, log, store, new_snapshots(settings), workers, kafka, store.version()
                )
        finally:
            store.close()
            log.close()
    finally:
        if stack is not None:
            stack.stop(say)


@dataclass(frozen=True, slots=True)
class _Processes:
    processes: "list[subprocess.Popen[bytes]]"
    settings: Settings

    def check(self) -> None:
        """Raise FoundWrong when a worker has ended."""
        for name, process in zip(WORKERS, self.processes, strict=True):
            if process.poll() is not None:
                said = last_words(self.settings.data_path / "logs" / f"worker-{name}.log")
                raise FoundWrong(f"the {name} worker has ended: {said}")


@contextmanager
def _worker_processes(settings: Settings, say: Say) -> Iterator[_Processes]:
    logs = settings.data_path / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **as_environment(settings)}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for name in WORKERS:
            with (logs / f"worker-{name}.log").open("wb") as said:
                command = [sys.executable, "-m", "millstream.streams", "worker", name]
                processes.append(
                    subprocess.Popen(
                        command,
                        env=environment,
                        stdout=said,
                        stderr=said,
                        start_new_session=True,
                    )
                )
        say(f"started the workers; what they say is in {logs}")
        yield _Processes(processes, settings)
    finally:
        end_processes(processes)
