"""People as they are: each acts on their own list, and nobody waits for anybody else's."""

from collections import deque
from collections.abc import Container, Sequence
from typing import Final, Protocol

import msgspec

from millstream.exporters.errors import StoreUnavailable
from millstream.exporters.store import Store
from millstream.streams.errors import WorldMissing

AHEAD: Final = 200
"""How many events later in the table may go before one whose user waits. Half of the rows of
MovieLens follow a row of the same user: waiting in line, each would cost all a list's time."""
SILENT_MAX: Final = 3


class Clock(Protocol):
    """Time as the replay knows it."""

    def monotonic(self) -> float:
        """Return seconds that only go forward."""

    def sleep(self, seconds: float) -> None:
        """Return after so many seconds."""


class Turns:
    """Whose event is next: each user's own order is kept, and the table's within AHEAD."""

    def __init__(self, users: Sequence[str]) -> None:
        """Begin at the first row."""
        self._users = users
        self._passed: deque[int] = deque()  # rows that have been passed by, ascending
        self._next = 0

    def take(self, busy: Container[str], stop: int, most: int) -> list[int]:
        """Return rows below `stop` whose users are free, one a user, ascending; at most `most`."""
        users, taken, passed = self._users, list[int](), deque[int]()
        closed: set[str] = set()  # their turn is later: busy, or in this lot, or passed by
        while len(taken) < most and self._has_next(stop, passed):
            row = self._passed.popleft() if self._passed else self._next
            self._next = max(self._next, row + 1)
            if users[row] in closed or users[row] in busy:
                passed.append(row)
            else:
                taken.append(row)
            closed.add(users[row])
        self._passed = passed + self._passed
        return taken

    def _has_next(self, stop: int, passed: Sequence[int]) -> bool:
        if self._passed:
            return True
        oldest = passed[0] if passed else self._next
        return self._next < min(stop, len(self._users), oldest + AHEAD)


class _AsOf(msgspec.Struct):
    as_of: dict[str, int]


class Waiting:
    """Who has an event under way, where it stands in the log, and since when."""

    def __init__(self, store: Store, answer_s: float, clock: Clock) -> None:
        """Begin with nobody; a list is waited for `answer_s`."""
        self.unanswered = 0
        self._store = store
        self._answer_s = answer_s
        self._clock = clock
        self._decode = msgspec.json.Decoder(_AsOf).decode
        self._expected: dict[str, tuple[str, int, float]] = {}
        self._silent_since: float | None = None
        self._fault: StoreUnavailable | None = None  # why lists could not be read when last asked

    @property
    def users(self) -> Container[str]:
        """Return who is waited for."""
        return self._expected.keys()

    def __len__(self) -> int:
        """Return how many are waited for."""
        return len(self._expected)

    def expect(self, user: str, partition: str, offset: int) -> None:
        """Note that a user's list has an event to take in."""
        now = self._clock.monotonic()
        self._expected[user] = (partition, offset, now)
        if self._silent_since is None:
            self._silent_since = now

    def look(self) -> None:
        """Let go of those whose lists have come, and count those whose list has not in time.

        A store that does not answer is one that has no list yet. Raises WorldMissing when no list
        at all has come for SILENT_MAX times as long.
        """
        if not self._expected:
            return
        users, now = list(self._expected), self._clock.monotonic()
        for user, listing in zip(users, self._listings(users), strict=True):
            partition, offset, since = self._expected[user]
            if listing and self._decode(listing).as_of.get(partition, 0) > offset:
                del self._expected[user]
                self._silent_since = None
            elif now - since >= self._answer_s:
                del self._expected[user]
                self.unanswered += 1
        if self._silent_since is None and self._expected:
            self._silent_since = now
        silent_s = SILENT_MAX * self._answer_s
        if self._silent_since is not None and now - self._silent_since >= silent_s:
            raise WorldMissing(self._silence(silent_s)) from self._fault

    def _listings(self, users: Sequence[str]) -> Sequence[bytes | None]:
        try:
            listings = self._store.listings(users)
        except StoreUnavailable as fault:
            self._fault = fault
            return [None] * len(users)
        self._fault = None
        return listings

    def _silence(self, silent_s: float) -> str:
        if self._fault is not None:
            return f"no list could be read for {silent_s:.0f} s: {self._fault}"
        return (
            f"no list has followed its event for {silent_s:.0f} s; is a worker running? "
            "Start one with: millstream worker all"
        )
