"""Records that are no events: kept with their reason and place, and counted against a limit."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from millstream.models.event import Event, Merge
from millstream.streams.decode import Rejected
from millstream.streams.errors import FoundWrong
from millstream.streams.log import Log, Message, Record
from millstream.streams.settings import Settings

VALUE_BYTES_KEPT: Final = 800_000


class TooManyRejected(FoundWrong):
    """More of the last records were rejected than the settings bear."""


class DeadLetters:
    """Turns rejected records into dead letters, and watches their share of the last records."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topics.name("dead_letters")
        self._worker = settings.worker
        self._last: deque[bool] = deque(maxlen=settings.worker.reject_window)
        self._rejected = 0

    def take(
        self,
        records: Sequence[Record],
        decoded: Sequence[Event | Merge | Rejected],
        counts: dict[str, int],
    ) -> list[Message]:
        """Return a message for each rejected record; add to `counts` by reason."""
        letters = []
        for record, outcome in zip(records, decoded, strict=True):
            bad = isinstance(outcome, Rejected)
            if len(self._last) == self._last.maxlen:
                self._rejected -= self._last[0]
            self._last.append(bad)
            self._rejected += bad
            if isinstance(outcome, Rejected):
                counts[outcome.reason] = counts.get(outcome.reason, 0) + 1
                letters.append(dead_letter(record, outcome.reason))
        return letters

    def publish(self, log: Log, letters: Sequence[Message]) -> None:
        """Write dead letters and wait until they are kept."""
        log.append(self._topic, letters)

    def check_ratio(self) -> None:
        """Raise TooManyRejected when a full window holds too many, unless that is only alarmed."""
        full = len(self._last) == self._last.maxlen
        share = self._rejected / max(len(self._last), 1)
        if full and share > self._worker.reject_ratio and self._worker.reject_policy == "stop":
            raise TooManyRejected(
                f"{self._rejected} of the last {len(self._last)} records were rejected, more than "
                f"{self._worker.reject_ratio:.0%}; look at their reasons in {self._topic}, then "
                "mend the producer, or go on anyway with --reject-policy alarm"
            )


def dead_letter(record: Record, reason: str, field: str = "", detail: str = "") -> Message:
    """Return a record as a dead letter: its key and bytes, and where and why in the headers.

    `field` is given where only that field could not be used and the rest was.
    """
    value = record.value if record.value is not None else b""
    headers = [
        ("reason", reason.encode()),
        ("topic", record.topic.encode()),
        ("partition", str(record.partition).encode()),
        ("offset", str(record.offset).encode()),
    ]
    if field:
        headers.append(("field", field.encode()))
    if detail:
        headers.append(("detail", detail.encode()[:200]))
    if record.value is None:
        headers.append(("null-value", b"1"))
    if len(value) > VALUE_BYTES_KEPT:
        headers.append(("cut-from-bytes", str(len(value)).encode()))
        value = value[:VALUE_BYTES_KEPT]
    key = record.key if len(record.key or b"") <= 1000 else None
    return Message(key, value, tuple(headers), partition=0)
