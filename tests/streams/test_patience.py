"""Waiting for a world that is away: until it is back, or until somebody asks to stop."""

import threading
import time
from collections.abc import Callable

import pytest

from millstream.exporters.errors import StoreUnavailable
from millstream.streams.log import LogUnavailable
from millstream.streams.patience import WAIT_MAX_S, Patience, Stopped


class Flaky:
    """Raises what it was given, one after the other, then answers."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)
        return "answer"


def store_away(retry_after_s: float = 0.001) -> StoreUnavailable:
    return StoreUnavailable("Redis is away", retry_after_s)


def log_away(retry_after_s: float = 0.001) -> LogUnavailable:
    return LogUnavailable("Kafka is away", retry_after_s)


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def patience(stop: threading.Event, heard: list[str]) -> Patience:
    return Patience(stop, heard.append)


def test_what_answers_is_called_once(patience: Patience, heard: list[str]) -> None:
    call = Flaky()
    assert patience.call(call) == "answer"
    assert (call.calls, heard, patience.waiting_for) == (1, [], "")


def test_redis_and_kafka_are_waited_for_until_they_answer(patience: Patience) -> None:
    call = Flaky(store_away(), log_away(), store_away())
    assert patience.call(call) == "answer"
    assert call.calls == 4


def test_an_incident_is_heard_of_once_and_the_next_one_again(
    patience: Patience, heard: list[str]
) -> None:
    patience.call(Flaky(store_away(), store_away(), store_away()))
    assert heard == ["Redis is away"]
    patience.call(Flaky(log_away()))
    assert heard == ["Redis is away", "Kafka is away"]


def test_what_is_waited_for_is_said_meanwhile_and_no_longer(
    stop: threading.Event, heard: list[str]
) -> None:
    patience = Patience(stop, heard.append)
    said: list[str] = []
    faults: list[Exception] = [store_away()]

    def call() -> None:
        said.append(patience.waiting_for)
        if faults:
            raise faults.pop()

    patience.call(call)
    assert said == ["", "Redis is away"]
    assert patience.waiting_for == ""


@pytest.mark.parametrize("fault", [ValueError("a bug"), KeyError("another")])
def test_a_bug_is_not_waited_for(patience: Patience, fault: Exception) -> None:
    call = Flaky(fault)
    with pytest.raises(type(fault)):
        patience.call(call)
    assert call.calls == 1


def test_a_stop_ends_the_waiting_at_once(patience: Patience, stop: threading.Event) -> None:
    def away() -> None:
        raise store_away(retry_after_s=60.0)

    threading.Timer(0.05, stop.set).start()
    started = time.monotonic()
    with pytest.raises(Stopped):
        patience.call(away)
    assert time.monotonic() - started < 2.0


class Stopwatch(threading.Event):
    """Notes how long it would have been waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return False


@pytest.mark.parametrize("away", [store_away, log_away])
def test_waits_grow_with_jitter_to_a_bound_and_begin_anew_after_an_answer(
    away: Callable[[float], Exception],
) -> None:
    clock = Stopwatch()
    patience = Patience(clock, lambda _: None)
    patience.call(Flaky(*(away(0.5) for _ in range(10))))
    for n, wait in enumerate(clock.waits):
        full = min(0.5 * 2**n, WAIT_MAX_S)
        assert full / 2 <= wait <= full
    assert len(set(clock.waits)) == 10
    clock.waits.clear()
    patience.call(Flaky(away(0.5)))
    assert clock.waits[0] <= 0.5
