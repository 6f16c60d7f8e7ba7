"""A real Kafka, a real Redis and real workers, begun for one measurement and ended after it."""

import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from benchmarks.processes import Reading, is_ready, monotonic_s, scrape, usage_of
from millstream.exporters.store import Store
from millstream.streams.datasets import EventTable
from millstream.streams.log import Log
from millstream.streams.patience import Patience, Stopped
from millstream.streams.processes import free_port, last_words
from millstream.streams.replay import Replay
from millstream.streams.settings import EVENT_ROLES, Settings
from millstream.streams.settings_reader import Flag, as_environment, cache_dir, load_settings
from millstream.streams.stack import Stack
from millstream.streams.topics import ensure_topics
from millstream.streams.worker import WorkerName, end_processes
from millstream.streams.world import open_log, open_store

READY_S: Final = 120.0
QUIET_S: Final = 900.0
AWAY_S: Final = 30.0

Result = TypeVar("Result")


class BenchmarkFailed(Exception):
    """Something was waited for in vain; the sentence says what."""


def say(sentence: str) -> None:
    """Tell the person who measures, on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def patiently(attempt: Callable[[], Result], away_s: float = AWAY_S) -> Result:
    """Return what `attempt` returns, tried again while a server is away, for `away_s` at most."""
    stop = threading.Event()
    budget = threading.Timer(away_s, stop.set)

    def away(sentence: str) -> None:
        say(sentence)
        budget.start()

    try:
        return Patience(stop, away).call(attempt)
    except Stopped as error:
        raise BenchmarkFailed(f"away for {away_s:.0f} s: {error.__cause__}") from error
    finally:
        budget.cancel()


@dataclass(frozen=True, slots=True)
class Servers:
    """Where Kafka and Redis are, a folder, and the pids of those that were begun here."""

    kafka: str
    redis: str
    folder: Path
    pids: dict[str, int]


@contextmanager
def servers(kafka: str | None, redis: str | None) -> Iterator[Servers]:
    """Give a stack of one's own in a temporary folder, or the servers that are given."""
    with tempfile.TemporaryDirectory(prefix="millstream-benchmark-") as name:
        folder = Path(name)
        if kafka and redis:
            yield Servers(kafka, redis, folder, {})
            return
        stack = Stack(folder, cache_dir())
        try:
            status = stack.start(say)
            yield Servers(str(status.kafka), str(status.redis), folder, status.pids)
        finally:
            stack.stop(say)


@dataclass(slots=True)
class Rig:
    """Topics and keys that nobody else uses, and the workers that run on them."""

    settings: Settings
    log: Log
    store: Store
    folder: Path
    pids: dict[str, int]
    _workers: dict[WorkerName, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    _ports: dict[WorkerName, int] = field(default_factory=dict)

    def start(self, name: WorkerName) -> None:
        """Start a worker, as `millstream worker NAME`; it is not waited for."""
        port = free_port(0, list(self._ports.values()))
        changes = {"MILLSTREAM_METRICS_PORT": str(port)}
        environment = {**os.environ, **as_environment(self.settings), **changes}
        with self._said(name).open("ab") as said:
            self._workers[name] = subprocess.Popen(
                [sys.executable, "-m", "millstream.streams", "worker", name],
                env=environment,
                stdout=said,
                stderr=said,
            )
        self._ports[name] = port
        self.pids[name] = self._workers[name].pid

    def stop(self, *names: WorkerName) -> None:
        """End workers by SIGTERM, all of them when none is named."""
        ended = names or tuple(self._workers)
        end_processes([self._workers.pop(name) for name in ended])
        for name in ended:
            del self.pids[name], self._ports[name]

    def await_ready(self, *names: WorkerName) -> None:
        """Wait until workers answer /readyz."""
        ports = [self._ports[name] for name in names]
        self.wait(lambda: all(is_ready(port) for port in ports), "workers to be ready", READY_S)

    def publish(self, table: EventTable) -> None:
        """Publish events at full speed, as `millstream replay` does."""
        Replay(self.log, self.settings, f"b-{secrets.token_hex(4)}").publish(table)

    def ends(self) -> int:
        """Return how many records the event topics hold."""
        topics = [self.settings.topics.name(role) for role in EVENT_ROLES]
        partitions = range(self.settings.topics.event_partitions)
        return sum(self.log.bounds(topic, p)[1] for topic in topics for p in partitions)

    def applied(self) -> int:
        """Return how many of them are applied, by the progress in Redis."""
        return sum(self.store.progress("recommend").values())

    def settle(self) -> None:
        """Wait until every event is applied and every interaction learnt."""
        events = self.ends()
        self.wait(lambda: self.applied() >= events, "events to be applied", QUIET_S)
        _, interactions = self.log.bounds(self.settings.topics.name("interactions"), 0)
        self.wait(lambda: self._learnt() >= interactions, "interactions to be learnt", QUIET_S)

    def reading(self) -> Reading:
        """Return what every process has used and what the workers count, as of now."""
        metrics = {name: scrape(port) for name, port in self._ports.items()}
        usage = {name: usage_of(pid) for name, pid in self.pids.items()}
        return Reading(monotonic_s(), usage, metrics["recommend"], metrics["learn"])

    def wait(self, done: Callable[[], bool], what: str, most_s: float) -> None:
        """Return when it is done; raises BenchmarkFailed when a worker ends or time is up."""
        until = time.monotonic() + most_s
        while not done():
            self.check()
            if time.monotonic() > until:
                raise BenchmarkFailed(f"waited {most_s:.0f} s for {what}")
            time.sleep(0.05)

    def check(self) -> None:
        """Raise BenchmarkFailed when a worker has ended: what is measured without it is nothing."""
        for name, process in self._workers.items():
            if process.poll() is not None:
                said = last_words(self._said(name))
                raise BenchmarkFailed(f"{name} has ended ({process.returncode}): {said}")

    def _learnt(self) -> float:
        return scrape(self._ports["learn"])["millstream_learner_offset"]

    def _said(self, name: WorkerName) -> Path:
        return self.folder / f"{self.settings.topics.namespace}-{name}.log"


@contextmanager
def rig(at: Servers, workers: Sequence[WorkerName]) -> Iterator[Rig]:
    """Give topics of one's own with these workers ready on them; end them after."""
    name = f"bench-{secrets.token_hex(4)}"
    flags = {
        "kafka.bootstrap": at.kafka,
        "redis.url": at.redis,
        "data_dir": str(at.folder),
        "topics.namespace": name,
        "redis.prefix": name,
    }
    settings = load_settings(flags={key: Flag("benchmark", value) for key, value in flags.items()})
    log, store = open_log(settings), open_store(settings)
    built = Rig(settings, log, store, at.folder, dict(at.pids))
    try:
        ensure_topics(log, settings)
        for worker in workers:
            built.start(worker)
        built.await_ready(*workers)
        yield built
    finally:
        built.stop()
        store.close()
        log.close()
