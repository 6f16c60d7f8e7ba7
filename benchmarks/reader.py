"""A reader of Redis in a process of its own: when does a person's list cover an event?"""

import multiprocessing
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final, NamedTuple, Self

import msgspec

from millstream.streams.settings import Settings
from millstream.streams.world import open_store

POLL_S: Final = 0.001
LATE_S: Final = 30.0


class Sent(NamedTuple):
    """An event: whose, where it stands in the log (`clicks-3`, 1042), when it was sent."""

    user: str
    slot: str
    offset: int
    sent_ns: int


class Seen(NamedTuple):
    """Milliseconds from send to list of each event, and how many no list has covered."""

    latencies_ms: list[float]
    unanswered: int


class _AsOf(msgspec.Struct):
    as_of: dict[str, int]


@dataclass(slots=True)
class Reader:
    """Follows events by polling the lists of their users, until `close`."""

    settings: Settings
    _events: Connection = field(init=False)
    _answer: Connection = field(init=False)
    _process: multiprocessing.process.BaseProcess = field(init=False)

    def start(self) -> Self:
        """Start the process."""
        # Not a fork: threads of Kafka clients live in this process.
        spawning = multiprocessing.get_context("spawn")
        events, self._events = spawning.Pipe(duplex=False)
        self._answer, answer = spawning.Pipe(duplex=False)
        self._process = spawning.Process(target=_read, args=(self.settings, events, answer))
        self._process.start()
        self._answer.recv()  # it is there
        return self

    def follow(self, sent: Sent) -> None:
        """Begin to look for an event; called from one thread."""
        self._events.send(sent)

    def close(self) -> Seen:
        """Wait until every event is covered, or 30 s, and return what was seen."""
        self._events.send(None)
        seen: Seen = self._answer.recv()
        self._process.join()
        return seen


def _read(settings: Settings, events: Connection, answer: Connection) -> None:
    store = open_store(settings)
    decode = msgspec.json.Decoder(_AsOf).decode
    waiting: dict[str, list[Sent]] = {}
    latencies_ms: list[float] = []
    last_event_s: float | None = None
    answer.send("ready")
    while last_event_s is None or (waiting and time.monotonic() - last_event_s < LATE_S):
        while events.poll(0):
            sent: Sent | None = events.recv()
            if sent is None:
                last_event_s = time.monotonic()
                break
            waiting.setdefault(sent.user, []).append(sent)
        users = list(waiting)
        lists = store.listings(users) if users else []
        now_ns = time.monotonic_ns()
        for user, stored in zip(users, lists, strict=True):
            as_of = decode(stored).as_of if stored is not None else {}
            left = [sent for sent in waiting[user] if as_of.get(sent.slot, 0) <= sent.offset]
            covered = [sent for sent in waiting[user] if sent not in left]
            latencies_ms.extend((now_ns - sent.sent_ns) / 1e6 for sent in covered)
            if left:
                waiting[user] = left
            else:
                del waiting[user]
        time.sleep(POLL_S)
    store.close()
    answer.send(Seen(latencies_ms, sum(map(len, waiting.values()))))
