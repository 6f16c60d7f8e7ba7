"""A worker process: one job, its health server, and Faust to feed it."""

import logging
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from prometheus_client import CollectorRegistry

from millstream.exporters.health import HealthServer
from millstream.exporters.metrics import WorkerMetrics
from millstream.models.encoders import Encoders
from millstream.streams.assembly import Assembly, warm_up
from millstream.streams.collector import calm_collector
from millstream.streams.failpoints import failpoint_of
from millstream.streams.host_faust import FaustHost, run_host
from millstream.streams.job import Job
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import cache_dir
from millstream.streams.topics import ensure_topics
from millstream.streams.world import kafka_address, open_log, open_store

WorkerName = Literal["recommend", "learn", "encode"]
WORKERS: Final[tuple[WorkerName, ...]] = ("recommend", "learn", "encode")
STOP_GRACE_S: Final = 25.0

logger = logging.getLogger("millstream")


def run_worker(settings: Settings, name: WorkerName, announce: Callable[[str], None]) -> int:
    """Run one worker until SIGTERM or a fault; return its exit code."""
    log, store = open_log(settings), open_store(settings)
    ensure_topics(log, settings)
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    worker = f"{name}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"

    def waiting(why: str) -> None:
        metrics.store_errors()
        logger.warning("waiting: %s", why)

    assembly = Assembly(
        settings,
        log,
        store,
        metrics,
        worker,
        waiting,
        failpoint=failpoint_of(settings.failpoint),
        encoders=_encoders(settings) if name == "encode" else None,
    )
    jobs: dict[WorkerName, Callable[[], Job]] = {
        "recommend": assembly.recommend,
        "learn": assembly.learn,
        "encode": assembly.encode,
    }
    job = jobs[name]()
    health = HealthServer(settings.metrics.host, settings.metrics.port, registry, job.health)
    health.start()
    announce(f"{name}: metrics and health on {health.url}")
    try:
        if name != "encode":
            warm_up(settings)
        calm_collector()
        host = FaustHost(settings, kafka_address(settings), job, assembly.stopping.set)
        return run_host(host)
    finally:
        health.stop()
        store.close()
        log.close()


def _encoders(settings: Settings) -> Encoders:
    """Return the encoders that can be opened, for the only worker that needs their libraries."""
    from millstream.streams.encoders.choose import open_usable  # 90 MB, and half a second

    return open_usable(settings, cache_dir())


def run_all(arguments: Mapping[WorkerName, Sequence[str]]) -> int:
    """Run one process a worker until one ends or this one is told to; return the first bad code."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "millstream.streams", *given], start_new_session=True
        )
        for given in arguments.values()
    ]
    try:
        while all(process.poll() is None for process in processes):
            time.sleep(0.2)
    except KeyboardInterrupt:
        logger.info("asked to end")
    finally:
        end_processes(processes)
    codes = [process.returncode for process in processes]
    return next((code for code in codes if code), 0)


def end_processes(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Ask processes to end, and end those that do not within the grace."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + STOP_GRACE_S
    for process in processes:
        try:
            process.wait(max(until - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
