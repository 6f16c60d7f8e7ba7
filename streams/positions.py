"""Where each partition is to go on: our own progress, never the consumer group's."""

from collections.abc import Iterable, Iterator, Mapping

from millstream.exporters.store import Store
from millstream.streams.log import Log, LogUnavailable, RangeRemoved, Record
from millstream.streams.patience import Patience

Partition = tuple[str, int]


class Positions:
    """Next offsets by partition, as stored under the topic's id, and the gaps below a record.

    The store's value is the truth: what is held here is what was last read from or written to it.
    """

    def __init__(self, app: str, log: Log, store: Store, patience: Patience) -> None:
        self._app = app
        self._patience = patience
        self._log = log
        self._store = store
        self._ids: dict[str, str] = {}
        self._stored: dict[Partition, int | None] = {}
        self._next: dict[Partition, int] = {}
        self.gaps = 0
        self.removed = 0

    def take(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Own exactly these partitions; return where each goes on, unknown ones at their begin."""
        wanted = list(partitions)
        topics = sorted({topic for topic, _ in wanted})
        self._ids = self._patience.call(lambda: self._log.topic_ids(topics))
        kept = self._patience.call(lambda: self._store.progress(self._app))
        self._stored = {tp: kept.get(self._field(tp)) for tp in wanted}
        bounds = self._patience.call(lambda: self._log.bounds_of(wanted))
        self._next = {
            tp: bounds[tp][0] if stored is None else min(stored, bounds[tp][1])
            for tp, stored in self._stored.items()
        }
        return dict(self._next)

    def owned(self) -> Mapping[Partition, int]:
        """Return the next offset of each owned partition."""
        return self._next

    def topic_id(self, topic: str) -> str:
        """Return the id of an owned topic."""
        return self._ids[topic]

    def in_order(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield each record once and in order: repeats are skipped, gaps are read from the log."""
        for record in records:
            tp = (record.topic, record.partition)
            due = self._next.get(tp)
            if due is not None and record.offset > due:
                self.gaps += 1
                yield from self._between(tp, record.offset)
                due = self._next[tp]
            if due is None or record.offset < due:
                continue
            self._next[tp] = record.offset + 1
            yield record

    def behind(self, partitions: Iterable[Partition] | None = None) -> Iterator[Record]:
        """Yield what the log holds beyond the next offsets, of all or some: nobody delivered it."""
        wanted = list(self._next if partitions is None else partitions)
        bounds = self._patience.call(lambda: self._log.bounds_of(wanted))
        for tp, (_, end) in bounds.items():
            if end > self._next[tp]:
                yield from self._between(tp, end)

    def store(self) -> bool:
        """Write the next offsets; False when the store held others, which are then taken over."""
        moves = {
            self._field(tp): (self._stored[tp], offset)
            for tp, offset in self._next.items()
            if offset != self._stored[tp]
        }
        if not moves:
            return True
        if self._patience.call(lambda: self._store.advance(self._app, moves)):
            self.take(list(self._next))
            return False
        self._stored.update(self._next)
        return True

    def _between(self, tp: Partition, stop: int) -> Iterator[Record]:
        """Yield the records in [next, stop) and move on to stop, over whatever is not there."""
        while self._next[tp] < stop:
            try:
                for record in self._log.read(*tp, self._next[tp], stop):
                    self._next[tp] = record.offset + 1
                    yield record
                    if self._next[tp] != record.offset + 1:
                        break  # `store` has taken over other progress: read on from there
                else:
                    self._next[tp] = max(self._next[tp], stop)
            except RangeRemoved as gone:
                self.removed += gone.begin - self._next[tp]
                self._next[tp] = gone.begin
            except LogUnavailable as away:
                self._patience.wait(away)

    def _field(self, tp: Partition) -> str:
        return f"{self._ids[tp[0]]}:{tp[1]}"
