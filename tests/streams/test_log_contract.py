"""What every Log promises, held on the one in memory and on real Kafka alike."""

import threading
import time
from collections.abc import Iterator

import pytest
from kafka import KafkaProducer

from millstream.streams.kafka_log import KafkaLog
from millstream.streams.log import (
    MESSAGE_BYTES_MAX,
    BeyondEnd,
    Follower,
    Log,
    LogUnavailable,
    Message,
    MessageTooLarge,
    RangeRemoved,
    Record,
    TopicMissing,
    TopicSpec,
)
from millstream.streams.memory_log import MemoryLog, choose_partition


@pytest.fixture(params=["memory", "kafka"])
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    """Each log in turn."""
    if request.param == "kafka":
        kafka: KafkaLog = request.getfixturevalue("kafka_log")
        yield kafka
    else:
        memory = MemoryLog()
        yield memory
        memory.close()


@pytest.fixture
def topic(log: Log, namespace: str) -> str:
    """A new topic with three partitions."""
    log.create([TopicSpec(f"{namespace}.events", 3)])
    return f"{namespace}.events"


def values(*words: str, partition: int = 0) -> list[Message]:
    return [Message(None, word.encode(), partition=partition) for word in words]


def poll_until(follower: Follower, count: int, within_s: float = 10.0) -> list[Record]:
    found: list[Record] = []
    deadline = time.monotonic() + within_s
    while len(found) < count and time.monotonic() < deadline:
        found += follower.poll(0.2)
    return found


def test_append_returns_the_offsets_and_read_gives_the_records_back(log: Log, topic: str) -> None:
    headers = (("reason", b"bad \xff"), ("reason", b""))
    assert log.append(topic, values("a", "b", partition=1)) == [0, 1]
    assert log.append(topic, [Message(b"k", None, headers, 1, 1_700_000_000_000)]) == [2]
    assert log.bounds(topic, 1) == (0, 3)
    records = list(log.read(topic, 1, 0, 3))
    assert [record.offset for record in records] == [0, 1, 2]
    assert [record.value for record in records] == [b"a", b"b", None]
    assert records[2] == Record(topic, 1, 2, 1_700_000_000_000, b"k", None, headers)


def test_appending_nothing_is_harmless(log: Log, topic: str) -> None:
    assert log.append(topic, []) == []
    assert log.bounds(topic, 0) == (0, 0)


def test_a_key_chooses_the_partition_that_kafkas_own_clients_choose(log: Log, topic: str) -> None:
    keys = [f"u{number}".encode() for number in range(30)]
    log.append(topic, [Message(key, b"x") for key in keys])
    for partition in range(3):
        held = {record.key for record in log.read(topic, partition, 0, 30)}
        assert held == {key for key in keys if choose_partition(key, 3) == partition}


def test_without_key_and_partition_it_is_the_first_partition(log: Log, topic: str) -> None:
    log.append(topic, [Message(None, b"x")] * 5)
    assert [log.bounds(topic, partition) for partition in range(3)] == [(0, 5), (0, 0), (0, 0)]
    assert log.bounds_of([(topic, 2), (topic, 0)]) == {(topic, 2): (0, 0), (topic, 0): (0, 5)}
    assert log.bounds_of([]) == {}


def test_read_stops_before_stop_and_at_the_end_that_is_there(log: Log, topic: str) -> None:
    log.append(topic, values("a", "b", "c", "d"))
    assert [record.value for record in log.read(topic, 0, 1, 3)] == [b"b", b"c"]
    assert [record.value for record in log.read(topic, 0, 2, 10**9)] == [b"c", b"d"]
    assert list(log.read(topic, 0, 4, 9)) == []
    assert list(log.read(topic, 0, 9, 4)) == []


def test_what_retention_removed_is_refused_with_the_new_begin(log: Log, topic: str) -> None:
    log.append(topic, values("a", "b", "c"))
    log.remove(topic, 0, 2)
    assert log.bounds(topic, 0) == (2, 3)
    with pytest.raises(RangeRemoved) as removed:
        list(log.read(topic, 0, 0, 3))
    assert removed.value.begin == 2
    assert [record.offset for record in log.read(topic, 0, 2, 3)] == [2]


def test_a_follower_that_retention_overtook_says_so(log: Log, topic: str) -> None:
    log.append(topic, values("a", "b", "c"))
    log.remove(topic, 0, 2)
    follower = log.follow({(topic, 0): 1})
    with pytest.raises(RangeRemoved) as removed:
        poll_until(follower, 1)
    follower.close()
    assert removed.value.begin == 2


def test_a_follower_above_the_end_says_so(log: Log, topic: str) -> None:
    log.append(topic, values("a"))
    follower = log.follow({(topic, 0): 7})
    with pytest.raises(BeyondEnd) as beyond:
        poll_until(follower, 1)
    follower.close()
    assert beyond.value.end == 1


def test_a_follower_gets_what_is_there_and_then_what_comes(log: Log, topic: str) -> None:
    log.append(topic, values("a", "b"))
    follower = log.follow({(topic, 0): 1, (topic, 1): 0})
    assert [record.value for record in poll_until(follower, 1)] == [b"b"]
    assert follower.poll(0.05) == []
    threading.Timer(0.1, lambda: log.append(topic, values("c", partition=1))).start()
    assert [record.value for record in poll_until(follower, 1)] == [b"c"]
    assert (follower.position(topic, 0), follower.position(topic, 1)) == (2, 1)
    follower.close()
    follower.close()


def test_a_follower_returns_at_most_what_is_asked_and_starves_no_partition(
    log: Log, topic: str
) -> None:
    for partition in range(3):
        log.append(topic, values(*"abcdefghij", partition=partition))
    follower = log.follow({(topic, partition): 0 for partition in range(3)})
    found: list[Record] = []
    deadline = time.monotonic() + 10
    while len(found) < 30 and time.monotonic() < deadline:
        some = follower.poll(0.2, max_records=4)
        assert len(some) <= 4
        found += some
    follower.close()
    for partition in range(3):
        offsets = [record.offset for record in found if record.partition == partition]
        assert offsets == list(range(10))


def test_what_is_sent_has_arrived_in_order_after_flush(log: Log, topic: str) -> None:
    for number in range(300):
        log.send(topic, Message(None, str(number).encode()))
    log.flush()
    held = [int(record.value or b"") for record in log.read(topic, 0, 0, 300)]
    assert held == list(range(300))


def test_many_threads_may_append_at_once(log: Log, topic: str) -> None:
    offsets: list[list[int]] = []

    def work() -> None:
        offsets.extend(log.append(topic, values(*"abcde")) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(offset for some in offsets for offset in some) == list(range(200))
    assert all(some == sorted(some) for some in offsets)


def test_a_message_too_large_is_refused_with_all_of_its_call(log: Log, topic: str) -> None:
    with pytest.raises(MessageTooLarge):
        log.append(topic, [*values("a"), Message(None, b"x" * (MESSAGE_BYTES_MAX + 1))])
    with pytest.raises(MessageTooLarge):
        log.send(topic, Message(b"k", b"x" * MESSAGE_BYTES_MAX))
    assert log.bounds(topic, 0) == (0, 0)
    assert log.append(topic, [Message(None, b"x" * MESSAGE_BYTES_MAX)] * 3) == [0, 1, 2]


def test_a_missing_topic_is_named(log: Log, topic: str) -> None:
    with pytest.raises(TopicMissing) as missing:
        log.topic_ids([topic, "nowhere", "never"])
    assert missing.value.topics == ("nowhere", "never")
    for call in (log.partitions, log.config, lambda name: log.bounds(name, 0)):
        with pytest.raises(TopicMissing):
            call("nowhere")
    with pytest.raises(TopicMissing):
        log.bounds(topic, 3)
    with pytest.raises(TopicMissing):
        log.follow({(topic, 3): 0})
    with pytest.raises(TopicMissing):
        log.append(topic, values("a", partition=3))


def test_creating_twice_leaves_the_first_as_it_is(log: Log, namespace: str) -> None:
    specs = [TopicSpec(f"{namespace}.{name}", 2, {"retention.ms": "1000"}) for name in "ab"]
    assert log.create(specs[:1]) == [f"{namespace}.a"]
    ids = log.topic_ids([f"{namespace}.a"])
    assert log.create([*specs, TopicSpec(f"{namespace}.a", 5)]) == [f"{namespace}.b"]
    assert log.topic_ids([f"{namespace}.a"]) == ids
    assert log.partitions(f"{namespace}.a") == 2
    assert log.config(f"{namespace}.b") == {"retention.ms": "1000"}


def test_append_time_topics_keep_the_logs_own_time(log: Log, namespace: str) -> None:
    name = f"{namespace}.clicks"
    log.create([TopicSpec(name, 1, {"message.timestamp.type": "LogAppendTime"})])
    log.append(name, [Message(None, b"x", timestamp_ms=1_000_000)])
    (record,) = log.read(name, 0, 0, 1)
    assert abs(record.timestamp_ms / 1000 - time.time()) < 60


def test_a_topic_created_again_is_empty_writable_and_has_another_id(log: Log, topic: str) -> None:
    log.append(topic, values("a", "b"))
    before = log.topic_ids([topic])
    log.delete([topic])
    with pytest.raises(TopicMissing):
        log.topic_ids([topic])
    log.create([TopicSpec(topic, 3)])
    assert log.topic_ids([topic]) != before
    assert log.bounds(topic, 0) == (0, 0)
    assert log.append(topic, values("c")) == [0]
    assert [record.value for record in log.read(topic, 0, 0, 1)] == [b"c"]


def test_reading_goes_over_offset_gaps_and_ends_in_one(
    kafka_log: KafkaLog, kafka_address: str, namespace: str
) -> None:
    """A transaction's end takes an offset that no reader sees, as compaction leaves them too."""
    kafka_log.create([TopicSpec(namespace, 1)])
    producer = KafkaProducer(bootstrap_servers=kafka_address, transactional_id=namespace)
    producer.init_transactions()
    for word in (b"a", b"b"):
        producer.begin_transaction()
        producer.send(namespace, word, partition=0)
        producer.commit_transaction()
    producer.close()
    deadline = time.monotonic() + 10
    while kafka_log.bounds(namespace, 0) != (0, 4) and time.monotonic() < deadline:
        time.sleep(0.05)  # the broker ends a transaction a moment after it says so
    records = list(kafka_log.read(namespace, 0, 0, 4))
    assert [(record.offset, record.value) for record in records] == [(0, b"a"), (2, b"b")]
    assert list(kafka_log.read(namespace, 0, 3, 4)) == []
    follower = kafka_log.follow({(namespace, 0): 0})
    assert len(poll_until(follower, 2)) == 2
    deadline = time.monotonic() + 10
    while follower.position(namespace, 0) < 4 and time.monotonic() < deadline:
        follower.poll(0.1)
    assert follower.position(namespace, 0) == 4
    follower.close()


def test_a_closed_log_of_memory_takes_nothing_more() -> None:
    memory = MemoryLog()
    memory.create([TopicSpec("t", 1)])
    memory.close()
    with pytest.raises(LogUnavailable):
        memory.append("t", values("a"))
