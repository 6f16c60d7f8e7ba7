"""What a worker does, whoever feeds it: Faust on Kafka, or a loop over the log in memory."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from millstream.exporters.health import Health
from millstream.streams.log import Record
from millstream.streams.positions import Partition


class Job(Protocol):
    """One kind of work. A host calls everything but `health` from one thread, in turn.

    Whatever is raised ends the worker: what is not stored is done again by the next one.
    """

    name: str
    heavy: bool
    """Whether a record may be near a megabyte, so that a host holds few of them."""

    @property
    def topics(self) -> Sequence[str]:
        """Return the topics whose records it is given."""

    def open(self) -> None:
        """Restore what the work needs; may take long."""

    def assign(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Own exactly these partitions from now on; return the offset each goes on from."""

    def revoke(self) -> None:
        """Stop changing anything others may own by now, until `assign` is called again."""

    def apply(self, records: Sequence[Record]) -> None:
        """Do the work for these records; returns when it is stored."""

    def idle(self) -> None:
        """Do what is due when no records have come for a moment."""

    def check(self) -> None:
        """Look, every few seconds, for what was skipped; publish what is known of the state."""

    def health(self) -> Health:
        """Return whether the work gets done. Any thread may ask."""

    def close(self) -> None:
        """Leave what the next start needs, and let go."""
