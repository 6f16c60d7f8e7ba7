"""Profiles, lists, catalogue and progress in Redis >= 6.2 or Valkey."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar

from millstream.exporters.errors import StoreError
from millstream.exporters.keys import Keys, Shared
from millstream.exporters.redis_scripts import (
    ADVANCE,
    WRITE_DIGEST,
    WRITE_USER,
    write_user_calls,
)
from millstream.exporters.redis_wire import Reply, Wire, pack
from millstream.exporters.store import DIGESTS_KEPT_MS, UserWrite

DAY_S: Final = 86_400
_KEYS_PER_EXCHANGE: Final = 512
_SCAN_PAGE: Final = b"1000"

_T = TypeVar("_T")


class RedisStore:
    """The Store in Redis, over a few pooled connections; opens none until it is asked something.

    Every wait is bounded by `timeout_s`. Nothing is tried twice: that is the caller's to decide.
    """

    def __init__(
        self,
        url: str,
        prefix: str = "ms",
        timeout_s: float = 2.0,
        profile_ttl_s: int = 400 * DAY_S,
        list_ttl_s: int = 400 * DAY_S,
    ) -> None:
        self._keys = Keys(prefix)
        self._wire = Wire(url, timeout_s)
        self._profile_ttl_s = profile_ttl_s
        self._list_ttl_s = list_ttl_s

    def profiles(self, users: Sequence[str]) -> list[bytes | None]:
        """Return the packed profile of each user, in order; None where there is none."""
        return self._values([self._keys.profile(user) for user in users])

    def listings(self, users: Sequence[str]) -> list[bytes | None]:
        """Return the list of each user, in order; None where there is none."""
        return self._values([self._keys.listing(user) for user in users])

    def write_users(self, writes: Sequence[UserWrite]) -> list[bool]:
        """Write profile and list of each user together; False for each conflict."""
        written: list[bool] = []
        for some in _chunks(writes):
            calls = write_user_calls(self._keys, some, self._profile_ttl_s, self._list_ttl_s)
            written += [reply == 1 for reply in self._wire.evaluate(WRITE_USER, calls)]
        return written

    def users(self) -> Iterator[str]:
        """Return every user with a profile; one may come twice while others write."""
        pattern = self._keys.profile_pattern
        for key in self._scan([b"SCAN"], [b"MATCH", pattern, b"COUNT", _SCAN_PAGE]):
            user = self._keys.user_of(key)
            if user is not None:
                yield user

    def progress(self, app: str) -> dict[str, int]:
        """Return the next offset by "topic_id:partition" of an app; {} when nothing is kept."""
        (reply,) = self._wire.ask([pack(b"HGETALL", self._keys.progress)], 1)
        mine = f"{app}:".encode()
        pairs = _pairs(reply)
        return {
            field[len(mine) :].decode(): _offset(value)
            for field, value in pairs
            if field.startswith(mine)
        }

    def advance(
        self, app: str, moves: Mapping[str, tuple[int | None, int]]
    ) -> dict[str, int | None]:
        """Set all fields if each still holds the last one written, else return what differs."""
        if not moves:
            return {}
        arguments: list[bytes] = []
        for field, (last, new) in moves.items():
            held = b"" if last is None else b"%d" % last
            arguments += (f"{app}:{field}".encode(), held, b"%d" % new)
        call = pack(b"EVALSHA", ADVANCE.sha, b"1", self._keys.progress, *arguments)
        (reply,) = self._wire.evaluate(ADVANCE, [(call,)])
        if not isinstance(reply, list):
            return {}
        found = [None if value is None else _offset(value) for value in reply]
        return {
            field: value
            for (field, (last, _)), value in zip(moves.items(), found, strict=True)
            if value != last
        }

    def write_shared(self, name: Shared, listing: bytes) -> None:
        """Replace a fallback list."""
        self._wire.ask([pack(b"SET", self._keys.shared(name), listing)], 1)

    def shared(self, name: Shared) -> bytes | None:
        """Return a fallback list, None before the first was written."""
        return self._values([self._keys.shared(name)])[0]

    def write_items(self, items: Mapping[str, bytes | None]) -> None:
        """Replace what is said of each item; None deletes it and its neighbours."""
        gone = [item for item, said in items.items() if said is None]
        self._all(pack(b"DEL", self._keys.item(item)) for item in gone)
        self._all(pack(b"DEL", self._keys.similar(item)) for item in gone)
        self._all(
            pack(b"SET", self._keys.item(item), said)
            for item, said in items.items()
            if said is not None
        )

    def items(self, ids: Sequence[str]) -> list[bytes | None]:
        """Return what is said of each item, in order; None where nothing is."""
        return self._values([self._keys.item(item) for item in ids])

    def write_similar(self, similar: Mapping[str, bytes]) -> None:
        """Replace the neighbours of each item."""
        self._all(pack(b"SET", self._keys.similar(i), said) for i, said in similar.items())

    def similar(self, ids: Sequence[str]) -> list[bytes | None]:
        """Return the neighbours of each item, in order; None where none are kept."""
        return self._values([self._keys.similar(item) for item in ids])

    def hide(self, items: Iterable[str]) -> None:
        """Put items among those that are never served."""
        self._all(pack(b"SADD", self._keys.hidden, item.encode()) for item in items)

    def unhide(self, items: Iterable[str]) -> None:
        """Take items out of those that are never served."""
        self._all(pack(b"SREM", self._keys.hidden, item.encode()) for item in items)

    def hidden_among(self, ids: Sequence[str]) -> list[bool]:
        """Return for each item whether it is hidden, in order."""
        hidden: list[bool] = []
        for some in _chunks(ids):
            request = pack(b"SMISMEMBER", self._keys.hidden, *(item.encode() for item in some))
            (reply,) = self._wire.ask([request], 1)
            hidden += [flag == 1 for flag in _list(reply)]
        return hidden

    def hidden(self) -> set[str]:
        """Return all hidden items."""
        return {item.decode() for item in self._scan([b"SSCAN", self._keys.hidden], [])}

    def write_digest(self, worker: str, digest: bytes) -> None:
        """Replace a worker's digest, and drop those of workers silent for an hour."""
        call = pack(b"EVALSHA", WRITE_DIGEST.sha, b"1", self._keys.digests, worker.encode(), digest)
        self._wire.evaluate(WRITE_DIGEST, [(call,)])

    def digests(self) -> dict[str, bytes]:
        """Return the digest of each worker that wrote one within the last hour."""
        request = pack(b"TIME") + pack(b"HGETALL", self._keys.digests)
        time, reply = self._wire.ask([request], 2)
        seconds, micros = (int(_bytes(part)) for part in _list(time))
        oldest_ms = seconds * 1000 + micros // 1000 - DIGESTS_KEPT_MS
        found = {}
        for worker, value in _pairs(reply):
            at_ms, _, digest = value.partition(b" ")
            if _offset(at_ms) >= oldest_ms:
                found[worker.decode()] = digest
        return found

    def version(self) -> str:
        """Return what the server is: "redis 7.0.15" or "valkey 9.1.2"."""
        (reply,) = self._wire.ask([pack(b"INFO", b"server")], 1)
        lines = (line.partition(":") for line in _bytes(reply).decode().splitlines())
        said = {name: value for name, _, value in lines}
        if "valkey_version" in said:
            return f"valkey {said['valkey_version']}"
        return f"redis {said.get('redis_version', 'unknown')}"

    def ping(self) -> None:
        """Return if the server answers."""
        self._wire.ask([pack(b"PING")], 1)

    def close(self) -> None:
        """Drop all connections; the next call opens new ones."""
        self._wire.close()

    def _values(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return what each string key holds. MGET: half the cost of as many GETs pipelined."""
        values: list[bytes | None] = []
        for some in _chunks(keys):
            (reply,) = self._wire.ask([pack(b"MGET", *some)], 1)
            values += [None if value is None else _bytes(value) for value in _list(reply)]
        return values

    def _all(self, commands: Iterable[bytes]) -> None:
        """Run commands whose answers say nothing."""
        rest = iter(commands)
        while some := list(islice(rest, _KEYS_PER_EXCHANGE)):
            self._wire.ask([b"".join(some)], len(some))

    def _scan(self, command: list[bytes], options: list[bytes]) -> Iterator[bytes]:
        cursor = b"0"
        while True:
            (reply,) = self._wire.ask([pack(*command, cursor, *options)], 1)
            after, page = _list(reply)
            for found in _list(page):
                yield _bytes(found)
            cursor = _bytes(after)
            if cursor == b"0":
                return


def _chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for at in range(0, len(values), _KEYS_PER_EXCHANGE):
        yield values[at : at + _KEYS_PER_EXCHANGE]


def _bytes(reply: Reply) -> bytes:
    if isinstance(reply, bytes):
        return reply
    raise StoreError(f"redis answered {reply!r} where a string was asked for")


def _list(reply: Reply) -> list[Reply]:
    if isinstance(reply, list):
        return reply
    raise StoreError(f"redis answered {reply!r} where a list was asked for")


def _pairs(reply: Reply) -> list[tuple[bytes, bytes]]:
    flat = [_bytes(part) for part in _list(reply)]
    return list(zip(flat[::2], flat[1::2], strict=True))


def _offset(value: Reply) -> int:
    try:
        return int(_bytes(value))
    except ValueError as error:
        raise StoreError(f"{value!r} stands where a number of ours should be") from error
