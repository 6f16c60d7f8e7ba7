"""The metrics server as a scraper, a supervisor and a rude client see it."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.registry import CollectorRegistry

from millstream.exporters.errors import PortTaken
from millstream.exporters.health import Health, HealthServer
from millstream.exporters.metrics import WorkerMetrics


class Worker:
    """Something whose health a test may change."""

    def __init__(self) -> None:
        self.health = Health(alive=True, ready=True)

    def __call__(self) -> Health:
        return self.health


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def server(worker: Worker) -> Iterator[HealthServer]:
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    with HealthServer("127.0.0.1", 0, registry, worker) as started:
        yield started


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(server.url + path, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_served_as_prometheus_reads_them(server: HealthServer) -> None:
    status, text = get(server, "/metrics")
    assert status == 200
    assert "# TYPE millstream_events_total counter" in text
    assert "\nmillstream_ready 1.0\n" in text


def test_a_worker_that_recovers_is_alive_but_not_ready_and_says_why(
    server: HealthServer, worker: Worker
) -> None:
    worker.health = Health(True, False, "recovering events", {"model": 17})
    status, text = get(server, "/readyz")
    assert status == 503
    said = {"alive": True, "ready": False, "why": "recovering events", "model": 17}
    assert json.loads(text) == said
    assert get(server, "/healthz")[0] == 200
    assert "\nmillstream_ready 0.0\n" in get(server, "/metrics")[1]
    worker.health = Health(True, True, "")
    assert get(server, "/readyz")[0] == 200


def test_a_dead_worker_is_neither_alive_nor_ready(server: HealthServer, worker: Worker) -> None:
    worker.health = Health(False, True, "stalled")
    assert (get(server, "/healthz")[0], get(server, "/readyz")[0]) == (503, 503)


def test_other_paths_are_not_there_and_are_not_echoed(server: HealthServer) -> None:
    status, text = get(server, "/<script>")
    assert status == 404
    assert "script" not in text


def test_only_loopback_listens_unless_told(server: HealthServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert server.port > 0


def test_a_taken_port_is_an_error_that_names_it(server: HealthServer, worker: Worker) -> None:
    second = HealthServer("127.0.0.1", server.port, CollectorRegistry(), worker)
    with pytest.raises(PortTaken, match=f"{server.port}"):
        second.start()


def test_after_a_stop_nothing_listens_and_the_port_is_free_again(worker: Worker) -> None:
    registry = CollectorRegistry()
    server = HealthServer("127.0.0.1", 0, registry, worker)
    threads = threading.active_count()
    server.start()
    port = server.port
    assert get(server, "/healthz")[0] == 200
    server.stop()
    server.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 1)
    with HealthServer("127.0.0.1", port, registry, worker) as again:
        assert get(again, "/healthz")[0] == 200
    assert threading.active_count() <= threads + 1


def test_clients_that_say_nothing_take_few_threads_and_are_cut_off(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millstream.exporters.health._REQUEST_S", 0.5)
    before = threading.active_count()
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(30)]
    time.sleep(0.2)
    assert threading.active_count() <= before + 8
    assert get(server, "/healthz")[0] == 503
    time.sleep(0.8)
    assert get(server, "/healthz")[0] == 200
    for client in idle:
        client.close()


def test_many_scrapes_at_once_are_answered(server: HealthServer) -> None:
    statuses: list[int] = []

    def scrape() -> None:
        statuses.extend(get(server, "/metrics")[0] for _ in range(5))

    threads = [threading.Thread(target=scrape) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [200] * 30
