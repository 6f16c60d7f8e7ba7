"""What Redis adds to the contract: time, faults, other people's keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import redis

from millstream.exporters.errors import StoreError, StoreUnavailable
from millstream.exporters.redis_store import DAY_S, RedisStore
from millstream.exporters.store import UserWrite

if TYPE_CHECKING:
    from tests.exporters.conftest import OwnRedis, SlowWire


def writes(users: int, was: bytes = b"", now: bytes = b"version1") -> list[UserWrite]:
    return [UserWrite(f"u{number}", was, now + b"." * 200, b"list") for number in range(users)]


@pytest.fixture
def client(own_redis: OwnRedis) -> Iterator[redis.Redis]:
    connection = redis.Redis.from_url(own_redis.url)
    yield connection
    connection.close()


def test_a_server_that_forgot_the_script_is_given_it_again(
    own_redis: OwnRedis, client: redis.Redis
) -> None:
    store = RedisStore(own_redis.url)
    assert store.write_users(writes(5)) == [True] * 5
    client.script_flush()
    assert store.write_users(writes(5, b"version1", b"version2")) == [True] * 5
    client.flushall()
    client.script_flush()
    assert store.write_users(writes(5)) == [True] * 5
    client.script_flush()
    assert store.advance("app", {"t:0": (None, 1)}) == {}
    client.script_flush()
    store.write_digest("w", b"d")
    store.close()


def test_the_script_may_be_lost_in_the_middle_of_a_pipeline(
    own_redis: OwnRedis, client: redis.Redis
) -> None:
    store = RedisStore(own_redis.url)
    stop = threading.Event()

    def forget() -> None:
        while not stop.wait(0.003):
            client.script_flush()

    thread = threading.Thread(target=forget)
    thread.start()
    try:
        was = b""
        for turn in range(900):  # on a busy machine few losses fall into a pipeline
            now = b"versn%03d" % turn
            assert store.write_users(writes(512, was, now)) == [True] * 512
            was = now
            if turn > 20 and int(client.info("stats")["total_error_replies"]) > 0:
                break
    finally:
        stop.set()
        thread.join()
    assert int(client.info("stats")["total_error_replies"]) > 0  # it was lost, and mended
    store.close()


def test_profile_and_list_live_as_long_as_they_are_told_to(
    own_redis: OwnRedis, client: redis.Redis
) -> None:
    store = RedisStore(own_redis.url, profile_ttl_s=400 * DAY_S, list_ttl_s=7)
    store.write_users(writes(1))
    assert 399 * DAY_S < client.ttl("ms:{u0}:profile") <= 400 * DAY_S
    assert 0 < client.ttl("ms:{u0}:list") <= 7
    store.close()


def test_another_type_under_our_key_is_an_error_that_says_so(
    own_redis: OwnRedis, client: redis.Redis
) -> None:
    store = RedisStore(own_redis.url)
    client.lpush("ms:{u1}:profile", "theirs")
    client.set("ms:progress", "theirs")
    client.hset("ms:{u2}:list", "their", "field")
    with pytest.raises(StoreError, match=r"WRONGTYPE|wrong kind of value.*another program's"):
        store.write_users(writes(3))
    assert store.profiles(["u0"]) == [writes(1)[0].profile]  # its neighbours were written
    with pytest.raises(StoreError, match="another program's"):
        store.progress("app")
    with pytest.raises(StoreError, match="another program's"):
        store.advance("app", {"t:0": (None, 1)})
    client.delete("ms:progress")
    client.hset("ms:progress", "app:t:0", "not a number")
    with pytest.raises(StoreError, match="not a number"):
        store.progress("app")
    store.ping()
    store.close()


def test_a_full_server_is_to_be_waited_for_and_what_it_holds_stays_readable(
    own_redis: OwnRedis, client: redis.Redis
) -> None:
    store = RedisStore(own_redis.url)
    store.write_users(writes(3))
    client.config_set("maxmemory", "1")
    with pytest.raises(StoreUnavailable) as full:
        store.write_users(writes(3, b"version1", b"version2"))
    assert full.value.retry_after_s >= 1
    assert store.listings(["u0"]) == [b"list"]
    client.config_set("maxmemory", "0")
    assert store.write_users(writes(3, b"version1", b"version2")) == [True] * 3
    store.close()


def test_a_server_that_went_away_is_unavailable_until_it_is_back(own_redis: OwnRedis) -> None:
    store = RedisStore(own_redis.url, timeout_s=1.0)
    store.write_users(writes(3))
    own_redis.stop()
    with pytest.raises(StoreUnavailable):
        store.profiles(["u0"])
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1") as refused:
        store.write_users(writes(3))
    assert refused.value.retry_after_s > 0
    own_redis.start()
    assert store.profiles(["u0"]) == [None]
    assert store.write_users(writes(3)) == [True] * 3
    store.close()


def test_a_frozen_server_is_given_up_after_the_timeout(own_redis: OwnRedis) -> None:
    store = RedisStore(own_redis.url, timeout_s=0.3)
    store.ping()
    own_redis.freeze()
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        store.ping()
    with pytest.raises(StoreUnavailable):
        store.write_users(writes(2000))
    assert time.monotonic() - began < 3
    own_redis.thaw()
    store.ping()
    store.close()


def test_nobody_reads_the_answer_to_another_s_question(
    own_redis: OwnRedis, slow_wire: SlowWire
) -> None:
    direct = RedisStore(own_redis.url)
    direct.write_users(
        [UserWrite(f"u{number}", b"", b"profile of u%d" % number, b"") for number in range(50)]
    )
    store = RedisStore(f"redis://127.0.0.1:{slow_wire.port}/0", timeout_s=0.15)
    late = 0
    for number in range(50):
        slow_wire.delay_s = 0.3 if number % 5 == 0 else 0.0
        try:
            assert store.profiles([f"u{number}"]) == [b"profile of u%d" % number]
        except StoreUnavailable:
            late += 1
    assert late == 10
    assert slow_wire.accepted > late  # each late connection was dropped, not used again
    direct.close()
    store.close()


def test_a_cut_connection_is_replaced(own_redis: OwnRedis, slow_wire: SlowWire) -> None:
    store = RedisStore(f"redis://127.0.0.1:{slow_wire.port}/0", timeout_s=1.0)
    store.write_users([UserWrite("other", b"", b"version1", b"")])  # the script is known now
    slow_wire.delay_s = 0.2
    threading.Timer(0.05, slow_wire.cut).start()
    with pytest.raises(StoreUnavailable):
        store.write_users(writes(10))
    slow_wire.delay_s = 0.0
    written = store.write_users(writes(10))
    assert written == [False] * 10  # the first had arrived: a conflict, so it is merged, not lost
    store.close()


def test_a_wrong_password_is_an_error_and_never_shown(
    own_redis: OwnRedis, client: redis.Redis
) -> None:
    client.config_set("requirepass", "right")
    address = own_redis.url.removeprefix("redis://")
    with pytest.raises(StoreError) as refused:
        RedisStore(f"redis://:wr0ng@{address}").ping()
    assert "wr0ng" not in str(refused.value)
    with pytest.raises(StoreError):
        RedisStore(own_redis.url).ping()
    RedisStore(f"redis://:right@{address}").ping()


@pytest.mark.parametrize("url", ["localhost:6379", "http://127.0.0.1", "redis://h:port/0"])
def test_an_address_that_is_none_is_named(url: str) -> None:
    with pytest.raises(StoreError, match="redis url"):
        RedisStore(url)


@pytest.mark.parametrize("prefix", ["", "a{b}", "a b", "a*", "x" * 65])
def test_a_prefix_that_would_break_keys_is_refused(prefix: str) -> None:
    with pytest.raises(StoreError, match="prefix"):
        RedisStore("redis://127.0.0.1:1", prefix)


def test_two_prefixes_share_a_server_and_nothing_else(own_redis: OwnRedis) -> None:
    staging, production = RedisStore(own_redis.url, "stg"), RedisStore(own_redis.url, "ms")
    staging.write_users(writes(1))
    staging.hide(["m1"])
    staging.advance("app", {"t:0": (None, 1)})
    assert list(production.users()) == []
    assert production.hidden() == set()
    assert production.progress("app") == {}
    assert list(staging.users()) == ["u0"]
    staging.close()
    production.close()


def test_many_threads_share_a_few_connections(own_redis: OwnRedis, client: redis.Redis) -> None:
    store = RedisStore(own_redis.url)
    store.write_users(writes(40))
    answers: list[list[bytes | None]] = []

    def read() -> None:
        answers.extend(store.listings(["u1", "nobody"]) for _ in range(50))

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    most = int(client.info("clients")["connected_clients"])
    for thread in threads:
        thread.join()
    assert answers == [[b"list", None]] * 1000
    assert most <= 9
    store.close()
