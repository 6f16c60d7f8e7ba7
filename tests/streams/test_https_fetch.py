"""Fetching over https from a real server, and all that is refused before it is asked."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from millstream.streams.https_fetch import (
    FAILURES_MAX,
    REST_S,
    HttpsFetcher,
    NotFetched,
    is_public,
)

MOST = 100_000
Answer = Callable[[ssl.SSLSocket], None]


@dataclass
class Site:
    """A real https server on loopback that answers as a test says."""

    port: int
    certificate: Path
    answers: dict[str, bytes | Answer] = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"https://media.test:{self.port}{path}"

    def fetcher(self, **changes: object) -> HttpsFetcher:
        """One that finds the server under a name, and may connect to loopback."""
        options: dict[str, object] = {
            "addresses": lambda *_: ["127.0.0.1"],
            "allowed": lambda _: True,
            "context": ssl.create_default_context(cafile=str(self.certificate)),
        }
        return HttpsFetcher([f"media.test:{self.port}"], MOST, 1.0, **(options | changes))  # type: ignore[arg-type]


def ok(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("site")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 "
        "-subj /CN=media.test -addext subjectAltName=DNS:media.test"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    made = Site(listener.getsockname()[1], folder / "cert.pem")

    def answer(raw: socket.socket) -> None:
        try:
            with context.wrap_socket(raw, server_side=True) as secure:
                secure.settimeout(10)
                request = secure.recv(65_536)
                made.asked.append(request)
                reply = made.answers[request.split()[1].decode()]
                if callable(reply):
                    reply(secure)
                else:
                    secure.sendall(reply)
        except OSError:
            return  # the other side has left, as some tests want

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(raw,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def refusal(fetcher: HttpsFetcher, url: str) -> str:
    with pytest.raises(NotFetched) as refused:
        fetcher.get(url)
    return refused.value.reason


def test_what_is_there_is_fetched_and_nothing_of_ours_is_told(site: Site) -> None:
    site.answers["/a?b=1"] = ok(b"x" * MOST)
    assert site.fetcher().get(site.url("/a?b=1")) == b"x" * MOST
    request = site.asked[-1].lower()
    assert b"host: media.test" in request
    assert b"cookie" not in request
    assert b"user-agent" not in request


def test_a_body_without_a_length_is_taken_within_bounds(site: Site) -> None:
    site.answers["/a"] = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 10
    site.answers["/b"] = b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * (MOST + 1)
    assert site.fetcher().get(site.url("/a")) == b"x" * 10
    assert refusal(site.fetcher(), site.url("/b")) == "media-too-large"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ok(b"", "Location: https://media.test/x", status="302 Found"), "media-unreachable"),
        (ok(b"", status="404 Not Found"), "media-missing"),
        (ok(b"", status="500 Oh"), "media-unreachable"),
        (ok(b"x", "Content-Encoding: gzip"), "media-unreachable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", "media-too-large"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "media-unreachable"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", "media-unreachable"),
        (b"no http at all\r\n\r\n", "media-unreachable"),
        (b"", "media-unreachable"),
    ],
)
def test_any_other_answer_is_refused_with_its_reason(
    site: Site, answer: bytes, reason: str
) -> None:
    site.answers["/x"] = answer
    assert refusal(site.fetcher(), site.url("/x")) == reason


def test_a_host_that_drips_is_cut_off_in_time(site: Site) -> None:
    let_go = threading.Event()

    def drip(secure: ssl.SSLSocket) -> None:
        secure.sendall(b"HTTP/1.1 200 OK\r\n")
        while not let_go.wait(0.2):
            secure.sendall(b"X: y\r\n")

    site.answers["/slow"] = drip
    began = time.monotonic()
    assert refusal(site.fetcher(), site.url("/slow")) == "media-unreachable"
    assert time.monotonic() - began < 15, "it would drip for ever"
    let_go.set()


def test_a_body_that_does_not_end_in_time_is_not_taken_for_a_whole_one(site: Site) -> None:
    let_go = threading.Event()

    def stall(secure: ssl.SSLSocket) -> None:
        secure.sendall(b"HTTP/1.0 200 OK\r\n\r\nhalf")
        let_go.wait(10)

    site.answers["/half"] = stall
    assert refusal(site.fetcher(), site.url("/half")) == "media-unreachable"
    let_go.set()


def test_a_certificate_that_is_not_believed_is_refused(site: Site) -> None:
    site.answers["/a"] = ok(b"x")
    assert refusal(site.fetcher(context=None), site.url("/a")) == "media-unreachable"


def test_addresses_that_are_not_public_are_never_connected_to(site: Site) -> None:
    before = len(site.asked)
    strict = site.fetcher(allowed=is_public)
    assert refusal(strict, site.url("/a")) == "media-forbidden"
    mixed = site.fetcher(allowed=is_public, addresses=lambda *_: ["1.1.1.1", "10.0.0.1"])
    assert refusal(mixed, site.url("/a")) == "media-forbidden"
    assert len(site.asked) == before


def test_the_address_that_was_checked_is_the_one_connected_to(site: Site) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    site.answers["/a"] = ok(b"x")
    assert site.fetcher(addresses=rebinding).get(site.url("/a")) == b"x"
    assert asked == ["media.test"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://other.test/a", "media-forbidden"),
        ("https://media.test/a", "media-forbidden"),  # the port is another
        ("https://media.test.evil.test/a", "media-forbidden"),
        ("https://user:pw@media.test/a", "media-forbidden"),
        ("https://media.test@evil.test/a", "media-forbidden"),
        ("http://media.test/a", "media-reference"),
        ("https:///a", "media-reference"),
        ("https://media.test:99999/a", "media-reference"),
        ("https://media.test/a b", "media-reference"),
        ("https://media.test/a\r\nX: y", "media-reference"),
        ("https://[::1/a", "media-reference"),
        ("https://mediä.test/a", "media-reference"),
        ("https://media.test/" + "a" * 3000, "media-reference"),
    ],
)
def test_a_url_that_is_not_allowed_is_refused_unasked(site: Site, url: str, reason: str) -> None:
    fetcher = site.fetcher(addresses=lambda *_: pytest.fail("it asked for the address"))
    assert refusal(fetcher, url) == reason


def test_by_default_no_host_is_allowed() -> None:
    assert refusal(HttpsFetcher([], MOST, 1.0), "https://example.org/a") == "media-forbidden"


def test_a_host_that_does_not_answer_is_left_alone_for_a_while(site: Site) -> None:
    now, tries = [0.0], [0]

    def nowhere(host: str, port: int) -> list[str]:
        tries[0] += 1
        raise OSError("no such name")

    fetcher = site.fetcher(addresses=nowhere, clock_s=lambda: now[0])
    for _ in range(FAILURES_MAX + 10):
        assert refusal(fetcher, site.url("/a")) == "media-unreachable"
    assert tries[0] == FAILURES_MAX
    now[0] += REST_S
    refusal(fetcher, site.url("/a"))
    assert tries[0] == FAILURES_MAX + 1


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111"])
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "192.0.2.1", "198.18.0.1",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1",
        "2001:db8::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "2002:7f00:1::",
        "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "::127.0.0.1", "name", "",
    ],
)  # fmt: skip
def test_no_other_address_is(address: str) -> None:
    assert not is_public(address)
