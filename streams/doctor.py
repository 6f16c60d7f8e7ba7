"""What Millstream finds on a machine: each thing it needs, there or not, and what to do."""

import platform
import shutil
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, Literal

import msgspec

from millstream.exporters.errors import ExporterError
from millstream.models.encoders.encoder import MODALITIES
from millstream.streams import kafka_server, redis_server
from millstream.streams.encoders.builtin import BUILT_INS
from millstream.streams.encoders.choose import AUTO, HASHING, OFF, built_in
from millstream.streams.encoders.kept import is_here as encoder_is_here
from millstream.streams.errors import MillstreamError
from millstream.streams.movielens import DATASETS, is_here
from millstream.streams.settings import Settings
from millstream.streams.stack import Stack
from millstream.streams.topics import check_topics
from millstream.streams.world import addresses, open_log, open_store

PACKAGES: Final = ("faust-streaming", "kafka-python", "redis", "river", "numba", "pyarrow")
FREE_GB: Final = 1.0

State = Literal["ok", "missing", "could be"]


class Finding(msgspec.Struct, frozen=True):
    """One thing: `ok`, `missing` (it is needed), or `could be` (nothing needs it yet)."""

    name: str
    state: State
    found: str
    todo: str = ""


def examine(settings: Settings, cache: Path) -> list[Finding]:
    """Return all findings, in the order in which to mend them; starts and changes nothing."""
    local_kafka, local_redis = not settings.kafka.bootstrap, not settings.redis.url
    findings = [_python(), *_packages(), _folder(settings)]
    if local_kafka:
        findings += [
            _tried("java", kafka_server.java),
            _jars(cache),
        ]
    if local_redis:
        findings.append(_tried("redis server", redis_server.server))
    if local_kafka or local_redis:
        findings.append(_stack(settings, cache))
    findings += [*_kafka(settings), _redis(settings)]
    return [*findings, *_encoders(settings, cache), *_datasets(settings)]


def _python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("python", "ok", found)
    return Finding("python", "missing", found, "use Python 3.11, 3.12 or 3.13")


def _packages() -> Iterable[Finding]:
    for name in ("millstream", *PACKAGES):
        try:
            yield Finding(f"package {name}", "ok", version(name))
        except PackageNotFoundError:
            yield Finding(f"package {name}", "missing", "not installed", f"pip install {name}")


def _folder(settings: Settings) -> Finding:
    """Look at the data folder, or at the nearest one above it that is there."""
    folder = settings.data_path
    there = next((f for f in (folder, *folder.parents) if f.exists()), Path("/"))
    free_gb = shutil.disk_usage(there).free / 1e9
    found = f"{folder}, {free_gb:.1f} GB free"
    if not there.is_dir():
        return Finding("data folder", "missing", f"{there} is no folder", "choose by --data-dir")
    if free_gb < FREE_GB:
        return Finding("data folder", "missing", found, f"make {FREE_GB:.0f} GB of room there")
    return Finding("data folder", "ok", found)


def _jars(cache: Path) -> Finding:
    folder = cache / f"kafka-{kafka_server.KAFKA_VERSION}"
    if folder.is_dir():
        return Finding("kafka jars", "ok", str(folder))
    maven = shutil.which("mvn")
    if maven is None:
        return Finding(
            "kafka jars", "missing", "not fetched", f"install Maven (mvn), {kafka_server.INSTEAD}"
        )
    return Finding("kafka jars", "could be", f"{maven} will fetch them", "millstream stack start")


def _stack(settings: Settings, cache: Path) -> Finding:
    try:
        status = Stack(settings.data_path, cache).status()
    except MillstreamError as error:
        return Finding("stack", "missing", str(error), "mend it as it says")
    if status.running:
        return Finding(
            "stack", "ok", f"kafka {status.versions['kafka']}, {status.versions['redis']}"
        )
    if "crashed" in status.parts.values():
        parts = ", ".join(f"{name} {state}" for name, state in status.parts.items())
        return Finding("stack", "missing", parts, "mend it with: millstream stack start")
    return Finding("stack", "could be", "not started", "millstream stack start")


def _kafka(settings: Settings) -> Iterable[Finding]:
    kafka = addresses(settings).kafka
    if kafka is None:
        return
    log = open_log(settings)
    try:
        faults = check_topics(log, settings)
    except MillstreamError as error:
        yield Finding("kafka", "missing", f"{kafka}: {error}", "is it there, and reachable?")
        return
    finally:
        log.close()
    yield Finding("kafka", "ok", kafka)
    missing = [fault.topic for fault in faults if fault.fault == "missing"]
    wrong = [fault for fault in faults if fault.fault != "missing"]
    if wrong:
        yield Finding("topics", "missing", wrong[0].topic, wrong[0].mend)
    elif missing:
        found = f"{len(missing)} are missing"
        yield Finding("topics", "could be", found, "millstream topics create")
    else:
        yield Finding("topics", "ok", "as they must be")


def _redis(settings: Settings) -> Finding:
    if addresses(settings).redis is None:
        return Finding("redis", "could be", "none runs", "millstream stack start")
    store = open_store(settings)
    try:
        return Finding("redis", "ok", store.version())
    except ExporterError as error:
        return Finding("redis", "missing", str(error), "is it there, and reachable?")
    finally:
        store.close()


def _encoders(settings: Settings, cache: Path) -> Iterable[Finding]:
    """Look whether what the settings choose is here; `encoders check` looks inside."""
    for modality in MODALITIES:
        name, said = f"encoder of {modality}", getattr(settings.encoders, modality)
        known = built_in(modality) if said == AUTO else said
        fetch = f"millstream encoders fetch {known}"
        if said == OFF or (said == HASHING and modality == "text"):
            yield Finding(name, "ok", "off" if said == OFF else "hashed words: spelling only")
        elif known in BUILT_INS and encoder_is_here(known, cache):
            yield Finding(name, "ok", known)
        elif said == AUTO:
            meanwhile = "hashed words until one is fetched" if modality == "text" else "off"
            yield Finding(name, "could be", meanwhile, fetch)
        elif said in BUILT_INS:
            yield Finding(name, "missing", f"{said} is not fetched", fetch)
        elif Path(said).expanduser().is_dir():
            yield Finding(name, "ok", said)
        else:
            todo = f"correct encoders.{modality}; see: millstream encoders list"
            yield Finding(name, "missing", f"no folder {said}", todo)


def _datasets(settings: Settings) -> Iterable[Finding]:
    for name in DATASETS:
        if is_here(name, settings.data_path):
            yield Finding(f"data set {name}", "ok", "fetched")
        else:
            todo = f"millstream data fetch {name}"
            yield Finding(f"data set {name}", "could be", "not fetched", todo)


def _tried(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", look())
    except MillstreamError as error:
        sentence, _, todo = str(error).partition(": ")
        return Finding(name, "missing", sentence, todo)
