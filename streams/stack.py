"""The local stack: Kafka and Redis in one data folder, begun, found again, mended and ended."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from millstream.streams import kafka_server, redis_server
from millstream.streams.errors import FoundWrong, WorldMissing
from millstream.streams.processes import ProcessMark, end, free_port, last_words, spawn, trim_log

ANSWER_S: Final = 2.0
START_S: Final = 90.0
STOP_S: Final = 20.0

Say = Callable[[str], None]
Health = Literal["running", "crashed", "stopped"]


class StackStatus(msgspec.Struct, frozen=True):
    """What `stack status --json` prints. Addresses are None for what is stopped."""

    kafka: str | None
    redis: str | None
    data_dir: str
    pids: dict[str, int]
    versions: dict[str, str]
    parts: dict[str, Health]
    running: bool


class _State(msgspec.Struct, frozen=True):
    """What stack.json remembers: ports are kept over a stop, so that addresses stay the same."""

    kafka_port: int
    controller_port: int
    redis_port: int
    kafka: ProcessMark | None = None
    redis: ProcessMark | None = None


class Stack:
    """The stack of one data folder; jars come from, and go to, a cache that folders share."""

    def __init__(self, data_dir: Path, cache_dir: Path, stop_s: float = STOP_S) -> None:
        self.data_dir = data_dir.expanduser().absolute()
        self.cache_dir = cache_dir
        self.stop_s = stop_s
        self._file = self.data_dir / "stack.json"
        self._logs = self.data_dir / "logs"

    def status(self) -> StackStatus:
        """Return what is there and whether it answers; changes nothing, takes 4 s at most."""
        state = self._read()
        if state is None:
            parts: dict[str, Health] = {"kafka": "stopped", "redis": "stopped"}
            return StackStatus(None, None, str(self.data_dir), {}, {}, parts, running=False)
        versions = {}
        if _alive(state.kafka) and kafka_server.answers(state.kafka_port, ANSWER_S):
            versions["kafka"] = kafka_server.KAFKA_VERSION
        redis = redis_server.version(state.redis_port, ANSWER_S) if _alive(state.redis) else None
        if redis is not None:
            versions["redis"] = redis
        processes = {"kafka": state.kafka, "redis": state.redis}
        return StackStatus(
            kafka=f"127.0.0.1:{state.kafka_port}" if state.kafka else None,
            redis=f"redis://127.0.0.1:{state.redis_port}/0" if state.redis else None,
            data_dir=str(self.data_dir),
            pids={name: was.pid for name, was in processes.items() if was and was.alive},
            versions=versions,
            parts={name: _health(name in versions, was) for name, was in processes.items()},
            running=len(versions) == len(processes),
        )

    def start(self, say: Say) -> StackStatus:
        """Start what does not run, wait until both answer, and return what is there.

        Twice is harmless. A part that was killed is begun again over its own data, at its own
        port if that is free; one that lives but does not answer is ended first.
        """
        with self._lock(say):
            before = self.status()
            if before.running:
                return before
            self._logs.mkdir(parents=True, exist_ok=True)
            for log in self._logs.glob("*.log"):
                trim_log(log)
            state = self._read() or _State(0, 0, 0)
            jars: Path | None = None
            if "kafka" not in before.versions:
                # What may be missing is asked for first: a start that fails leaves nothing.
                kafka_server.java()
                say("looking for Kafka's jars; the first time they are fetched, 44 MB")
                jars = kafka_server.ensure_jars(self.cache_dir)
            if "redis" not in before.versions:
                state = self._start_redis(state)
                say(f"Redis begins on port {state.redis_port}")
            if jars is not None:
                state = self._start_kafka(state, jars)
                say(f"Kafka begins on port {state.kafka_port}")
            self._wait(state)
            return self.status()

    def stop(self, say: Say) -> None:
        """End every part and wait until it has gone; harmless when nothing runs."""
        if not self._file.exists():
            return
        with self._lock(say):
            state = self._read()
            if state is None:
                return
            end([part for part in (state.kafka, state.redis) if part is not None], self.stop_s)
            self._write(msgspec.structs.replace(state, kafka=None, redis=None))

    def _start_redis(self, state: _State) -> _State:
        end([state.redis] if state.redis else [], self.stop_s)
        port = free_port(state.redis_port or None)
        command = redis_server.prepare(self.data_dir / "redis", port)
        process = spawn(command, self.data_dir / "redis", self._logs / "redis.log")
        state = msgspec.structs.replace(state, redis_port=port, redis=process)
        self._write(state)
        return state

    def _start_kafka(self, state: _State, jars: Path) -> _State:
        end([state.kafka] if state.kafka else [], self.stop_s)
        port = free_port(state.kafka_port or None, [state.redis_port])
        controller = free_port(state.controller_port or None, [state.redis_port, port])
        command = kafka_server.prepare(self.data_dir / "kafka", jars, port, controller)
        process = spawn(command, self.data_dir / "kafka", self._logs / "kafka.log")
        state = msgspec.structs.replace(
            state, kafka_port=port, controller_port=controller, kafka=process
        )
        self._write(state)
        return state

    def _wait(self, state: _State) -> None:
        """Return when both answer; raises WorldMissing with the log's last words."""
        deadline = time.monotonic() + START_S
        waiting: dict[str, tuple[ProcessMark | None, Callable[[], bool]]] = {
            "redis": (
                state.redis,
                lambda: redis_server.version(state.redis_port, ANSWER_S) is not None,
            ),
            "kafka": (state.kafka, lambda: kafka_server.ready(state.kafka_port, ANSWER_S)),
        }
        for name, (process, ready) in waiting.items():
            while not ready():
                if not _alive(process) or time.monotonic() > deadline:
                    log = self._logs / f"{name}.log"
                    raise WorldMissing(f"{name} did not start: {last_words(log)} (see {log})")
                time.sleep(0.1)

    def _read(self) -> _State | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_State)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise FoundWrong(
                f"{self._file} is not what `millstream stack start` wrote ({error}): "
                "end the servers it named, then remove it"
            ) from error

    def _write(self, state: _State) -> None:
        aside = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        aside.write_bytes(msgspec.json.format(msgspec.json.encode(state)) + b"\n")
        aside.replace(self._file)

    @contextmanager
    def _lock(self, say: Say) -> Iterator[None]:
        """Keep other starts and stops of this folder out; the kernel lets go if we are killed."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "stack.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another start or stop is at work here; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def running_stack(data_dir: Path) -> StackStatus | None:
    """Return the stack that answers in this data folder, or None."""
    status = Stack(data_dir, data_dir).status()
    return status if status.running else None


def _alive(process: ProcessMark | None) -> bool:
    return process is not None and process.alive


def _health(answers: bool, process: ProcessMark | None) -> Health:
    if answers:
        return "running"
    return "stopped" if process is None else "crashed"
