"""The host of `--embedded`: jobs in threads, each fed in order; a fault in one ends all."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from millstream.exporters.health import Health
from millstream.streams.host_memory import MemoryHost
from millstream.streams.log import Message, TopicSpec
from millstream.streams.memory_log import MemoryLog
from millstream.streams.patience import Stopped
from millstream.streams.settings import LearnSettings, Settings, WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from millstream.streams.log import Record
    from millstream.streams.positions import Partition

SETTINGS = Settings(learn=LearnSettings(frame_interval_ms=5), worker=WorkerSettings(batch_max=7))


class Diary:
    """A job that writes down what its host does with it."""

    heavy = False

    def __init__(self, name: str, begin: int = 0) -> None:
        self.name = name
        self.topics: Sequence[str] = [name]
        self.calls: list[str] = []
        self.read: list[tuple[int, int]] = []
        self.sizes: list[int] = []
        self.threads: set[int] = set()
        self.fault: Exception | None = None
        self._begin = begin

    def _note(self, call: str) -> None:
        self.threads.add(threading.get_ident())
        self.calls.append(call)

    def open(self) -> None:
        self._note("open")

    def assign(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        self._note("assign")
        return dict.fromkeys(partitions, self._begin)

    def revoke(self) -> None:
        self._note("revoke")

    def apply(self, records: Sequence[Record]) -> None:
        self._note("apply")
        if self.fault is not None:
            raise self.fault
        self.sizes.append(len(records))
        self.read += [(record.partition, record.offset) for record in records]

    def idle(self) -> None:
        self._note("idle")

    def check(self) -> None:
        self._note("check")

    def health(self) -> Health:
        return Health(True, True)

    def close(self) -> None:
        self._note("close")


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    log.create([TopicSpec("one", 2), TopicSpec("other", 1)])
    return log


@pytest.fixture
def stopping() -> threading.Event:
    return threading.Event()


def publish(log: MemoryLog, topic: str, count: int) -> None:
    partitions = log.partitions(topic)
    log.append(topic, [Message(b"k", b"v", (), n % partitions) for n in range(count)])


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10.0
    while not done():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.002)


def test_each_job_is_opened_assigned_fed_and_closed_in_one_thread_of_its_own(
    log: MemoryLog, stopping: threading.Event
) -> None:
    one, other = Diary("one"), Diary("other")
    host = MemoryHost(SETTINGS, log, [one, other], stopping)
    publish(log, "one", 20)
    host.start()
    until(lambda: len(one.read) == 20)
    publish(log, "other", 3)
    publish(log, "one", 4)
    until(lambda: len(one.read) == 24 and len(other.read) == 3)
    until(lambda: "idle" in one.calls)
    host.stop()
    for job in (one, other):
        assert job.calls[:2] == ["open", "assign"]
        assert job.calls[-1] == "close"
        assert len(job.threads) == 1
    assert one.threads != other.threads
    assert max(one.sizes) <= 7
    for partition in (0, 1):
        assert [offset for p, offset in one.read if p == partition] == list(range(12))
    host.check()


def test_a_job_begins_where_it_says(log: MemoryLog, stopping: threading.Event) -> None:
    publish(log, "other", 10)
    job = Diary("other", begin=8)
    host = MemoryHost(SETTINGS, log, [job], stopping)
    host.start()
    until(lambda: len(job.read) == 2)
    host.stop()
    assert job.read == [(0, 8), (0, 9)]


def test_a_busy_job_is_still_given_its_idle_moments(
    log: MemoryLog, stopping: threading.Event
) -> None:
    job = Diary("other")
    host = MemoryHost(SETTINGS, log, [job], stopping)
    host.start()
    deadline = time.monotonic() + 0.1
    while time.monotonic() < deadline:
        publish(log, "other", 1)
    host.stop()
    assert "idle" in job.calls[: job.calls.index("close")]


def test_a_job_that_raises_ends_all_and_check_says_why(
    log: MemoryLog, stopping: threading.Event
) -> None:
    good, bad = Diary("one"), Diary("other")
    bad.fault = ValueError("a bug")
    host = MemoryHost(SETTINGS, log, [good, bad], stopping)
    host.start()
    publish(log, "other", 1)
    until(stopping.is_set)
    host.stop()
    assert good.calls[-1] == "close"
    assert bad.calls[-1] == "apply", "what is in its memory is not to be trusted"
    with pytest.raises(ValueError, match="a bug"):
        host.check()


def test_a_wait_that_the_stop_ended_is_no_fault(log: MemoryLog, stopping: threading.Event) -> None:
    job = Diary("other")
    job.fault = Stopped("stopped while Redis was away")
    host = MemoryHost(SETTINGS, log, [job], stopping)
    host.start()
    publish(log, "other", 1)
    until(lambda: "apply" in job.calls)
    host.stop()
    host.check()
