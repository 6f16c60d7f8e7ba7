"""The log as the rest of Millstream sees it: records in partitions, read and written by offset.

`MemoryLog` and `KafkaLog` are the two of it, and one contract test holds them equal.

    LogError
    ├── TopicMissing      .topics
    ├── RangeRemoved      .begin: retention took what was asked for
    ├── BeyondEnd         .end: nothing was ever written there
    ├── MessageTooLarge   nothing was written
    └── LogUnavailable    .retry_after_s
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol

from millstream.streams.errors import MillstreamError, WorldMissing

Place = tuple[str, int]
"""A topic and one of its partitions."""

MESSAGE_BYTES_MAX: Final = 900_000
"""Key and value of one message together; a broker's own limit is 1 MB with its envelope."""


class LogError(MillstreamError):
    """A fault of the log."""


class TopicMissing(LogError):
    """Topics that were asked for are not there."""

    exit_code: ClassVar[int] = WorldMissing.exit_code

    def __init__(self, topics: Sequence[str]) -> None:
        self.topics = tuple(topics)
        super().__init__(
            f"no topic {', '.join(self.topics)}; create them with: millstream topics create"
        )


class RangeRemoved(LogError):
    """Offsets below the partition's begin were asked for: retention has removed them."""

    def __init__(self, topic: str, partition: int, asked: int, begin: int) -> None:
        self.begin = begin
        super().__init__(
            f"{topic}-{partition} begins at offset {begin}; {asked} was asked for and is removed"
        )


class BeyondEnd(LogError):
    """A follower stands above the end: its offset is another log's, or the topic is a new one."""

    def __init__(self, topic: str, partition: int, asked: int, end: int) -> None:
        self.end = end
        super().__init__(f"{topic}-{partition} ends at offset {end}; {asked} was asked for")


class MessageTooLarge(LogError):
    """One message is above MESSAGE_BYTES_MAX; none of its call was written."""


class LogUnavailable(LogError):
    """The log does not answer now; the caller may try again after `retry_after_s`."""

    exit_code: ClassVar[int] = WorldMissing.exit_code

    def __init__(self, sentence: str, retry_after_s: float = 1.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Record:
    """What the log holds at one offset. `timestamp_ms` is the broker's on append-time topics."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be written: key or value is given, or both.

    The partition is the one named, else murmur2 of the key as Kafka's own clients do, else 0.
    """

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None
    timestamp_ms: int | None = None

    def __post_init__(self) -> None:
        """Refuse a message that no log could hold."""
        if self.key is None and self.value is None:
            raise ValueError("a message needs a key or a value")


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it is to be created; `config` in Kafka's own names and spellings."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


class Follower(Protocol):
    """Follows partitions without a group. Owned by one thread; closes what it opened."""

    def poll(self, timeout_s: float = 0.0, max_records: int = 500) -> list[Record]:
        """Return new records, each partition's in order; [] when none came in `timeout_s`.

        An unreachable broker is silence too. Raises RangeRemoved when retention has overtaken
        the follower, BeyondEnd when its offset is above the end.
        """

    def position(self, topic: str, partition: int) -> int:
        """Return the next offset to be returned; goes on over gaps left by compaction."""

    def close(self) -> None:
        """Stop following; twice is harmless."""


class Log(Protocol):
    """A log of topics. Any thread may call any method at any time.

    Where the log does not answer, every method but `send` and `close` raises LogUnavailable;
    where a topic or partition is missing, TopicMissing.
    """

    def topic_ids(self, topics: Sequence[str]) -> dict[str, str]:
        """Return the id of each topic; a re-created topic has another. Names all that miss."""

    def partitions(self, topic: str) -> int:
        """Return the number of the topic's partitions."""

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return the first offset held and the next to be written."""

    def bounds_of(self, partitions: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """Return the bounds of many (topic, partition) at once."""

    def read(self, topic: str, partition: int, start: int, stop: int) -> Iterator[Record]:
        """Yield the records in [start, stop), or to the end as it is now if that is nearer.

        Ends over offset gaps too. Raises RangeRemoved when start is below the begin.
        """

    def follow(self, starts: Mapping[tuple[str, int], int]) -> Follower:
        """Return a follower of these partitions, each from its offset on."""

    def append(self, topic: str, messages: Sequence[Message], timeout_s: float = 30.0) -> list[int]:
        """Write and wait until all in-sync replicas have it; return the offsets.

        After LogUnavailable each partition holds some first part of what was given, perhaps
        none, and perhaps only later: never a later message without those before it.
        """

    def send(self, topic: str, message: Message) -> None:
        """Write without waiting, in bulk; blocks only while too much is under way."""

    def flush(self, timeout_s: float = 30.0) -> None:
        """Wait for all that was sent; raises if any of it failed since the last flush."""

    def create(self, topics: Sequence[TopicSpec]) -> list[str]:
        """Create those that are missing, leave the others as they are; return what was made."""

    def config(self, topic: str) -> dict[str, str]:
        """Return what was set on the topic itself, in Kafka's names."""

    def delete(self, topics: Sequence[str]) -> None:
        """Delete topics with all they hold."""

    def remove(self, topic: str, partition: int, below: int) -> None:
        """Remove the records below an offset, as retention does."""

    def close(self) -> None:
        """Let go of every connection; what was sent and not flushed may be lost."""
