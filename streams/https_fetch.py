"""One GET over https: from hosts that are allowed, at addresses that are public, within bounds.

The address that was checked is the one connected to, so that a name which answers differently
the second time gains nothing. No redirect is followed, no proxy asked, nothing sent of ours.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from millstream.streams.errors import MillstreamError

URL_CHARACTERS: Final = 2048
CHUNK_BYTES: Final = 65_536
FAILURES_MAX: Final = 5
"""After so many in a row a host rests for REST_S: an item a timeout would stall all others."""
REST_S: Final = 60.0

FetchReason = Literal[
    "media-reference", "media-forbidden", "media-unreachable", "media-too-large", "media-missing"
]
Addresses = Callable[[str, int], list[str]]


class NotFetched(MillstreamError):
    """What is at a URL cannot be had."""

    def __init__(self, reason: FetchReason, detail: str) -> None:
        self.reason: FetchReason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


@dataclass(slots=True)
class _Host:
    failures: int = 0
    rests_until: float = 0.0


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Return whether an address is one of the open Internet, also where it wraps another."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


_UNICAST: Final = ipaddress.ip_network("2000::/3")
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class HttpsFetcher:
    """Gets from the hosts of an allow-list: `example.org`, or `example.org:8443`.

    `addresses`, `allowed` and `context` are the world: names, which addresses may be connected
    to, and whose certificates are believed. Owned by one thread.
    """

    def __init__(
        self,
        hosts: Collection[str],
        bytes_max: int,
        timeout_s: float,
        *,
        addresses: Addresses = resolve,
        allowed: Callable[[str], bool] = is_public,
        context: ssl.SSLContext | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hosts = {host.lower(): _Host() for host in hosts}
        self._bytes_max = bytes_max
        self._timeout_s = timeout_s
        self._addresses = addresses
        self._allowed = allowed
        self._context = context
        self._clock_s = clock_s

    def get(self, url: str) -> bytes:
        """Return the body of a 200. Raises NotFetched."""
        split, host, port = _parts(url)
        known = self._hosts.get(host if port == 443 else f"{host}:{port}")
        if known is None:
            raise NotFetched("media-forbidden", "its host is not in encode.media_hosts")
        if known.rests_until > self._clock_s():
            raise NotFetched("media-unreachable", "its host has not answered lately")
        try:
            body = self._get(split, host, port)
        except (OSError, http.client.HTTPException, ValueError) as error:
            known.failures += 1
            if known.failures >= FAILURES_MAX:
                known.failures, known.rests_until = 0, self._clock_s() + REST_S
            raise NotFetched("media-unreachable", type(error).__name__) from error
        known.failures = 0
        return body

    def _get(self, split: SplitResult, host: str, port: int) -> bytes:
        found = self._addresses(host, port)
        if not found or not all(self._allowed(address) for address in found):
            raise NotFetched("media-forbidden", "its host has an address that is not public")
        deadline = time.monotonic() + self._timeout_s
        if self._context is None:
            self._context = ssl.create_default_context()
        with socket.create_connection((found[0], port), self._timeout_s) as raw:
            secure = self._context.wrap_socket(
                raw, server_hostname=host, do_handshake_on_connect=False
            )
        # A timeout of the socket is one a read: a host that drips bytes needs a clock of its own.
        cut = threading.Timer(max(deadline - time.monotonic(), 0.0), _cut, [secure])
        cut.daemon = True
        cut.start()
        try:
            with secure:
                secure.do_handshake()
                body = self._exchange(secure, split, host, port)
        finally:
            cut.cancel()
        if time.monotonic() >= deadline:  # a body without a length ends where it was cut
            raise TimeoutError
        return body

    def _exchange(self, secure: ssl.SSLSocket, split: SplitResult, host: str, port: int) -> bytes:
        connection = http.client.HTTPConnection(host, port)
        connection.sock = secure
        target = (split.path or "/") + (f"?{split.query}" if split.query else "")
        connection.request(
            "GET", target, headers={"Accept-Encoding": "identity", "Connection": "close"}
        )
        with connection.getresponse() as response:
            if response.status in (404, 410):
                raise NotFetched("media-missing", f"status {response.status}")
            if response.status != 200:
                raise NotFetched("media-unreachable", f"status {response.status}")
            if (response.getheader("Content-Encoding") or "identity") != "identity":
                raise NotFetched("media-unreachable", "packed, though asked not to be")
            if response.length is not None and response.length > self._bytes_max:
                raise NotFetched("media-too-large", f"{response.length} bytes")
            body = bytearray()
            while chunk := response.read(CHUNK_BYTES):
                body += chunk
                if len(body) > self._bytes_max:
                    raise NotFetched("media-too-large", f"more than {self._bytes_max} bytes")
            if response.length:  # what was promised and did not come
                raise NotFetched("media-unreachable", "cut short")
            return bytes(body)


def _parts(url: str) -> tuple[SplitResult, str, int]:
    """Return a URL's parts, its host in lower case and its port; no user, no odd characters."""
    try:
        split = urlsplit(url)
        host, port = split.hostname or "", split.port or 443
    except ValueError as error:
        raise NotFetched("media-reference", "not a URL") from error
    plain = url.isascii() and url.isprintable() and " " not in url
    if len(url) > URL_CHARACTERS or not plain or split.scheme != "https" or not host:
        raise NotFetched("media-reference", "not an https URL in plain ASCII")
    if split.username is not None or split.password is not None:
        raise NotFetched("media-forbidden", "a URL with a user or password")
    return split, host.rstrip("."), port


def _cut(secure: ssl.SSLSocket) -> None:
    with suppress(OSError):  # it has ended by itself
        # Not SSLSocket's own, which takes the encryption away from whoever is reading.
        socket.socket.shutdown(secure, socket.SHUT_RDWR)
