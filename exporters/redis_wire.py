"""One exchange with Redis: packed commands out, as many replies back, faults said in our words.

redis-py makes, authenticates and pools the connections and reads the replies. Packing is by hand:
a user's 4 KB profile and 1.5 KB list cost 10 us of client CPU so, 22 through its pipeline.
"""

import re
import time
from collections.abc import Sequence
from itertools import chain
from typing import Final, Protocol, TypeAlias, cast
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool
from redis.exceptions import ResponseError
from redis.retry import Retry

from millstream.exporters.errors import StoreError, StoreUnavailable
from millstream.exporters.redis_scripts import Script

Reply: TypeAlias = "bytes | int | list[Reply] | ResponseError | None"

_CONNECTIONS_MAX: Final = 8
_TIMEOUTS_PER_EXCHANGE: Final = 3  # a server that answers drop by drop is given up after this
_RELOADS_MAX: Final = 10
_CALLS_PER_SEND: Final = 64  # about 350 KB of users: the allocator keeps that, 2.7 MB it returns

_RETRY_AFTER_S: Final = {
    "OOM": 5.0,
    "MISCONF": 5.0,  # the last snapshot to disk failed, so writes are refused
    "LOADING": 1.0,
    "BUSY": 1.0,
    "READONLY": 1.0,  # a failover: this was the primary a moment ago
    "MASTERDOWN": 1.0,
    "NOREPLICAS": 1.0,
    "CLUSTERDOWN": 1.0,
    "TRYAGAIN": 0.2,
    "NOSCRIPT": 0.2,  # somebody empties the script cache faster than we fill it
}
_DISCONNECTED_S: Final = 0.5
_CODE: Final = re.compile(r"[A-Z]+(?= )")
_CODE_WITHIN: Final = re.compile(r"-([A-Z]+) ")  # Redis < 7 wraps what a script met


def pack(*arguments: bytes) -> bytes:
    """Return a command as Redis reads it from the socket."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments]
    return b"".join(parts)


class _Connection(Protocol):
    """What we use of redis-py's connection, which has no types."""

    def send_packed_command(self, command: Sequence[bytes]) -> None: ...
    def read_response(self, disable_decoding: bool) -> Reply: ...
    def disconnect(self) -> None: ...


class _Pool(Protocol):
    """What we use of redis-py's pool."""

    def get_connection(self) -> _Connection: ...
    def release(self, connection: _Connection) -> None: ...
    def disconnect(self, inuse_connections: bool = True) -> None: ...


class Wire:
    """A bounded pool of connections to one server. Opens nothing until the first exchange."""

    def __init__(self, url: str, timeout_s: float) -> None:
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS_MAX,
                timeout=timeout_s,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError as error:
            raise StoreError(f"redis url {_without_password(url)!r}: {error}") from error
        self._pool = cast(_Pool, pool)
        self.address = _without_password(url)
        self._exchange_s = timeout_s * _TIMEOUTS_PER_EXCHANGE

    def exchange(self, request: Sequence[bytes], replies: int) -> list[Reply]:
        """Send packed commands, return that many replies in order, error replies among them.

        If anything but an answer comes, the connection is dropped: what it had still to say
        must not be read as the answer to somebody else's question.
        """
        try:
            connection = self._pool.get_connection()
        except (redis.RedisError, OSError) as error:
            raise self._fault(error) from error
        try:
            connection.send_packed_command(request)
            deadline = time.monotonic() + self._exchange_s
            return [_read(connection, deadline) for _ in range(replies)]
        except (redis.RedisError, OSError) as error:
            connection.disconnect()
            raise self._fault(error) from error
        except BaseException:
            connection.disconnect()
            raise
        finally:
            self._pool.release(connection)

    def ask(self, request: Sequence[bytes], replies: int) -> list[Reply]:
        """Return the replies as `exchange` does, but raise if one of them is an error."""
        return self._good(self.exchange(request, replies))

    def evaluate(self, script: Script, calls: Sequence[tuple[bytes, ...]]) -> list[Reply]:
        """Return the reply of each EVALSHA of the script (packed, in pieces), in order.

        A server that forgot the script (restart, SCRIPT FLUSH, also halfway through) is given
        it again, and only the calls that it refused are repeated.
        """
        replies = self.exchange(_joined(calls), len(calls))
        for _ in range(_RELOADS_MAX):
            refused = [at for at, reply in enumerate(replies) if _code(reply) == "NOSCRIPT"]
            if not refused:
                break
            load = pack(b"SCRIPT", b"LOAD", script.source)
            request = [load, *_joined([calls[at] for at in refused])]
            again = self.exchange(request, len(refused) + 1)
            self._good(again[:1])
            for at, reply in zip(refused, again[1:], strict=True):
                replies[at] = reply
        return self._good(replies)

    def close(self) -> None:
        """Drop every connection."""
        self._pool.disconnect()

    def _good(self, replies: list[Reply]) -> list[Reply]:
        """Return the replies, or raise for the first error; one to wait for goes before others."""
        errors = [reply for reply in replies if isinstance(reply, ResponseError)]
        if not errors:
            return replies
        faults = [self._fault(error) for error in errors]
        fault = next((f for f in faults if isinstance(f, StoreUnavailable)), faults[0])
        if _code(errors[0]) == "READONLY":
            self._pool.disconnect(inuse_connections=False)  # ask the name anew: a failover
        raise fault

    def _fault(self, error: Exception) -> StoreUnavailable | StoreError:
        """Return an error of redis-py or the socket in our words."""
        code = _code(error)
        said = f"redis at {self.address}: {error}"
        if code in _RETRY_AFTER_S:
            return StoreUnavailable(said, _RETRY_AFTER_S[code])
        if code == "WRONGTYPE":
            return StoreError(f"{said} (a key under our prefix is another program's)")
        if code in ("MOVED", "ASK", "CROSSSLOT"):
            return StoreError(f"{said} (a Cluster node: give the address of a single primary)")
        if isinstance(error, redis.AuthenticationError):
            return StoreError(said)
        if isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError):
            return StoreUnavailable(said, _DISCONNECTED_S)
        return StoreError(said)


def _joined(calls: Sequence[tuple[bytes, ...]]) -> list[bytes]:
    return [
        b"".join(chain.from_iterable(calls[at : at + _CALLS_PER_SEND]))
        for at in range(0, len(calls), _CALLS_PER_SEND)
    ]


def _read(connection: _Connection, deadline: float) -> Reply:
    try:
        reply = connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error
    if time.monotonic() > deadline:
        raise redis.TimeoutError("the answer comes too slowly")
    return reply


def _code(reply: "Reply | Exception") -> str:
    """Return the word with which Redis began its error, "" if it is none."""
    if not isinstance(reply, Exception):
        return ""
    if isinstance(reply, redis.BusyLoadingError):
        return "LOADING"
    code = getattr(reply, "status_code", None)
    if not isinstance(code, str):
        found = _CODE.match(str(reply))
        code = found[0] if found else ""
    if code in ("", "ERR") and (within := _CODE_WITHIN.search(str(reply))):
        return within[1]
    return code


def _without_password(url: str) -> str:
    """Return the URL fit for a log."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
