"""Replaying: what is published, where, how fast, and waiting for lists."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import pytest
from tests.streams.clocks import FakeClock

from millstream.exporters.memory_store import MemoryStore
from millstream.exporters.store import UserWrite
from millstream.models.event import Event
from millstream.streams.datasets import EventTable
from millstream.streams.decode import record_decoder
from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.listing import Listing, decode_listing, encode_listing
from millstream.streams.log import Log, Record, TopicMissing
from millstream.streams.memory_log import MemoryLog
from millstream.streams.replay import Replay, new_run
from millstream.streams.settings import EVENT_ROLES, Settings
from millstream.streams.settings_reader import load_settings
from millstream.streams.topics import ensure_topics

T = 1_700_000_000_000


def table(n: int, users: int = 3, type_: str = "click", value: float = 0.0) -> EventTable:
    return EventTable(
        "t",
        [f"u{row % users}" for row in range(n)],
        [f"i{row}" for row in range(n)],
        [T + row for row in range(n)],
        [type_] * n,
        [value] * n,
    )


def records(log: Log, settings: Settings) -> list[Record]:
    found = []
    for role in EVENT_ROLES:
        topic = settings.topics.name(role)
        for partition in range(log.partitions(topic)):
            begin, end = log.bounds(topic, partition)
            found += list(log.read(topic, partition, begin, end))
    return found


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
def log(settings: Settings) -> MemoryLog:
    log = MemoryLog()
    ensure_topics(log, settings)
    return log


def test_what_is_published_decodes_to_the_rows(log: MemoryLog, settings: Settings) -> None:
    done = Replay(log, settings, "r1").publish(table(20))
    assert done.published == 20
    decode = record_decoder(settings)
    events = sorted(
        (e for r in records(log, settings) if isinstance(e := decode(r), Event)), key=by_id
    )
    assert events == [
        Event(f"r1-{row:08d}", f"u{row % 3}", f"i{row}", "click", T + row) for row in range(20)
    ]


def by_id(event: Event) -> str:
    return event.id


@pytest.mark.parametrize(
    ("type_", "topic"),
    [
        ("click", "clicks"),
        ("cart", "clicks"),
        ("purchase", "clicks"),
        ("view", "views"),
        ("impression", "views"),
        ("dwell", "views"),
        ("rating", "feedback"),
        ("like", "feedback"),
        ("hide", "feedback"),
    ],
)
def test_the_type_says_which_topic(
    log: MemoryLog, settings: Settings, type_: str, topic: str
) -> None:
    Replay(log, settings, "r").publish(table(1, type_=type_, value=4.0))
    (record,) = records(log, settings)
    assert record.topic == topic
    assert record.key == b"u0"
    event = record_decoder(settings)(record)
    assert isinstance(event, Event)
    assert (event.type, event.value) == (type_, 4.0)


def test_a_teams_own_names_are_written() -> None:
    settings = load_settings(
        environ={"MILLSTREAM_FIELDS_USER": "customer", "MILLSTREAM_TOPICS_NAMESPACE": "x"}
    )
    log = MemoryLog()
    ensure_topics(log, settings)
    Replay(log, settings, "r").publish(table(1))
    (record,) = records(log, settings)
    assert record.topic == "x.clicks"
    assert record.value is not None
    assert msgspec.json.decode(record.value)["customer"] == "u0"
    assert isinstance(record_decoder(settings)(record), Event)


def test_a_rate_is_kept(log: MemoryLog, settings: Settings) -> None:
    clock = FakeClock()
    done = Replay(log, settings, "r", rate=50.0, clock=clock).publish(table(101))
    assert done.seconds == pytest.approx(2.0)
    assert done.events_per_second == pytest.approx(50.5)


def test_progress_is_told_to_the_end(log: MemoryLog, settings: Settings) -> None:
    told: list[int] = []
    Replay(log, settings, "r", tick=told.append).publish(table(450))
    assert told == sorted(told)
    assert told[-1] == 450


def test_what_workers_would_reject_is_not_published(log: MemoryLog, settings: Settings) -> None:
    early = table(1)
    early.ts_ms[0] = 5_000
    with pytest.raises(BadUsage, match="1970-01-01 is no time that workers take"):
        Replay(log, settings, "r").publish(early)
    for run in ("", "a\nb", "x" * 120):
        with pytest.raises(BadUsage, match="--run"):
            Replay(log, settings, run).publish(table(1))
    for rate in (0.0, -1.0, float("nan")):
        with pytest.raises(BadUsage, match="--rate"):
            Replay(log, settings, "r", rate=rate).publish(table(1))
    assert records(log, settings) == []


def test_missing_topics_are_named_before_anything_is_published(settings: Settings) -> None:
    with pytest.raises(TopicMissing, match="millstream topics create"):
        Replay(MemoryLog(), settings, "r").publish(table(1))


def test_runs_have_short_names_that_differ_and_ids_of_16_bytes() -> None:
    names = {new_run(T + 100 * n) for n in range(1000)}
    assert len(names) == 1000
    assert {len(name) + 1 + 8 for name in names} == {16}


@contextmanager
def slow_worker(
    log: MemoryLog, store: MemoryStore, settings: Settings
) -> Iterator[list[list[str]]]:
    """Answer events with lists that have taken them in; yields the users of each batch taken."""
    starts = {
        (settings.topics.name(role), partition): 0
        for role in EVENT_ROLES
        for partition in range(settings.topics.event_partitions)
    }
    follower, stop, batches = log.follow(starts), threading.Event(), list[list[str]]()

    def answer() -> None:
        while not stop.wait(0.01):
            batch = follower.poll(0.01)
            batches.append([(record.key or b"").decode() for record in batch])
            for number, record in enumerate(batch):
                user = (record.key or b"").decode()
                as_of = {f"{record.topic}-{record.partition}": record.offset + 1}
                listing = encode_listing(Listing("l", user, T, as_of, 0, "", [], []))
                (old,) = store.profiles([user])
                profile = f"{len(batches):04d}{number:04d}-".encode()
                write = UserWrite(user, (old or b"")[:8], profile, listing)
                assert store.write_users([write]) == [True]

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield batches
    finally:
        stop.set()
        thread.join()
        follower.close()


def test_faithful_waits_for_each_users_list(log: MemoryLog, settings: Settings) -> None:
    store = MemoryStore()
    with slow_worker(log, store, settings) as batches:
        done = Replay(log, settings, "r").publish_faithfully(table(40, users=4), store)
    assert (done.published, done.unanswered) == (40, 0)
    assert sum(map(len, batches)) == 40
    assert all(len(set(batch)) == len(batch) for batch in batches)


def test_faithful_shows_what_each_person_sees_when_they_choose(
    log: MemoryLog, settings: Settings
) -> None:
    store, events = MemoryStore(), table(30, users=3)
    lists: dict[int, int] = {}  # row -> how many of its user's events their list has taken in

    def before(rows: Sequence[int]) -> None:
        for row in rows:
            (stored,) = store.listings([events.users[row]])
            lists[row] = sum(decode_listing(stored).as_of.values()) if stored else 0

    with slow_worker(log, store, settings):
        Replay(log, settings, "r").publish_faithfully(events, store, before=before)
    assert sorted(lists) == list(range(30))
    # A partition may hold several users: an offset counts at least the user's own events.
    assert all(lists[row] >= row // 3 for row in lists)


def test_faithful_keeps_a_rate_too(log: MemoryLog, settings: Settings) -> None:
    store = MemoryStore()
    with slow_worker(log, store, settings):
        replay = Replay(log, settings, "r", rate=100.0)
        done = replay.publish_faithfully(table(31, users=31), store)
    assert done.published == 31
    assert done.seconds >= 0.3


def test_faithful_gives_up_when_nobody_makes_lists(log: MemoryLog, settings: Settings) -> None:
    clock = FakeClock()
    replay = Replay(log, settings, "r", clock=clock)
    with pytest.raises(WorldMissing, match="millstream worker all"):
        replay.publish_faithfully(table(60, users=1), MemoryStore(), answer_s=10.0)
    assert clock.now == pytest.approx(30.0, abs=0.1)
    assert len(records(log, settings)) == 3


def test_one_list_that_does_not_come_is_counted_and_passed_by(
    log: MemoryLog, settings: Settings
) -> None:
    clock = FakeClock()
    replay = Replay(log, settings, "r", clock=clock)
    done = replay.publish_faithfully(table(2, users=2), MemoryStore(), answer_s=1.0)
    assert (done.published, done.unanswered) == (2, 2)
