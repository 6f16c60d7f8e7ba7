"""Follows a log from a thread of its own, so that whoever reads waits for no server."""

import threading
from collections import deque
from collections.abc import Mapping
from typing import Final

from millstream.streams.log import Follower, LogError, LogUnavailable, Record

BUFFERED_MAX: Final = 2_000
BUFFERED_BYTES_MAX: Final = 32_000_000
"""2,000 catalogue messages with a picture each would be more than a gigabyte."""
POLL_S: Final = 0.1
AWAY_S: Final = 1.0


class Prefetched:
    """A `Follower` over another; One thread reads it.

    At most about BUFFERED_MAX records of BUFFERED_BYTES_MAX wait, and what one poll adds to them.
    """

    def __init__(self, follower: Follower, starts: Mapping[tuple[str, int], int]) -> None:
        """Take over a follower that begins at `starts`."""
        self._follower = follower
        self._positions = dict(starts)  # of the follower, as of its last poll
        self._waiting: deque[Record] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._fault: LogError | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._fetch, name="prefetch", daemon=True)
        self._thread.start()

    def poll(self, timeout_s: float = 0.0, max_records: int = 500) -> list[Record]:
        """Return records that have been fetched; raises what the follower raised behind them."""
        with self._changed:
            if not self._waiting and timeout_s > 0.0 and self._fault is None:
                self._changed.wait(timeout_s)
            if not self._waiting and self._fault is not None:
                raise self._fault
            records = [self._waiting.popleft() for _ in range(min(max_records, len(self._waiting)))]
            self._waiting_bytes -= sum(map(_size, records))
            self._changed.notify_all()
        return records

    def position(self, topic: str, partition: int) -> int:
        """Return the next offset to be returned."""
        with self._changed:
            for record in self._waiting:
                if (record.topic, record.partition) == (topic, partition):
                    return record.offset
            return self._positions[topic, partition]

    def close(self) -> None:
        """Stop following; twice is harmless."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _full(self) -> bool:
        return len(self._waiting) >= BUFFERED_MAX or self._waiting_bytes >= BUFFERED_BYTES_MAX

    def _fetch(self) -> None:
        while True:
            with self._changed:
                while self._full() and not self._closed:
                    self._changed.wait()
                if self._closed:
                    break
            try:
                records = self._follower.poll(POLL_S)
                if records:
                    with self._changed:
                        self._waiting.extend(records)
                        self._waiting_bytes += sum(map(_size, records))
                        self._changed.notify_all()
                positions = {at: self._follower.position(*at) for at in self._positions}
            except LogUnavailable:
                with self._changed:
                    self._changed.wait(AWAY_S)
                continue
            except LogError as fault:
                with self._changed:
                    self._fault = fault
                    self._changed.notify_all()
                break
            with self._changed:
                self._positions = positions
        self._follower.close()


def _size(record: Record) -> int:
    return len(record.value or b"")
