"""Waiting for a world that is away: one retry loop, with jitter, that a stop ends."""

import random
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from millstream.exporters.errors import StoreUnavailable
from millstream.streams.errors import MillstreamError
from millstream.streams.log import LogUnavailable

Result = TypeVar("Result")
WAIT_MAX_S: Final = 5.0


class Stopped(MillstreamError):
    """The worker was asked to stop while it waited; nothing that matters is in memory alone."""


class Patience:
    """Repeats a call while Redis or Kafka is away, until it works or `stop` is set.

    `waiting_for` says what is away, for readiness; '' while all is well.
    """

    def __init__(self, stop: threading.Event, on_wait: Callable[[str], None]) -> None:
        self._stop = stop
        self._on_wait = on_wait
        self._tries = 0
        self.waiting_for = ""

    def call(self, attempt: Callable[[], Result]) -> Result:
        """Return what `attempt` returns. Raises Stopped when the worker is to end."""
        while True:
            try:
                result = attempt()
            except (StoreUnavailable, LogUnavailable) as error:
                self.wait(error)
            else:
                self._tries = 0
                self.waiting_for = ""
                return result

    def check(self) -> None:
        """Raise Stopped when the worker is to end: for long work that waits for no server."""
        if self._stop.is_set():
            raise Stopped("stopped in the middle of long work")

    def wait(self, error: StoreUnavailable | LogUnavailable) -> None:
        """Wait before the next try, longer each time. Raises Stopped."""
        if not self.waiting_for:
            self._on_wait(str(error))
        self.waiting_for = str(error)
        wait_s = min(error.retry_after_s * 2 ** min(self._tries, 6), WAIT_MAX_S)
        self._tries += 1
        if self._stop.wait(wait_s * random.uniform(0.5, 1.0)):
            raise Stopped("stopped while Kafka or Redis was away") from error
