"""Writing to Kafka: one idempotent producer, and what a failed write may leave behind."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from kafka import KafkaProducer, errors

from millstream.streams.kafka_client import COMMON, in_our_words, require_listener
from millstream.streams.log import LogUnavailable, Message
from millstream.streams.memory_log import check_size

UNDER_WAY_MAX: Final = 20_000
"""Messages sent in bulk and not acknowledged yet; one more send waits."""

CLOSE_S: Final = 5.0

PRODUCER: Final[dict[str, object]] = {
    **COMMON,
    "acks": "all",
    "enable_idempotence": True,
    "linger_ms": 0,
    "batch_size": 262_144,
    # One request at a time keeps order through every retry, and costs nothing: what arrives
    # meanwhile makes the next batch fuller (append of one: p50 2 ms, with five in flight 5 ms).
    "max_in_flight_requests_per_connection": 1,
    # A batch that expired inside the producer while a later one got through would leave a hole.
    # `append` gives up much earlier, and then takes the whole producer with it.
    "delivery_timeout_ms": 3_600_000,
    "max_block_ms": 10_000,
    "metadata_max_age_ms": 30_000,
    "allow_auto_create_topics": False,
    "metrics_enabled": False,
}


class KafkaWriter:
    """Writes from any thread. Opens its producer with the first message."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._lock = threading.Lock()
        self._producer: Any = None
        self._room = threading.Semaphore(UNDER_WAY_MAX)
        self._settled = threading.Condition()
        self._under_way = 0
        self._failure: BaseException | None = None

    def append(self, topic: str, messages: Sequence[Message], timeout_s: float) -> list[int]:
        """Write, wait for every acknowledgement, return the offsets; see Log.append."""
        for message in messages:
            check_size(message)
        deadline = time.monotonic() + timeout_s
        with in_our_words(topic):
            producer = self._open()
            try:
                futures = [_send(producer, topic, message) for message in messages]
                offsets: list[int] = []
                for future in futures:
                    acknowledged = future.get(max(deadline - time.monotonic(), 0.0))
                    offsets.append(acknowledged.offset)
            except (errors.KafkaError, ValueError) as error:
                self._abandon(producer)
                if isinstance(error, ValueError):  # kafka-python's word for no such partition
                    raise errors.UnknownTopicOrPartitionError(str(error)) from error
                raise
            return offsets

    def send(self, topic: str, message: Message, timeout_s: float = 30.0) -> None:
        """Write without waiting; blocks while UNDER_WAY_MAX are under way."""
        check_size(message)
        if not self._room.acquire(timeout=timeout_s):
            raise LogUnavailable(f"Kafka has acknowledged nothing for {timeout_s:.0f} s")
        with self._settled:
            self._under_way += 1
        try:
            with in_our_words(topic):
                future = _send(self._open(), topic, message)
        except BaseException:
            self._settle(None)
            raise
        future.add_callback(lambda _: self._settle(None))
        future.add_errback(self._settle)

    def flush(self, timeout_s: float) -> None:
        """Wait until nothing is under way; raises what failed since the last flush."""
        with self._settled:
            done = self._settled.wait_for(lambda: self._under_way == 0, timeout_s)
            failure, self._failure = self._failure, None
        if failure is not None:
            with in_our_words("of what was sent"):
                raise failure
        if not done:
            raise LogUnavailable(f"Kafka did not acknowledge all within {timeout_s:.0f} s")

    def close(self) -> None:
        """Let go of the producer, giving what is under way a moment to arrive."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(errors.KafkaError):  # flush() tells whoever asks; closing goes on
                producer.flush(CLOSE_S)
            _end(producer)

    def _open(self) -> Any:
        with self._lock:
            if self._producer is None:
                require_listener(self._bootstrap)
                self._producer = KafkaProducer(bootstrap_servers=self._bootstrap, **PRODUCER)
            return self._producer

    def _abandon(self, producer: Any) -> None:
        """End a producer that failed, with all it still holds.

        Nothing of it may arrive after what a later producer writes in its place, save the one
        request that is on the wire: a first part of what is then written again.
        """
        with self._lock:
            if self._producer is producer:
                self._producer = None
        _end(producer)

    def _settle(self, failure: BaseException | None) -> None:
        with self._settled:
            self._under_way -= 1
            self._failure = self._failure or failure
            if self._under_way == 0:
                self._settled.notify_all()
        self._room.release()


def _send(producer: Any, topic: str, message: Message) -> Any:
    partition = message.partition
    if partition is None and message.key is None:
        partition = 0
    return producer.send(
        topic,
        key=message.key,
        value=message.value,
        headers=list(message.headers),
        partition=partition,
        timestamp_ms=message.timestamp_ms,
    )


def _end(producer: Any) -> None:
    """Close a producer in bounded time: its own close() waits for a broker that may be gone."""
    producer._sender.force_close()
    producer._sender.wakeup()
    producer._sender.join(CLOSE_S)
    producer.close(0)
