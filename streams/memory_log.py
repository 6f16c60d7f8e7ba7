"""The log in memory: what `--embedded` runs on, and Kafka's twin in the contract tests."""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from kafka.partitioner.default import murmur2

from millstream.streams.log import (
    MESSAGE_BYTES_MAX,
    BeyondEnd,
    LogError,
    LogUnavailable,
    Message,
    MessageTooLarge,
    Place,
    RangeRemoved,
    Record,
    TopicMissing,
    TopicSpec,
)

READ_AT_ONCE: Final = 1000


def wall_clock_ms() -> int:
    """Return the time now."""
    return time.time_ns() // 1_000_000


class _Partition:
    """Records from `begin` on; their offsets have no gaps here."""

    def __init__(self) -> None:
        self.begin = 0
        self.records: list[Record] = []

    @property
    def end(self) -> int:
        return self.begin + len(self.records)

    def slice(self, start: int, stop: int) -> list[Record]:
        return self.records[start - self.begin : max(stop - self.begin, 0)]


class _Topic:
    def __init__(self, spec: TopicSpec) -> None:
        self.id = str(uuid.uuid4())
        self.config = dict(spec.config)
        self.partitions = [_Partition() for _ in range(spec.partitions)]
        self.append_time = self.config.get("message.timestamp.type") == "LogAppendTime"


class MemoryLog:
    """Keeps every record until it is removed: its bound is what its user writes."""

    def __init__(self, clock_ms: Callable[[], int] = wall_clock_ms) -> None:
        self._clock_ms = clock_ms
        self._topics: dict[str, _Topic] = {}
        self._closed = False
        self._changed = threading.Condition()

    def topic_ids(self, topics: Sequence[str]) -> dict[str, str]:
        """Return each topic's id, new with every creation."""
        with self._changed:
            missing = [name for name in topics if name not in self._topics]
            if missing:
                raise TopicMissing(missing)
            return {name: self._topics[name].id for name in topics}

    def partitions(self, topic: str) -> int:
        """Return the number of the topic's partitions."""
        with self._changed:
            return len(self._topic(topic).partitions)

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first offset held and the next to be written."""
        with self._changed:
            held = self._partition(topic, partition)
            return held.begin, held.end

    def bounds_of(self, partitions: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """Return the bounds of many at once."""
        return {place: self.bounds(*place) for place in partitions}

    def read(self, topic: str, partition: int, start: int, stop: int) -> Iterator[Record]:
        """Yield [start, stop) as far as it is written; see Log."""
        stop = min(stop, self.bounds(topic, partition)[1])
        while start < stop:
            with self._changed:
                some = self._from(topic, partition, start, min(stop, start + READ_AT_ONCE))
            yield from some
            start += len(some)

    def follow(self, starts: Mapping[tuple[str, int], int]) -> "MemoryFollower":
        """Return a follower of these partitions."""
        with self._changed:
            for topic, partition in starts:
                self._partition(topic, partition)
        return MemoryFollower(self, starts)

    def append(self, topic: str, messages: Sequence[Message], timeout_s: float = 30.0) -> list[int]:
        """Write them and return their offsets; there is nothing to wait for."""
        del timeout_s
        for message in messages:
            check_size(message)
        with self._changed:
            if self._closed:
                raise LogUnavailable("the log is closed")
            offsets = [self._write(topic, message) for message in messages]
            self._changed.notify_all()
        return offsets

    def send(self, topic: str, message: Message) -> None:
        """Write it, at once."""
        self.append(topic, [message])

    def flush(self, timeout_s: float = 30.0) -> None:
        """Return: nothing is ever under way."""

    def create(self, topics: Sequence[TopicSpec]) -> list[str]:
        """Create those that are missing and return their names."""
        with self._changed:
            made = [spec for spec in topics if spec.name not in self._topics]
            self._topics.update({spec.name: _Topic(spec) for spec in made})
        return [spec.name for spec in made]

    def config(self, topic: str) -> dict[str, str]:
        """Return what the topic was created with."""
        with self._changed:
            return dict(self._topic(topic).config)

    def delete(self, topics: Sequence[str]) -> None:
        """Delete topics with all they hold."""
        self.topic_ids(topics)
        with self._changed:
            for name in topics:
                self._topics.pop(name, None)

    def remove(self, topic: str, partition: int, below: int) -> None:
        """Remove the records below an offset."""
        with self._changed:
            held = self._partition(topic, partition)
            if not 0 <= below <= held.end:
                raise LogError(f"{topic}-{partition} ends at {held.end}; cannot remove to {below}")
            del held.records[: max(below - held.begin, 0)]
            held.begin = max(held.begin, below)

    def close(self) -> None:
        """Refuse writes from now on and wake whoever waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait_from(
        self, positions: dict[tuple[str, int], int], timeout_s: float, max_records: int
    ) -> list[Record]:
        """Return up to max_records above the positions, moving them; waits for the first."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                found: list[Record] = []
                for (topic, partition), start in positions.items():
                    room = max_records - len(found)
                    found += self._from(topic, partition, start, start + room) if room else []
                remaining = deadline - time.monotonic()
                if found or remaining <= 0 or self._closed:
                    break
                self._changed.wait(remaining)
        for record in found:
            positions[record.topic, record.partition] = record.offset + 1
        return found

    def _from(self, topic: str, partition: int, start: int, stop: int) -> list[Record]:
        held = self._partition(topic, partition)
        if start < held.begin:
            raise RangeRemoved(topic, partition, start, held.begin)
        if start > held.end:
            raise BeyondEnd(topic, partition, start, held.end)
        return held.slice(start, stop)

    def _write(self, topic: str, message: Message) -> int:
        held = self._topic(topic)
        partition = message.partition
        if partition is None:
            partition = choose_partition(message.key, len(held.partitions))
        at = self._partition(topic, partition)
        given = None if held.append_time else message.timestamp_ms
        now = self._clock_ms() if given is None else given
        record = Record(topic, partition, at.end, now, message.key, message.value, message.headers)
        at.records.append(record)
        return record.offset

    def _topic(self, topic: str) -> _Topic:
        if topic not in self._topics:
            raise TopicMissing([topic])
        return self._topics[topic]

    def _partition(self, topic: str, partition: int) -> _Partition:
        partitions = self._topic(topic).partitions
        if not 0 <= partition < len(partitions):
            raise TopicMissing([f"{topic} partition {partition}"])
        return partitions[partition]


class MemoryFollower:
    """Follows partitions of a MemoryLog; owned by one thread."""

    def __init__(self, log: MemoryLog, starts: Mapping[tuple[str, int], int]) -> None:
        self._log = log
        self._positions = dict(starts)

    def poll(self, timeout_s: float = 0.0, max_records: int = 500) -> list[Record]:
        """Return new records; see Follower."""
        found = self._log._wait_from(self._positions, timeout_s, max_records)
        # Who was served last comes first the next time, so that none starves the others.
        if found:
            last = (found[-1].topic, found[-1].partition)
            self._positions[last] = self._positions.pop(last)
        return found

    def position(self, topic: str, partition: int) -> int:
        """Return the next offset to be returned."""
        return self._positions[topic, partition]

    def close(self) -> None:
        """Let go of nothing: a follower holds nothing."""


def choose_partition(key: bytes | None, partitions: int) -> int:
    """Return Kafka's own choice for a key, 0 without one."""
    if key is None:
        return 0
    hashed: int = murmur2(key)
    return (hashed & 0x7FFFFFFF) % partitions


def check_size(message: Message) -> None:
    """Raise MessageTooLarge for what is above MESSAGE_BYTES_MAX."""
    size = len(message.key or b"") + len(message.value or b"")
    size += sum(len(name) + len(value) for name, value in message.headers)
    if size > MESSAGE_BYTES_MAX:
        raise MessageTooLarge(f"a message of {size} bytes; at most {MESSAGE_BYTES_MAX} are taken")
