"""Whose turn it is when everybody waits for their own list, and how long a list is waited for."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.streams.clocks import FakeClock

from millstream.exporters.errors import StoreUnavailable
from millstream.exporters.memory_store import MemoryStore
from millstream.exporters.store import UserWrite
from millstream.streams.errors import WorldMissing
from millstream.streams.faithful import AHEAD, Turns, Waiting
from millstream.streams.listing import Listing, encode_listing


def test_others_go_ahead_of_one_who_waits() -> None:
    turns = Turns(["a", "a", "b", "a", "c"])
    assert turns.take((), 5, 10) == [0, 2, 4]
    assert turns.take({"a"}, 5, 10) == []
    assert turns.take((), 5, 10) == [1]
    assert turns.take((), 5, 10) == [3]
    assert turns.take((), 5, 10) == []


def test_nobody_goes_further_ahead_than_the_bound() -> None:
    turns = Turns(["slow", *(f"u{n}" for n in range(3 * AHEAD))])
    assert turns.take({"slow"}, 3 * AHEAD, 1000) == list(range(1, AHEAD))
    assert turns.take({"slow"}, 3 * AHEAD, 1000) == []
    assert turns.take((), 3 * AHEAD, 3)[0] == 0


@given(
    users=st.lists(st.sampled_from("abcde"), max_size=60),
    busy=st.lists(st.sets(st.sampled_from("abcde"), max_size=4), max_size=40),
    most=st.integers(1, 7),
)
def test_every_row_has_its_turn_once_and_in_its_users_order(
    users: list[str], busy: list[set[str]], most: int
) -> None:
    turns, taken = Turns(users), list[int]()
    for waited_for in [*busy, *([set[str]()] * (len(users) + 1))]:
        rows = turns.take(waited_for, len(users), most)
        assert len(rows) <= most
        assert len({users[row] for row in rows}) == len(rows)
        assert not {users[row] for row in rows} & waited_for
        taken += rows
    assert sorted(taken) == list(range(len(users)))
    for user in set(users):
        theirs = [row for row in taken if users[row] == user]
        assert theirs == sorted(theirs)


@given(stop=st.integers(0, 12), most=st.integers(1, 5))
def test_rows_that_are_not_due_stay(stop: int, most: int) -> None:
    rows = Turns([f"u{n}" for n in range(10)]).take((), stop, most)
    assert rows == list(range(min(stop, most, 10)))


def answer(store: MemoryStore, user: str, partition: str, offset: int) -> None:
    listing = encode_listing(Listing("l", user, 0, {partition: offset + 1}, 0, "", [], []))
    (old,) = store.profiles([user])
    write = UserWrite(user, (old or b"")[:8], f"{offset:08d}-".encode(), listing)
    assert store.write_users([write]) == [True]


def test_a_list_that_has_taken_in_the_event_ends_the_wait_and_an_older_one_does_not() -> None:
    store = MemoryStore()
    waiting = Waiting(store, 10.0, FakeClock())
    waiting.expect("a", "clicks-3", 7)
    answer(store, "a", "clicks-3", 6)
    waiting.look()
    assert "a" in waiting.users
    answer(store, "a", "clicks-3", 7)
    waiting.look()
    assert len(waiting) == 0
    assert waiting.unanswered == 0


def test_each_list_is_waited_for_from_its_own_event_on() -> None:
    clock = FakeClock()
    waiting = Waiting(MemoryStore(), 10.0, clock)
    waiting.expect("a", "clicks-0", 0)
    clock.sleep(6)
    waiting.expect("b", "clicks-0", 1)
    clock.sleep(6)
    waiting.look()
    assert waiting.unanswered == 1
    assert "b" in waiting.users


def test_many_lists_late_at_once_are_an_outage_only_when_none_has_come_for_long() -> None:
    store, clock = MemoryStore(), FakeClock()
    waiting = Waiting(store, 10.0, clock)
    for second in range(12):
        waiting.expect(f"u{second}", "clicks-0", second)
        clock.sleep(1)
        waiting.look()
    assert waiting.unanswered == 3
    answer(store, "u5", "clicks-0", 5)
    clock.sleep(3)
    waiting.look()
    clock.sleep(29)
    waiting.look()  # 29 s after the last list
    assert waiting.unanswered == 11
    waiting.expect("late", "clicks-0", 12)
    clock.sleep(10)
    with pytest.raises(WorldMissing, match="millstream worker all"):
        waiting.look()


class UnreadableStore(MemoryStore):
    """A store whose lists cannot be read while `away`."""

    away = False

    def listings(self, users: Sequence[str]) -> list[bytes | None]:
        if self.away:
            raise StoreUnavailable("Redis at nowhere does not answer: timed out", 0.1)
        return super().listings(users)


def test_a_store_that_does_not_answer_for_a_while_only_takes_that_while() -> None:
    store, clock = UnreadableStore(), FakeClock()
    waiting = Waiting(store, 10.0, clock)
    waiting.expect("a", "clicks-3", 7)
    answer(store, "a", "clicks-3", 7)
    store.away = True
    waiting.look()
    clock.sleep(9)
    waiting.look()
    assert "a" in waiting.users
    store.away = False
    waiting.look()
    assert (len(waiting), waiting.unanswered) == (0, 0)


@pytest.mark.parametrize(
    ("back", "said"),
    [(False, "no list could be read for 30 s: Redis at nowhere"), (True, "is a worker running")],
)
def test_what_was_last_wrong_is_what_ends_the_wait(back: bool, said: str) -> None:
    store, clock = UnreadableStore(), FakeClock()
    store.away = True
    waiting = Waiting(store, 10.0, clock)
    waiting.expect("a", "clicks-3", 7)
    waiting.look()
    clock.sleep(30)
    store.away = not back
    with pytest.raises(WorldMissing, match=said) as ended:
        waiting.look()
    assert isinstance(ended.value.__cause__, StoreUnavailable) is not back
