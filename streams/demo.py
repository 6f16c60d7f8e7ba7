"""The demonstration: history at full speed, then people live, then an audit of all of it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec
import numpy as np

from millstream.exporters.store import Store
from millstream.streams.datasets import EventTable
from millstream.streams.errors import FoundWrong
from millstream.streams.listing import decode_listing
from millstream.streams.log import Log, Message
from millstream.streams.memory_log import choose_partition
from millstream.streams.replay import Replay, new_run
from millstream.streams.settings import EVENT_ROLES, Settings

ANSWER_S: Final = 30.0
QUIET_S: Final = 120.0
POLL_S: Final = 0.001

Tick = Callable[[str, int, int], None]


class Alive(Protocol):
    """The workers that a demo leans on."""

    def check(self) -> None:
        """Raise when one of them has ended."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An event of the live part and how long its user's list took to follow."""

    user: str
    item: str
    list_ms: float


@dataclass(slots=True)
class Demo:
    """Plays a table in two parts and measures both from outside, as a reader of Redis would."""

    settings: Settings
    log: Log
    store: Store
    workers: Alive
    table: EventTable
    history: int  # events played at full speed first
    rate: float
    tick: Tick = lambda *_: None
    run: str = field(default_factory=lambda: new_run(time.time_ns() // 1_000_000))
    list_ms: list[float] = field(default_factory=list)
    events_per_second: float = 0.0

    def play_history(self) -> None:
        """Publish the first part at full speed and wait until its lists are written."""
        self._play(0, 1)  # whoever answers it has started
        started = time.monotonic()
        self._play(1, self.history)
        self.events_per_second = round((self.history - 1) / (time.monotonic() - started), 1)

    def _play(self, start: int, stop: int) -> None:
        before = self._applied()
        part = _part(self.table, start, stop)
        self._replay(start).publish(part)
        until = time.monotonic() + QUIET_S
        while (done := self._applied() - before) < len(part):
            self._patience(until, "the history to be applied")
            self.tick("history", done, len(part))
            time.sleep(0.05)

    def play_live(self) -> Iterator[Answered]:
        """Publish the rest at the rate; yield each event whose user's list has followed it."""
        replay = self._replay(self.history)
        topics = {role: self.settings.topics.name(role) for role in EVENT_ROLES}
        partitions = {role: self.log.partitions(topic) for role, topic in topics.items()}
        began = time.monotonic()
        part = _part(self.table, self.history, len(self.table))
        for row in range(len(part)):
            role, message = replay.message(part, row)
            partition = choose_partition(message.key, partitions[role])
            placed = Message(message.key, message.value, (), partition)
            while (ahead := row / self.rate - (time.monotonic() - began)) > 0:
                time.sleep(min(ahead, 0.1))
            sent = time.monotonic()
            offset = self.log.append(topics[role], [placed])[0]
            self._await_list(part.users[row], f"{role}-{partition}", offset)
            took_ms = (time.monotonic() - sent) * 1000
            self.list_ms.append(took_ms)
            self.tick("live", row + 1, len(part))
            yield Answered(part.users[row], part.items[row], took_ms)

    def settle(self) -> None:
        """Wait until the item model has learnt everything and the replicas have said so."""
        until = time.monotonic() + QUIET_S
        topic = self.settings.topics.name("interactions")
        while True:
            _, end = self.log.bounds(topic, 0)
            said = [msgspec.json.decode(v)["model"] for v in self.store.digests().values()]
            if end in said or not end:
                return
            self._patience(until, "the item model to catch up")
            time.sleep(0.1)

    def figures(self) -> dict[str, object]:
        """Return what was measured."""
        waits = self.list_ms or [0.0]
        p50, p99 = np.percentile(waits, [50, 99])
        return {
            "event_to_list_ms": {"p50": round(float(p50), 2), "p99": round(float(p99), 2)},
            "events_per_second": self.events_per_second,
        }

    def persons(self, most: int) -> list[str]:
        """Return the busiest persons of the live part."""
        live = Counter(self.table.users[self.history :])
        return [user for user, _ in live.most_common(most)]

    def _replay(self, start: int) -> Replay:
        return Replay(self.log, self.settings, f"{self.run}-{start}")

    def _await_list(self, user: str, slot: str, offset: int) -> None:
        until = time.monotonic() + ANSWER_S
        while True:
            stored = self.store.listings([user])[0]
            if stored is not None and decode_listing(stored).as_of.get(slot, 0) > offset:
                return
            self._patience(until, f"the list of user {user}")
            time.sleep(POLL_S)

    def _applied(self) -> int:
        return sum(self.store.progress("recommend").values())

    def _patience(self, until: float, what: str) -> None:
        self.workers.check()
        if time.monotonic() > until:
            raise FoundWrong(f"waited in vain for {what}; the workers' logs say why")


def _part(table: EventTable, start: int, stop: int) -> EventTable:
    return EventTable(
        table.name,
        table.users[start:stop],
        table.items[start:stop],
        table.ts_ms[start:stop],
        table.types[start:stop],
        table.values[start:stop],
    )
