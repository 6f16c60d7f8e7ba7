"""What KafkaLog does while its broker is gone, and when it comes back."""

import os
import signal
import threading
import time

import pytest

from millstream.streams.kafka_log import KafkaLog
from millstream.streams.log import LogUnavailable, Message, Record, TopicSpec
from millstream.streams.stack import Stack


def quiet(_: str) -> None:
    return


def numbered(numbers: range) -> list[Message]:
    return [Message(None, str(number).encode()) for number in numbers]


def patiently_read(log: KafkaLog, topic: str) -> list[Record]:
    """Return all of a partition; each connection finds out by itself that the broker is back."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return list(log.read(topic, 0, 0, 10**6))
        except LogUnavailable as away:
            if time.monotonic() > deadline:
                raise
            time.sleep(away.retry_after_s)


def test_an_outage_is_said_in_time_and_order_holds_through_it(
    broken_stack: Stack, namespace: str
) -> None:
    status = broken_stack.start(quiet)
    assert status.kafka is not None
    log = KafkaLog(status.kafka)
    log.create([TopicSpec(namespace, 1)])
    assert log.append(namespace, numbered(range(3))) == [0, 1, 2]
    follower = log.follow({(namespace, 0): 3})

    os.kill(status.pids["kafka"], signal.SIGKILL)
    began = time.monotonic()
    for _ in range(2):  # what is written in vain is written again, as a worker does
        with pytest.raises(LogUnavailable):
            log.append(namespace, numbered(range(3, 500)), timeout_s=1.0)
    with pytest.raises(LogUnavailable):
        log.bounds(namespace, 0)
    assert follower.poll(0.1) == []
    assert time.monotonic() - began < 60

    broken_stack.start(quiet)
    log.append(namespace, numbered(range(3, 500)), timeout_s=60.0)
    held = [int(record.value or b"") for record in patiently_read(log, namespace)]
    firsts = list(dict.fromkeys(held))
    assert firsts == list(range(500))
    deadline = time.monotonic() + 30
    heard = 0
    while heard < 497 and time.monotonic() < deadline:
        heard += len(follower.poll(0.5))
    assert heard >= 497
    follower.close()
    log.close()


def test_bulk_sends_fail_loudly_at_the_flush_and_closing_does_not_hang(
    broken_stack: Stack, namespace: str
) -> None:
    status = broken_stack.start(quiet)
    assert status.kafka is not None
    log = KafkaLog(status.kafka)
    log.create([TopicSpec(namespace, 1)])
    log.append(namespace, numbered(range(1)))
    os.kill(status.pids["kafka"], signal.SIGKILL)
    for message in numbered(range(1, 10)):
        log.send(namespace, message)
    with pytest.raises(LogUnavailable):
        log.flush(timeout_s=1.0)
    began = time.monotonic()
    log.close()
    assert time.monotonic() - began < 15


def test_a_log_that_nobody_serves_is_unavailable_and_leaves_no_thread() -> None:
    before = threading.active_count()
    log = KafkaLog("127.0.0.1:1")
    with pytest.raises(LogUnavailable):
        log.topic_ids(["t"])
    log.close()
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert threading.active_count() <= before
