"""A worker's own copy of the item model and the catalogue, kept up with frames and snapshots."""

from collections.abc import Callable
from typing import Final

from millstream.models.catalogue import Catalogue
from millstream.models.errors import FrameRefused, StateRefused
from millstream.models.model_replica import ModelReplica
from millstream.streams.catalogue_follower import CatalogueFollower
from millstream.streams.log import Follower, Log, RangeRemoved, Record
from millstream.streams.segments import FrameReader
from millstream.streams.settings import Settings
from millstream.streams.snapshots import Snapshots

RECORDS_A_CATCH_UP: Final = 20
"""Bounds the time between two batches of events; a restart calls until it has caught up."""
MEND_EVERY_MS: Final = 2_000


class Replica:
    """Follows `item-deltas` and `items`. One thread calls it.

    A frame that begins below where the model stands is a repeat or a zombie's and is dropped; one
    that begins above means that frames are missing: the replica is broken until a snapshot of
    the learner reaches past the hole.
    """

    def __init__(
        self,
        settings: Settings,
        log: Log,
        snapshots: Snapshots,
        model: ModelReplica,
        clock_ms: Callable[[], int],
    ) -> None:
        self.model = model
        self._clock_ms = clock_ms
        self._mend_at_ms = 0
        self._settings_hash = settings.shape_hash()
        self._topic = settings.topics.name("item_deltas")
        self._interactions = settings.topics.name("interactions")
        self._log = log
        self._snapshots = snapshots
        self._catalogue = CatalogueFollower(settings, log)
        self._follower: Follower | None = None
        self._frames = FrameReader()
        self._end = 0
        self.broken = ""
        self.applied = 0
        self.dropped = 0

    @property
    def catalogue(self) -> Catalogue:
        """Return the catalogue as of the last `catch_up`."""
        return self._catalogue.catalogue

    def open(self) -> None:
        """Load the newest snapshot and begin to follow."""
        self._catalogue.open()
        self._restore()

    def catch_up(self, timeout_s: float = 0.0) -> int:
        """Take in what has arrived, a bounded part of it; return how many records that was."""
        assert self._follower is not None, "open it first"
        read = self._catalogue.catch_up()
        try:
            records = self._follower.poll(timeout_s, RECORDS_A_CATCH_UP)
        except RangeRemoved:
            self.broken = "frames were removed by retention before they were read"
            records = []
        for record in records:
            self._apply(record)
        if self.broken and self._clock_ms() >= self._mend_at_ms:
            self._mend_at_ms = self._clock_ms() + MEND_EVERY_MS
            self._restore()
        return read + len(records)

    def caught_up(self) -> bool:
        """Return whether all that was there at `open` is in and nothing is missing."""
        follower = self._follower
        return (
            not self.broken
            and follower is not None
            and follower.position(self._topic, 0) >= self._end
            and self._catalogue.caught_up()
        )

    def close(self) -> None:
        """Stop following."""
        self._catalogue.close()
        if self._follower is not None:
            self._follower.close()

    def _apply(self, record: Record) -> None:
        if self.broken:
            return
        try:
            frame = self._frames.take(record.value)
            if frame is None:
                return
            if frame.stop <= self.model.offset or frame.start < self.model.offset:
                self.dropped += 1
                return
            self.model.apply(frame, self._settings_hash)
        except (FrameRefused, StateRefused) as error:
            self.broken = str(error)
        else:
            self.applied += 1

    def _restore(self) -> None:
        """Begin at the newest snapshot that is ahead of the model, or at the first frame held."""
        topic_id = self._log.topic_ids([self._interactions])[self._interactions]
        snapshot = self._snapshots.newest(self._settings_hash, topic_id)
        begin, self._end = self._log.bounds(self._topic, 0)
        start = begin
        if self.broken and (snapshot is None or snapshot.offset <= self.model.offset):
            return
        if snapshot is not None:
            self.model.load(snapshot.arrays)
            start = min(max(snapshot.deltas, begin), self._end)
        self.broken = ""
        if self._follower is not None:
            self._follower.close()
        self._follower = self._log.follow({(self._topic, 0): start})
        self._frames = FrameReader()
