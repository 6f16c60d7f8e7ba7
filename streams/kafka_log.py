"""The log on Apache Kafka, by kafka-python: the only clients of ours beside Faust's own."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec

from millstream.streams.kafka_client import COMMON, REQUEST_S, in_our_words, require_listener
from millstream.streams.kafka_follower import KafkaFollower
from millstream.streams.kafka_writer import KafkaWriter
from millstream.streams.log import (
    LogUnavailable,
    Message,
    Place,
    RangeRemoved,
    Record,
    TopicMissing,
    TopicSpec,
)
from millstream.streams.prefetch import Prefetched

READ_AT_ONCE: Final = 2000
SILENCE_S: Final = 15.0
"""A read that gets nothing for so long, with records still to come, gives up."""


class KafkaLog:
    """A Log on the brokers at `bootstrap`. Opens what a call needs with the first such call.

    Admin client and producer are shared by all threads; each read and each follower has a
    consumer of its own.
    """

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._writer = KafkaWriter(bootstrap)
        self._lock = threading.Lock()
        self._client: Any = None

    def topic_ids(self, topics: Sequence[str]) -> dict[str, str]:
        """Return Kafka's own topic ids, as text."""
        return {name: str(found["topic_id"]) for name, found in self._describe(topics).items()}

    def partitions(self, topic: str) -> int:
        """Return the number of the topic's partitions."""
        return len(self._describe([topic])[topic]["partitions"])

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Return log start offset and high watermark."""
        return self.bounds_of([(topic, partition)])[topic, partition]

    def bounds_of(self, partitions: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """Return the bounds of many at once, by two requests."""
        places = [TopicPartition(*place) for place in partitions]
        if not places:
            return {}
        with in_our_words(", ".join(f"{p.topic} partition {p.partition}" for p in places[:3])):
            admin = self._admin()
            begins = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.EARLIEST))
            ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST))
        return {(p.topic, p.partition): (begins[p].offset, ends[p].offset) for p in places}

    def read(self, topic: str, partition: int, start: int, stop: int) -> Iterator[Record]:
        """Yield [start, stop) as far as it is written; see Log."""
        begin, end = self.bounds(topic, partition)
        stop = min(stop, end)
        if start >= stop:
            return
        if start < begin:
            raise RangeRemoved(topic, partition, start, begin)
        follower = self.follow({(topic, partition): start})
        try:
            heard = time.monotonic()
            while follower.position(topic, partition) < stop:
                records = follower.poll(1.0, READ_AT_ONCE)
                if records:
                    heard = time.monotonic()
                elif time.monotonic() - heard > SILENCE_S:
                    raise LogUnavailable(f"Kafka gives nothing of {topic}-{partition}")
                for record in records:
                    if record.offset < stop:
                        yield record
        finally:
            follower.close()

    def follow(self, starts: Mapping[tuple[str, int], int]) -> Prefetched:
        """Return a follower of these partitions, fetched ahead in a thread of its own."""
        for topic in {topic for topic, _ in starts}:
            count = self.partitions(topic)
            wrong = [str(number) for name, number in starts if name == topic and number >= count]
            if wrong:
                raise TopicMissing([f"{topic} partition {', '.join(wrong)}"])
        return Prefetched(KafkaFollower(self.bootstrap, starts), starts)

    def append(self, topic: str, messages: Sequence[Message], timeout_s: float = 30.0) -> list[int]:
        """Write, wait for acks=all of an idempotent producer, return the offsets."""
        return self._writer.append(topic, messages, timeout_s)

    def send(self, topic: str, message: Message) -> None:
        """Write without waiting."""
        self._writer.send(topic, message)

    def flush(self, timeout_s: float = 30.0) -> None:
        """Wait for all that was sent."""
        self._writer.flush(timeout_s)

    def create(self, topics: Sequence[TopicSpec]) -> list[str]:
        """Create those that are missing, with the cluster's own replication factor."""
        there = self._look([spec.name for spec in topics])
        made = [spec for spec in topics if spec.name not in there]
        if made:
            with in_our_words("to create"):
                # Another may create the same ones meanwhile: theirs are as good.
                self._admin().create_topics(
                    {
                        spec.name: {
                            "num_partitions": spec.partitions,
                            "configs": dict(spec.config),
                        }
                        for spec in made
                    },
                    raise_errors=False,
                )
                self._admin().wait_for_topics([spec.name for spec in made])
        return [spec.name for spec in made]

    def config(self, topic: str) -> dict[str, str]:
        """Return what was set on the topic itself, not what it has from its broker."""
        self.topic_ids([topic])
        with in_our_words(topic):
            found = self._admin().describe_configs(
                [ConfigResource(ConfigResourceType.TOPIC, topic)]
            )
        entries: Mapping[str, Mapping[str, str]] = found["topic"][topic]
        return {
            name: entry["value"]
            for name, entry in entries.items()
            if entry["config_source"] == "DYNAMIC_TOPIC_CONFIG"
        }

    def delete(self, topics: Sequence[str]) -> None:
        """Delete topics and wait until no broker names them any more."""
        with in_our_words(", ".join(topics)):
            self._admin().delete_topics(list(topics))
        deadline = time.monotonic() + REQUEST_S
        while self._look(topics):
            if time.monotonic() > deadline:
                raise LogUnavailable(f"Kafka still names {', '.join(topics)} after deleting")
            time.sleep(0.05)

    def remove(self, topic: str, partition: int, below: int) -> None:
        """Remove the records below an offset."""
        with in_our_words(f"{topic} partition {partition}"):
            self._admin().delete_records({TopicPartition(topic, partition): below})

    def close(self) -> None:
        """Let go of the producer and the admin client."""
        self._writer.close()
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _describe(self, topics: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        found = self._look(topics)
        missing = [name for name in topics if name not in found]
        if missing:
            raise TopicMissing(missing)
        return found

    def _look(self, topics: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """Return what Kafka says of those that are there."""
        with in_our_words(", ".join(topics)):
            answers = self._admin().describe_topics(list(topics))
        return {found["name"]: found for found in answers if found["error_code"] == 0}

    def _admin(self) -> Any:
        with self._lock:
            if self._client is None:
                require_listener(self.bootstrap)
                self._client = KafkaAdminClient(bootstrap_servers=self.bootstrap, **COMMON)
            return self._client
