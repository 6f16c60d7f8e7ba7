"""Logs: one line an incident, none an event. JSON where a program reads, text on a terminal."""

import json
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TextIO

from millstream.streams.errors import BadUsage

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
REPEAT_S: Final = 10.0
HARMLESS_S: Final = 60.0
LINES_REMEMBERED: Final = 256

_NOISY: Final = (
    *("faust", "aiokafka", "kafka", "mode", "asyncio", "numba", "urllib3"),
    "millstream.streams.host_faust",  # Faust's services speak under the name of our subclasses
)
_HARMLESS_AT_START: Final = (
    "GroupCoordinatorNotAvailableError",  # a fresh broker makes its offsets topic just then
    "Group Coordinator Request failed",
)
_HARMLESS: Final = (
    "Aiokafka has not sent fetch request",  # often false; lag is measured and tells
    "woke up too late",  # timers of a busy loop; batches are meant to be long
    "woke up too early",
    "Heartbeat failed for group",  # how a rebalance shows in its members
)
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every log line to one stream, standard error if none is given.

    Libraries speak from WARNING on. May be called again: the last call counts. Raises BadUsage
    for an unknown level.
    """
    if level.upper() not in LEVELS:
        raise BadUsage(f"log level {level!r} is unknown: one of {', '.join(LEVELS)}")
    sink = sys.stderr if stream is None else stream
    handler = _Handler(sink)
    handler.setFormatter(_Text() if sink.isatty() else _Json())
    handler.addFilter(Quiet())
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # kafka-python tells every retry of an outage; what waits for Kafka says so itself.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)


class Quiet(logging.Filter):
    """Drops lines known to be harmless, and lines said again within 10 s."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._start_s = clock_s()
        self._said: OrderedDict[str, float] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is worth a reader's time."""
        text = record.getMessage()
        now_s = self._clock_s()
        if any(part in text for part in _HARMLESS):
            return False
        if now_s - self._start_s < HARMLESS_S and any(part in text for part in _HARMLESS_AT_START):
            return False
        key = f"{record.name} {text}"
        last_s = self._said.get(key)
        if last_s is not None and now_s - last_s < REPEAT_S:
            return False
        self._said[key] = now_s
        self._said.move_to_end(key)
        if len(self._said) > LINES_REMEMBERED:
            self._said.popitem(last=False)
        return True


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, told apart from those of others."""


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        said: dict[str, object] = {
            "at": _at(record, "milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            said["error"] = _error(record.exc_info[1])
            said["trace"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        parts = [_at(record, "seconds")[11:19], record.levelname.lower(), record.getMessage()]
        parts += [f"{name}={value}" for name, value in _extras(record).items()]
        if record.exc_info and record.exc_info[1] is not None:
            parts.append(f"({_error(record.exc_info[1])})")
        line = " ".join(parts).replace("\n", " | ")
        return "".join(char if char.isprintable() else "?" for char in line)


def _at(record: logging.LogRecord, precision: str) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _error(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
