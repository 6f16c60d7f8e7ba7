"""Keeps a `Catalogue` equal to the `items` topic."""

from millstream.models.catalogue import Catalogue
from millstream.streams.item_message import RejectedItem, decode_item, item_of_key
from millstream.streams.log import Follower, Log
from millstream.streams.settings import Settings


class CatalogueFollower:
    """Reads the `items` topic from its beginning; one thread calls it."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self.catalogue = Catalogue()
        self._topic = settings.topics.name("items")
        self._log = log
        self._follower: Follower | None = None
        self._ends: dict[int, int] = {}
        self.read = 0

    def open(self) -> None:
        """Begin to follow; `caught_up` tells when all that was there at this moment is in."""
        partitions = range(self._log.partitions(self._topic))
        bounds = {p: self._log.bounds(self._topic, p) for p in partitions}
        self._ends = {p: end for p, (_, end) in bounds.items()}
        for p, (begin, _) in bounds.items():
            self.catalogue.skip(p, begin - 1)
        self._follower = self._log.follow({(self._topic, p): b for p, (b, _) in bounds.items()})

    def catch_up(self, timeout_s: float = 0.0) -> int:
        """Take in what has arrived; return how many records that was."""
        assert self._follower is not None, "open it first"
        records = self._follower.poll(timeout_s, 2000)
        for record in records:
            item = item_of_key(record.key)
            entry = None if record.value is None else decode_item(record.value)
            if item is None or isinstance(entry, RejectedItem):
                self.catalogue.skip(record.partition, record.offset)
            else:
                self.catalogue.apply(record.partition, record.offset, item, entry)
        self.read += len(records)
        return len(records)

    def caught_up(self) -> bool:
        """Return whether all that was in the topic at `open` has been taken in."""
        follower = self._follower
        return follower is not None and all(
            follower.position(self._topic, p) >= end for p, end in self._ends.items()
        )

    def close(self) -> None:
        """Stop following."""
        if self._follower is not None:
            self._follower.close()
