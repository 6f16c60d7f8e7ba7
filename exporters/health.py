"""What a worker says of itself over HTTP: /metrics, /healthz, /readyz."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from millstream.exporters.errors import PortTaken
from millstream.exporters.metric_names import METRICS

_REQUESTS_MAX: Final = 8
_REQUEST_S: Final = 5.0
_BUSY: Final = b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n"

logger = logging.getLogger("millstream")


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a worker lives and whether it does its work; `why` says what it waits for."""

    alive: bool
    ready: bool
    why: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


class HealthServer:
    """Serves a registry and a worker's health from a thread of its own.

    At most 8 requests at a time and 5 s each; the rest are told to come again. Port 0 takes the
    first free one; `port` is known after `start`. Raises PortTaken there.
    """

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, status: Callable[[], Health]
    ) -> None:
        self.host = host
        self.port = port
        self._registry = registry
        self._status = status
        self._states = _States(status)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Return where it is served, without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Begin to serve."""
        try:
            server = _Server(self.host, self.port, self._registry, self._status)
        except (OSError, OverflowError) as error:
            raise PortTaken(self.host, self.port, str(error)) from error
        self._server = server
        self.port = server.server_address[1]
        self._registry.register(self._states)
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="health", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End; requests that are being answered are not waited for. May be called twice."""
        server, self._server = self._server, None
        if server is None:
            return
        self._registry.unregister(self._states)
        server.shutdown()
        server.server_close()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        type_: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()


class _States(Collector):
    """Health as metrics, asked for at each scrape, so that an alert may look at it."""

    def __init__(self, status: Callable[[], Health]) -> None:
        self._status = status

    def describe(self) -> list[Metric]:
        return [self._gauge("millstream_alive", 0), self._gauge("millstream_ready", 0)]

    def collect(self) -> Iterator[Metric]:
        health = self._status()
        yield self._gauge("millstream_alive", health.alive)
        yield self._gauge("millstream_ready", health.ready)

    @staticmethod
    def _gauge(name: str, value: float) -> GaugeMetricFamily:
        helps: dict[str, str] = {known: metric.help for known, metric in METRICS.items()}
        return GaugeMetricFamily(name, helps[name], value=float(value))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, status: Callable[[], Health]
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.registry = registry
        self.status = status
        self._free = threading.BoundedSemaphore(_REQUESTS_MAX)
        self._deadlines: dict[socket.socket, float] = {}
        super().__init__((host, port), _Handler)

    def process_request(self, request: object, client_address: object) -> None:
        """Answer in a thread if one of the few is free."""
        assert isinstance(request, socket.socket)
        if self._free.acquire(blocking=False):
            self._deadlines[request] = time.monotonic() + _REQUEST_S
            super().process_request(request, client_address)
            return
        request.settimeout(0.1)
        with suppress(OSError):  # gone before it was told to come again
            request.sendall(_BUSY)
        self.shutdown_request(request)

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Answer one request, then give the thread's place back."""
        assert isinstance(request, socket.socket)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._deadlines.pop(request, None)
            self._free.release()

    def service_actions(self) -> None:
        """Cut off, ten times a second, who takes too long to ask or to listen."""
        now = time.monotonic()
        for request, deadline in list(self._deadlines.items()):
            if now > deadline:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Say in one line what failed: the client sees a closed connection, which is bad health."""
        logger.warning("a request to the metrics server failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "millstream"
    sys_version = ""
    timeout = _REQUEST_S

    def do_GET(self) -> None:
        """Answer one of the three paths."""
        path = self.path.partition("?")[0]
        if path == "/metrics":
            self._answer(200, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self.server.registry))
        elif path in ("/healthz", "/readyz"):
            health = self.server.status()
            good = health.alive and (health.ready or path == "/healthz")
            said = {"alive": health.alive, "ready": health.ready, "why": health.why}
            body = json.dumps({**health.details, **said}, default=str).encode()
            self._answer(200 if good else 503, "application/json", body)
        else:
            self._answer(404, "text/plain", b"/metrics /healthz /readyz\n")

    def do_HEAD(self) -> None:
        """Answer as to GET, without the body."""
        self.do_GET()

    def _answer(self, status: int, type_: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a scrape is no incident."""
