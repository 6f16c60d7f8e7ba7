"""Reading from Kafka without a group: one consumer, assigned and placed by us."""

from collections.abc import Mapping
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition, errors

from millstream.streams.kafka_client import COMMON, in_our_words, require_listener
from millstream.streams.log import BeyondEnd, RangeRemoved, Record

CONSUMER: Final[dict[str, object]] = {
    **COMMON,
    "group_id": None,
    "enable_auto_commit": False,
    "auto_offset_reset": "none",
    "allow_auto_create_topics": False,
    "fetch_max_wait_ms": 500,  # the broker answers earlier as soon as it has a byte
    "metadata_max_age_ms": 30_000,
    "metrics_enabled": False,
}


class KafkaFollower:
    """Follows partitions from given offsets; owned by one thread."""

    def __init__(self, bootstrap: str, starts: Mapping[tuple[str, int], int]) -> None:
        require_listener(bootstrap)
        with in_our_words("that is followed"):
            self._consumer: Any = KafkaConsumer(bootstrap_servers=bootstrap, **CONSUMER)
        self._consumer.assign([TopicPartition(*at) for at in starts])
        for at, offset in starts.items():
            self._consumer.seek(TopicPartition(*at), offset)

    def poll(self, timeout_s: float = 0.0, max_records: int = 500) -> list[Record]:
        """Return new records; see Follower."""
        with in_our_words("that is followed"):
            found = self._poll(timeout_s, max_records)
        return [
            Record(
                record.topic,
                record.partition,
                record.offset,
                record.timestamp,
                record.key,
                record.value,
                tuple(record.headers),
            )
            for records in found.values()
            for record in records
        ]

    def position(self, topic: str, partition: int) -> int:
        """Return the next offset to be returned."""
        with in_our_words(topic):
            offset: int = self._consumer.position(TopicPartition(topic, partition), 0)
        return offset

    def close(self) -> None:
        """Stop following."""
        self._consumer.close(autocommit=False, timeout_ms=1000)

    def _poll(self, timeout_s: float, max_records: int) -> dict[TopicPartition, list[Any]]:
        try:
            found: dict[TopicPartition, list[Any]] = self._consumer.poll(
                timeout_s * 1000, max_records
            )
        except errors.OffsetOutOfRangeError as error:
            asked: dict[TopicPartition, int] = error.args[0]
            begins = self._consumer.beginning_offsets(list(asked))
            ends = self._consumer.end_offsets(list(asked))
            for at, offset in asked.items():
                if offset < begins[at]:
                    raise RangeRemoved(at.topic, at.partition, offset, begins[at]) from error
                if offset > ends[at]:
                    raise BeyondEnd(at.topic, at.partition, offset, ends[at]) from error
            return {}  # it was out of range, and no longer is
        return found
