"""A Redis that a test may hurt, and a wire to it that may be slow or cut."""

import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.exporters.errors import StoreUnavailable
from millstream.exporters.redis_store import RedisStore
from millstream.streams import redis_server
from millstream.streams.errors import WorldMissing
from millstream.streams.processes import free_port


class OwnRedis:
    """A server without persistence that belongs to one test: it may be stopped, begun, filled."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        command = [redis_server.server(), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--dir", str(self._folder), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        store = RedisStore(self.url, timeout_s=1.0)
        for _ in range(200):
            try:
                store.ping()
            except StoreUnavailable:
                time.sleep(0.02)
            else:
                store.close()
                return
        pytest.fail("the server of this test does not answer")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    try:
        server.start()
    except WorldMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have a Redis: {error}")
        pytest.skip(str(error))
    yield server
    server.stop()


class SlowWire:
    """A TCP proxy: `delay_s` holds back what the server says, `cut()` closes all connections."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self._open: list[socket.socket] = []
        self.delay_s = 0.0
        self.accepted = 0
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            if not select.select([self._listener], [], [], 0.05)[0]:
                continue
            client, _ = self._listener.accept()
            server = socket.create_connection(("127.0.0.1", self._target))
            self.accepted += 1
            self._open += [client, server]
            for source, sink, slow in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=(source, sink, slow), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, slow: bool) -> None:
        try:
            while said := source.recv(65536):
                if slow and self.delay_s:
                    time.sleep(self.delay_s)
                sink.sendall(said)
        except OSError:
            pass  # the other end is gone, which is what a test wanted
        finally:
            source.close()
            sink.close()

    def cut(self) -> None:
        ends, self._open = self._open, []  # who connects meanwhile is not cut
        for end in ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed before
        self._open = []

    def close(self) -> None:
        self._stopped.set()
        self._accepting.join(5)
        self.cut()
        self._listener.close()


@pytest.fixture
def slow_wire(own_redis: OwnRedis) -> Iterator[SlowWire]:
    wire = SlowWire(own_redis.port)
    yield wire
    wire.close()
