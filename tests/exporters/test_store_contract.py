"""What every Store promises: one file, run on Redis and on its twin in memory."""

import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from millstream.exporters.keys import Keys
from millstream.exporters.memory_store import MemoryStore
from millstream.exporters.redis_store import RedisStore
from millstream.exporters.store import DIGESTS_KEPT_MS, Store, UserWrite

STRANGE = [
    "",
    "{}",
    "a}:list",
    "%7B",
    "%",
    "*",
    "?[a]",
    "../..",
    "__proto__",
    "a b",
    "a:similar",
    "é☃😀",
    "عربي",
    "x" * 128,
]


class Subject(NamedTuple):
    store: Store
    age_digests: Callable[[int], None]


@pytest.fixture(params=["memory", "redis"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param == "memory":
        shift = [0]
        store = MemoryStore(clock_ms=lambda: 1_767_225_600_000 + shift[0])

        def later(ms: int) -> None:
            shift[0] += ms

        yield Subject(store, later)
        return
    url: str = request.getfixturevalue("redis_url")
    prefix: str = request.getfixturevalue("namespace")
    client = redis.Redis.from_url(url)
    key = Keys(prefix).digests

    def older(ms: int) -> None:
        for worker, value in client.hgetall(key).items():
            assert isinstance(value, bytes)
            at, _, digest = value.partition(b" ")
            client.hset(key, worker, b"%d %b" % (int(at) - ms, digest))

    redis_store = RedisStore(url, prefix)
    yield Subject(redis_store, older)
    redis_store.close()
    for found in client.scan_iter(f"{prefix}:*"):
        client.delete(found)
    client.close()


@pytest.fixture
def store(subject: Subject) -> Store:
    return subject.store


def write(user: str, was: bytes = b"", now: bytes = b"version1 and more") -> UserWrite:
    return UserWrite(user, was[:8], now, b"list of " + user.encode())


def test_a_user_never_written_has_neither_profile_nor_list(store: Store) -> None:
    assert store.profiles(["nobody", "none"]) == [None, None]
    assert store.listings(["nobody"]) == [None]


def test_nothing_asked_is_nothing_answered(store: Store) -> None:
    assert store.profiles([]) == store.listings([]) == store.items([]) == store.similar([]) == []
    assert store.write_users([]) == store.hidden_among([]) == []
    assert store.advance("app", {}) == {}
    store.write_items({})
    store.write_similar({})
    store.hide([])
    store.unhide([])


def test_profile_and_list_come_back_in_the_order_asked(store: Store) -> None:
    users = [f"u{number}" for number in range(1100)]
    writes = [write(user, now=f"profile {user}".encode()) for user in users]
    assert store.write_users(writes) == [True] * 1100
    asked = [*reversed(users), "nobody", "u3"]
    profiles = [None if user == "nobody" else f"profile {user}".encode() for user in asked]
    assert store.profiles(asked) == profiles
    assert store.listings(["u7", "nobody"]) == [b"list of u7", None]


def test_a_write_on_another_version_is_a_conflict_and_changes_nothing(store: Store) -> None:
    assert store.write_users([write("u1", now=b"version1 x")]) == [True]
    late = UserWrite("u1", b"", b"version2 x", b"late list")
    wrong = UserWrite("u1", b"version0", b"version2 x", b"wrong list")
    assert store.write_users([late, wrong]) == [False, False]
    assert store.profiles(["u1"]) == [b"version1 x"]
    assert store.listings(["u1"]) == [b"list of u1"]


def test_a_conflict_does_not_stop_its_neighbours(store: Store) -> None:
    store.write_users([write("u2")])
    assert store.write_users([write("u1"), write("u2"), write("u3")]) == [True, False, True]


def test_the_version_is_the_first_eight_bytes_whatever_they_are(store: Store) -> None:
    first, second = b"\x00\r\n$\xff\x00\x00\x01rest", b"\x80" * 4096
    assert store.write_users([UserWrite("u1", b"", first, b"\r\n")]) == [True]
    assert store.write_users([UserWrite("u1", first[:8], second, b"")]) == [True]
    assert store.write_users([UserWrite("u1", first[:8], first, b"")]) == [False]
    assert store.profiles(["u1"]) == [second]
    assert store.listings(["u1"]) == [b""]


def test_of_two_writers_on_one_version_exactly_one_wins(store: Store) -> None:
    results: list[bool] = []
    barrier = threading.Barrier(4)

    def attempt(number: int) -> None:
        barrier.wait(10)
        writes = [UserWrite(f"u{u}", b"", b"version%d" % number, b"") for u in range(50)]
        results.extend(store.write_users(writes))

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(results), sum(results)) == (200, 50)


@pytest.mark.parametrize("user", STRANGE)
def test_strange_ids_are_kept_apart_and_come_back_as_they_were(store: Store, user: str) -> None:
    store.write_users([write("plain"), write(user)])
    store.write_items({"plain": b"1", user: b"2"})
    store.write_similar({user: b"3"})
    assert sorted(store.users()) == sorted(["plain", user])
    assert store.listings([user, "plain"]) == [b"list of " + user.encode(), b"list of plain"]
    assert store.items([user, "plain"]) == [b"2", b"1"]
    assert store.similar([user, "plain"]) == [b"3", None]


def test_users_are_all_found_over_many_pages(store: Store) -> None:
    users = {f"u{number}" for number in range(3000)}
    store.write_users([write(user) for user in users])
    assert set(store.users()) == users


def test_progress_begins_empty_and_moves_from_what_was_last_written(store: Store) -> None:
    assert store.progress("recommend") == {}
    assert store.advance("recommend", {"t1:0": (None, 5), "t1:1": (None, 0)}) == {}
    assert store.advance("recommend", {"t1:0": (5, 9), "t2:0": (None, 1)}) == {}
    assert store.progress("recommend") == {"t1:0": 9, "t1:1": 0, "t2:0": 1}


def test_progress_of_one_app_is_not_another_s(store: Store) -> None:
    store.advance("recommend", {"t1:0": (None, 5)})
    assert store.progress("encode") == store.progress("recom") == {}
    assert store.advance("encode", {"t1:0": (None, 3)}) == {}
    assert store.progress("recommend") == {"t1:0": 5}


def test_progress_moves_in_all_fields_or_in_none(store: Store) -> None:
    store.advance("recommend", {"t1:0": (None, 5), "t1:1": (None, 7)})
    moves: dict[str, tuple[int | None, int]] = {
        "t1:0": (5, 6),
        "t1:1": (6, 8),
        "t1:2": (3, 4),
        "t1:3": (None, 1),
    }
    assert store.advance("recommend", moves) == {"t1:1": 7, "t1:2": None}
    assert store.progress("recommend") == {"t1:0": 5, "t1:1": 7}


def test_progress_may_be_set_back_by_who_knows_where_it_stands(store: Store) -> None:
    store.advance("recommend", {"t1:0": (None, 2**53)})
    assert store.advance("recommend", {"t1:0": (2**53, 0)}) == {}
    assert store.progress("recommend") == {"t1:0": 0}


def test_shared_lists_are_replaced_whole(store: Store) -> None:
    assert store.shared("trending") is None
    store.write_shared("trending", b"one")
    store.write_shared("trending", b"two")
    store.write_shared("new", b"three")
    assert [store.shared(name) for name in ("popular", "trending", "new")] == [
        None,
        b"two",
        b"three",
    ]


def test_a_deleted_item_is_gone_with_its_neighbours(store: Store) -> None:
    store.write_items({f"m{number}": b"{}" for number in range(1200)})
    store.write_similar({"m1": b"[]", "m2": b"[]"})
    store.write_items({"m1": None, "m2": b"again", "m9999": None})
    assert store.items(["m1", "m2", "m1199"]) == [None, b"again", b"{}"]
    assert store.similar(["m1", "m2"]) == [None, b"[]"]


def test_hidden_items_are_told_apart_in_order(store: Store) -> None:
    many = [f"h{number}" for number in range(1500)]
    store.hide(["m1", "m{2}", "m1", *many])
    assert store.hidden_among(["m0", "m1", "m{2}", *many]) == [False, True, True, *[True] * 1500]
    store.unhide(["m1", "never", *many])
    assert store.hidden() == {"m{2}"}
    assert store.hidden_among(["m1", "m{2}"]) == [False, True]


def test_digests_of_workers_that_fell_silent_are_dropped(subject: Subject) -> None:
    store = subject.store
    store.write_digest("old", b"\x00 1 \xff")
    assert store.digests() == {"old": b"\x00 1 \xff"}
    subject.age_digests(DIGESTS_KEPT_MS // 2)
    store.write_digest("new", b"2")
    assert store.digests() == {"old": b"\x00 1 \xff", "new": b"2"}
    subject.age_digests(DIGESTS_KEPT_MS // 2 + 60_000)
    assert store.digests() == {"new": b"2"}
    store.write_digest("newer", b"3")
    subject.age_digests(-2 * DIGESTS_KEPT_MS)
    assert set(store.digests()) == {"new", "newer"}


def test_it_says_what_it_is_and_answers(store: Store) -> None:
    store.ping()
    name, _, number = store.version().partition(" ")
    assert name == "embedded" or (name in ("redis", "valkey") and number[0].isdigit())


def test_it_may_be_used_again_after_close(store: Store) -> None:
    store.write_users([write("u1")])
    store.close()
    assert store.listings(["u1"]) == [b"list of u1"]


@given(st.text(max_size=128).filter(lambda text: text.isprintable()))
def test_a_key_tells_its_user_and_holds_one_hash_tag(user: str) -> None:
    keys = Keys("ms")
    key = keys.profile(user)
    assert keys.user_of(key) == user
    assert (key.count(b"{"), key.count(b"}")) == (1, 1)
    tag = key[key.index(b"{") : key.index(b"}") + 1]
    assert keys.listing(user) == b"ms:" + tag + b":list"
