"""A table of events into the log: as fast as it takes them, at a rate, or as people would."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import msgspec

from millstream.exporters.store import Store
from millstream.streams.datasets import EventTable
from millstream.streams.errors import BadUsage
from millstream.streams.event_fields import ID_BYTES_MAX, TS_MAX_MS, TS_MIN_MS, valid_id
from millstream.streams.faithful import Clock, Turns, Waiting
from millstream.streams.log import Log, Message
from millstream.streams.memory_log import choose_partition
from millstream.streams.settings import EVENT_ROLES, Role, Settings

ROLES: Final[dict[str, Role]] = {
    "view": "views",
    "impression": "views",
    "dwell": "views",
    "click": "clicks",
    "cart": "clicks",
    "purchase": "clicks",
}
"""The topic of each type; all others are feedback."""

ANSWER_S: Final = 10.0
POLL_S: Final = 0.002
AT_ONCE: Final = 200
ROW_DIGITS: Final = 8
RUN_BYTES_MAX: Final = ID_BYTES_MAX - ROW_DIGITS - 1
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


class Replayed(msgspec.Struct, frozen=True):
    """What a replay did; `unanswered` events were waited for in vain (--faithful)."""

    run: str
    published: int
    seconds: float
    events_per_second: float
    unanswered: int = 0


@dataclass(slots=True)
class Replay:
    """Publishes a table. Ids are `run`-row, so that a repeat of a run is harmless."""

    log: Log
    settings: Settings
    run: str
    rate: float | None = None
    tick: Callable[[int], None] = lambda _: None
    clock: Clock = time
    _encode: Callable[[object], bytes] = field(default=msgspec.json.Encoder().encode, init=False)

    def publish(self, table: EventTable) -> Replayed:
        """Publish all of it without waiting for anybody, and return when the log has it."""
        self._check(table)
        began = self.clock.monotonic()
        for row in range(len(table)):
            self._pace(row, began)
            role, message = self.message(table, row)
            self.log.send(self.settings.topics.name(role), message)
            if row % AT_ONCE == 0:
                self.tick(row)
        self.log.flush()
        self.tick(len(table))
        return self._done(table, began, 0)

    def publish_faithfully(
        self,
        table: EventTable,
        store: Store,
        answer_s: float = ANSWER_S,
        before: Callable[[Sequence[int]], None] = lambda _: None,
    ) -> Replayed:
        """Publish each event only when its user's list has taken in the one before.

        `before` is called with the rows that are published next: what their users' lists hold is
        what these persons see when they choose. A list that does not come within `answer_s` is
        counted and waited for no longer. Raises WorldMissing when none comes: nobody makes lists.
        """
        self._check(table)
        turns, waiting = Turns(table.users), Waiting(store, answer_s, self.clock)
        partitions = {
            role: self.log.partitions(self.settings.topics.name(role)) for role in EVENT_ROLES
        }
        began = self.clock.monotonic()
        sent = 0
        while sent < len(table) or waiting:
            waiting.look()
            rows = turns.take(waiting.users, self._due(len(table), began), AT_ONCE)
            if rows:
                before(rows)
                self._append(table, rows, partitions, waiting)
                sent += len(rows)
                self.tick(sent)
            else:
                self.clock.sleep(POLL_S)
        return self._done(table, began, waiting.unanswered)

    def message(self, table: EventTable, row: int) -> tuple[Role, Message]:
        """Return a row as it is published, in the team's field names, and where to."""
        names = self.settings.fields
        type_ = table.types[row]
        event: dict[str, object] = {
            names.id: f"{self.run}-{row:0{ROW_DIGITS}d}",
            names.user: table.users[row],
            names.item: table.items[row],
            names.type: type_,
            names.ts: table.ts_ms[row],
        }
        if table.values[row] or type_ == "rating":
            event[names.value] = table.values[row]
        key = table.users[row].encode()
        return ROLES.get(type_, "feedback"), Message(key, self._encode(event))

    def _append(
        self,
        table: EventTable,
        rows: Sequence[int],
        partitions: dict[Role, int],
        waiting: Waiting,
    ) -> None:
        lots: dict[Role, list[tuple[str, Message]]] = {}
        for row in rows:
            role, message = self.message(table, row)
            lots.setdefault(role, []).append((table.users[row], message))
        for role, lot in lots.items():
            placed = [_placed(message, partitions[role]) for _, message in lot]
            offsets = self.log.append(self.settings.topics.name(role), placed)
            for (user, _), message, offset in zip(lot, placed, offsets, strict=True):
                waiting.expect(user, f"{role}-{message.partition}", offset)

    def _check(self, table: EventTable) -> None:
        """Refuse what every worker would reject."""
        run = valid_id(self.run)
        if run is None or len(run.encode()) > RUN_BYTES_MAX:
            raise BadUsage(f"--run {self.run!r}: 1 to {RUN_BYTES_MAX} bytes of text")
        if self.rate is not None and not (self.rate > 0 and math.isfinite(self.rate)):
            raise BadUsage(f"--rate {self.rate}: events a second, more than 0")
        for ts in (table.ts_ms[0], table.ts_ms[-1]) if len(table) else ():
            if not TS_MIN_MS <= ts <= TS_MAX_MS:
                raise BadUsage(
                    f"{table.name}: {_date(ts)} is no time that workers take (1973 to 2106); "
                    "is --ts-unit right?"
                )
        self.log.topic_ids([self.settings.topics.name(role) for role in EVENT_ROLES])

    def _pace(self, row: int, began: float) -> None:
        if self.rate is not None:
            ahead = row / self.rate - (self.clock.monotonic() - began)
            if ahead > 0:
                self.clock.sleep(ahead)

    def _due(self, rows: int, began: float) -> int:
        """Return how many rows may have been published by now."""
        if self.rate is None:
            return rows
        return min(rows, int((self.clock.monotonic() - began) * self.rate) + 1)

    def _done(self, table: EventTable, began: float, unanswered: int) -> Replayed:
        seconds = self.clock.monotonic() - began
        rate = len(table) / seconds if seconds > 0 else 0.0
        return Replayed(self.run, len(table), round(seconds, 3), round(rate, 1), unanswered)


def new_run(now_ms: int) -> str:
    """Return a run's name: 7 bytes, another every tenth of a second for seven years."""
    number = now_ms // 100 % 36**6
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return f"r{digits}"


def _placed(message: Message, partitions: int) -> Message:
    partition = choose_partition(message.key, partitions)
    return Message(message.key, message.value, message.headers, partition)


def _date(ts_ms: int) -> str:
    try:
        return datetime.fromtimestamp(ts_ms / 1000, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{ts_ms} ms"
