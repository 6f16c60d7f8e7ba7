"""Whose lists may have grown old: the people met last, a bounded number of them."""

from collections import OrderedDict
from dataclasses import dataclass
from heapq import nlargest


@dataclass(slots=True)
class _Age:
    active_ms: int
    made_ms: int  # 0: not known
    blank: bool  # made when the model knew nothing


class RenewalRing:
    """At most `most` people, with when they were active and when their list was made."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[str, _Age] = OrderedDict()  # known from the past first
        self._blanks = 0
        self._oldest_ms = 0  # no list is older: what need not be looked through

    def __len__(self) -> int:
        """Return how many people are held."""
        return len(self._held)

    def active(self, user: str, now_ms: int, *, blank: bool) -> None:
        """Note that somebody did something and got a list."""
        self.forget(user)
        self._held[user] = _Age(now_ms, now_ms, blank)
        self._blanks += blank
        if len(self._held) > self._most:
            _, age = self._held.popitem(last=False)
            self._blanks -= age.blank

    def was_active(self, user: str, then_ms: int) -> None:
        """Note somebody of whom an earlier moment is known, if there is room for them."""
        age = self._held.get(user)
        if age is not None:
            age.active_ms = max(age.active_ms, then_ms)
        elif len(self._held) < self._most:
            self._held[user] = _Age(then_ms, 0, False)
            self._held.move_to_end(user, last=False)
            self._oldest_ms = 0

    def made(self, user: str, made_ms: int) -> None:
        """Note when somebody's list was made, which makes them no more active."""
        age = self._held.get(user)
        if age is not None:
            self._blanks -= age.blank
            age.made_ms, age.blank = made_ms, False
            self._oldest_ms = min(self._oldest_ms, made_ms)

    def forget(self, user: str) -> None:
        """Let go of somebody."""
        age = self._held.pop(user, None)
        if age is not None:
            self._blanks -= age.blank

    def clear(self) -> None:
        """Let go of all."""
        self._held.clear()
        self._blanks = 0

    def due(
        self, made_before_ms: int, blank_before_ms: int, active_since_ms: int, most: int
    ) -> dict[str, int]:
        """Return whose lists are too old and when they were made, most recently active first.

        Lists made of nothing are so `blank_before_ms` already. Who was not active since then is
        forgotten.
        """
        if made_before_ms <= self._oldest_ms and not (self._blanks and blank_before_ms):
            return {}
        gone = [user for user, age in self._held.items() if age.active_ms < active_since_ms]
        for user in gone:
            self.forget(user)
        found = [
            (age.active_ms, user)
            for user, age in self._held.items()
            if age.made_ms < made_before_ms or (age.blank and age.made_ms < blank_before_ms)
        ]
        if not found:
            self._oldest_ms = min((a.made_ms for a in self._held.values()), default=made_before_ms)
        return {user: self._held[user].made_ms for _, user in nlargest(most, found)}
