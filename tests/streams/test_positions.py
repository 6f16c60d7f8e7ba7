"""Where each partition goes on: repeats are skipped, gaps are read, the store is the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from millstream.exporters.memory_store import MemoryStore
from millstream.streams.log import LogUnavailable, TopicSpec
from millstream.streams.memory_log import MemoryLog
from millstream.streams.patience import Patience
from millstream.streams.positions import Positions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.streams.conftest import System

    from millstream.streams.log import Record

TP = ("clicks", 0)


class Partitioned:
    """One topic of a log in memory, a store, and positions over both."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.log = system.log
        self.store = system.store
        self.patience = system.patience()

    def positions(self) -> Positions:
        positions = Positions("recommend", self.log, self.store, self.patience)
        positions.take([TP])
        return positions

    def publish(self, count: int) -> list[Record]:
        return [self.system.raw(b"%d" % n, partition=0) for n in range(count)]

    def stored(self) -> int | None:
        topic_id = self.log.topic_ids(["clicks"])["clicks"]
        return self.store.progress("recommend").get(f"{topic_id}:0")

    def move(self, offset: int) -> None:
        """Change progress as another worker would."""
        topic_id = self.log.topic_ids(["clicks"])["clicks"]
        moves = {f"{topic_id}:0": (self.stored(), offset)}
        assert self.store.advance("recommend", moves) == {}


@pytest.fixture
def one(system: System) -> Partitioned:
    return Partitioned(system)


def offsets(records: Iterable[Record]) -> list[int]:
    return [record.offset for record in records]


def test_what_is_unknown_begins_at_the_beginning_and_goes_on_from_what_was_stored(
    one: Partitioned,
) -> None:
    records = one.publish(5)
    first = one.positions()
    assert first.owned() == {TP: 0}
    assert offsets(first.in_order(records[:3])) == [0, 1, 2]
    assert first.store()
    assert one.stored() == 3
    assert one.positions().owned() == {TP: 3}


def test_repeats_are_skipped_and_what_is_not_owned_is_left_alone(one: Partitioned) -> None:
    records = one.publish(4)
    foreign = one.system.raw(b"x", partition=1)
    positions = one.positions()
    given = [records[0], records[1], records[0], foreign, records[1], records[2], records[3]]
    assert offsets(positions.in_order(given)) == [0, 1, 2, 3]
    assert offsets(positions.in_order(given)) == []
    assert positions.gaps == 0


def test_a_gap_is_read_from_the_log_before_going_on(one: Partitioned) -> None:
    records = one.publish(6)
    positions = one.positions()
    assert offsets(positions.in_order([records[0], records[4]])) == [0, 1, 2, 3, 4]
    assert positions.gaps == 1
    assert offsets(positions.behind()) == [5]
    assert offsets(positions.behind()) == []


def test_what_retention_removed_is_counted_and_the_rest_is_read(one: Partitioned) -> None:
    records = one.publish(6)
    positions = one.positions()
    list(positions.in_order(records[:1]))
    one.log.remove("clicks", 0, 4)
    assert offsets(positions.in_order([records[5]])) == [4, 5]
    assert positions.removed == 3
    assert positions.owned() == {TP: 6}


def test_stored_progress_below_the_logs_begin_is_counted_as_removed(one: Partitioned) -> None:
    one.publish(6)
    one.move(1)
    one.log.remove("clicks", 0, 4)
    positions = one.positions()
    assert offsets(positions.behind()) == [4, 5]
    assert positions.removed == 3


def test_progress_beyond_the_end_goes_on_at_the_end(one: Partitioned) -> None:
    one.publish(2)
    one.move(9)
    positions = one.positions()
    assert positions.owned() == {TP: 2}
    assert positions.store()
    assert one.stored() == 2


def test_storing_again_what_is_stored_asks_nobody(one: Partitioned) -> None:
    positions = one.positions()
    assert positions.store()
    one.move(1)
    assert positions.store(), "there was nothing to write, so nothing was found out"
    assert one.stored() == 1


@pytest.mark.parametrize("theirs", [1, 5])
def test_progress_that_another_has_moved_is_taken_over(one: Partitioned, theirs: int) -> None:
    records = one.publish(6)
    positions = one.positions()
    list(positions.in_order(records[:3]))
    one.move(theirs)
    assert not positions.store()
    assert one.stored() == theirs, "theirs was not overwritten"
    assert positions.owned() == {TP: theirs}
    assert offsets(positions.behind()) == list(range(theirs, 6))
    assert positions.store()
    assert one.stored() == 6


def test_progress_that_moved_while_a_gap_is_read_sends_the_reading_back(one: Partitioned) -> None:
    """A flushed store in the middle of a long gap: nothing between may be stepped over."""
    records = one.publish(8)
    positions = one.positions()
    list(positions.in_order(records[:3]))
    assert positions.store()
    reading = positions.in_order([records[7]])
    met = offsets([next(reading), next(reading)])
    assert isinstance(one.store, MemoryStore)
    one.store.__init__()  # type: ignore[misc]
    assert not positions.store()
    assert met + offsets(reading) == [3, 4, 0, 1, 2, 3, 4, 5, 6, 7]
    assert positions.store()
    assert one.stored() == 8


def test_progress_that_moved_on_while_a_gap_is_read_is_not_set_back(one: Partitioned) -> None:
    records = one.publish(8)
    positions = one.positions()
    reading = positions.in_order([records[4], records[5]])
    assert next(reading).offset == 0
    one.move(7)
    assert not positions.store()
    assert offsets(reading) == []
    assert positions.owned() == {TP: 7}


def test_a_topic_that_was_created_anew_begins_at_its_start(one: Partitioned) -> None:
    records = one.publish(5)
    positions = one.positions()
    list(positions.in_order(records))
    positions.store()
    config = one.log.config("clicks")
    one.log.delete(["clicks"])
    one.log.create([TopicSpec("clicks", 2, config)])
    one.publish(2)
    again = one.positions()
    assert again.owned() == {TP: 0}
    assert offsets(again.behind()) == [0, 1]
    assert again.store()
    assert sorted(one.store.progress("recommend").values()) == [2, 5]


def test_a_log_that_is_away_for_a_moment_is_waited_for(system: System) -> None:
    class Away(MemoryLog):
        """Fails the first calls of each kind."""

        failures = 2

        def bounds(self, topic: str, partition: int) -> tuple[int, int]:
            if self.failures:
                self.failures -= 1
                raise LogUnavailable("away", retry_after_s=0.001)
            return super().bounds(topic, partition)

    log = Away()
    log.create([TopicSpec("clicks", 1)])
    waits: list[str] = []
    positions = Positions("recommend", log, MemoryStore(), Patience(system.stopping, waits.append))
    assert positions.take([TP]) == {TP: 0}
    assert waits == ["away"]
