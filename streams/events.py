"""What is replayed, wherever it was read from."""

from collections.abc import Sequence
from typing import Protocol


class Events(Protocol):
    """Events in time order, column by column."""

    @property
    def users(self) -> Sequence[str]:
        """Return each event's user."""

    @property
    def items(self) -> Sequence[str]:
        """Return each event's item."""

    @property
    def ts_ms(self) -> Sequence[int]:
        """Return each event's time, ascending."""

    @property
    def types(self) -> Sequence[str]:
        """Return each event's type."""

    @property
    def values(self) -> Sequence[float]:
        """Return each event's value, 0 where it has none."""

    @property
    def targets(self) -> Sequence[bool] | None:
        """Return which events may be scored; None: all that teach."""

    def __len__(self) -> int:
        """Return the number of events."""
