"""LEARN: the only writer of the item model. Folds its log, tells replicas by frames.

Where it goes on after a crash is where the last frame in the log ends: a snapshot is loaded and
the interactions up to there are folded in silence, so that the chain of frames has no hole and
no overlap whoever writes the next one.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from itertools import count
from typing import Self

from millstream.models.errors import StateRefused
from millstream.models.histories import Rows
from millstream.models.learned_model import LearnedModel
from millstream.models.online_quality import OnlineQuality
from millstream.streams.errors import MillstreamError
from millstream.streams.folding import fold, said_by
from millstream.streams.log import Log, LogUnavailable, Message, RangeRemoved, Record
from millstream.streams.patience import Patience
from millstream.streams.segments import FrameReader, cut, frame_ended
from millstream.streams.settings import Settings
from millstream.streams.snapshots import Snapshot, Snapshots

logger = logging.getLogger("millstream")


class Superseded(MillstreamError):
    """Another LEARN has written frames that continue the chain; this one must begin anew."""


@dataclass(slots=True)
class Learnt:
    """What became of interactions, frames and snapshots since the core was made."""

    learnt: int = 0
    weightless: int = 0
    repeats: int = 0
    described: int = 0
    unreadable: int = 0
    frames: int = 0
    removed: int = 0
    snapshots: int = 0
    snapshots_failed: int = 0
    drifts_better: int = 0
    drifts_worse: int = 0

    def since(self, before: Self) -> Self:
        """Return what came on top of an earlier reading."""
        names = [f.name for f in fields(self)]
        return replace(self, **{n: getattr(self, n) - getattr(before, n) for n in names})


class LearnCore:
    """The fold of `interactions` and its frames and snapshots. One thread calls it."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        snapshots: Snapshots,
        model: LearnedModel,
        writer: str,
        patience: Patience,
        clock_ms: Callable[[], int],
        failpoint: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.model = model
        self.learnt = Learnt()
        self.quality = OnlineQuality()
        model.choices.watch = self._watch
        self._settings = settings.learn
        self._settings_hash = settings.shape_hash()
        self._interactions = settings.topics.name("interactions")
        self._deltas = settings.topics.name("item_deltas")
        self._log = log
        self._snapshots = snapshots
        self._writer = writer
        self._patience = patience
        self._clock_ms = clock_ms
        self._failpoint = failpoint
        self._topic_id = ""
        self._next_delta = 0  # where our next frame is expected to land
        self._chain_stop = 0  # where the records of the chain's last frame end
        self._frame_at_ms = 0
        self._snapshot_at_ms = 0
        self._snapshot_offset = 0

    def _watch(self, above: Rows) -> None:
        """Note how choices were ranked before they were learnt; say when that became worse."""
        for drift in self.quality.add(above):
            if drift.is_loss:
                self.learnt.drifts_worse += 1
                logger.warning(
                    "lists became worse near interaction %d: they hit %.3f more often than "
                    "popularity does, before %.3f; did what people do change, or the catalogue?",
                    self.model.offset,
                    drift.after,
                    drift.before,
                )
            else:
                self.learnt.drifts_better += 1

    def begin(self) -> int:
        """Restore the state at the end of the last frame; return the offset to go on from.

        Raises SnapshotRefused when what is kept was made with other settings.
        """
        return self._patience.call(self._begin)

    def is_last_writer(self) -> bool:
        """Return whether the log of frames still ends with our last one."""
        _, end = self._patience.call(lambda: self._log.bounds(self._deltas, 0))
        return end == self._next_delta

    def apply(self, records: Iterable[Record]) -> None:
        """Fold records, each once and in order; emits frames as they fill or fall due."""
        for record in records:
            if record.offset < self.model.offset:
                continue
            if record.offset > self.model.offset:
                for missed in self._between(self.model.offset, record.offset):
                    self._fold(missed)
            self._fold(record)
        self.tick()

    def sweep(self) -> None:
        """Fold what the log holds beyond our offset although nobody delivered it."""
        _, end = self._patience.call(lambda: self._log.bounds(self._interactions, 0))
        for record in self._between(self.model.offset, end):
            self._fold(record)
        self.tick()

    def tick(self) -> None:
        """Emit a frame and write a snapshot when they are due."""
        now_ms = self._clock_ms()
        if now_ms >= self._frame_at_ms:
            self._emit()
            self._frame_at_ms = now_ms + self._settings.frame_interval_ms
        due = now_ms >= self._snapshot_at_ms and self.model.offset > self._snapshot_offset
        if due:
            self.snapshot()

    def snapshot(self) -> None:
        """Write a snapshot at the end of a frame; a full disk is counted, not fatal."""
        self._emit()
        self._snapshot_at_ms = self._clock_ms() + int(self._settings.snapshot_interval_s * 1000)
        try:
            self._snapshots.save(
                Snapshot(
                    self.model.offset,
                    self._chain_stop,
                    self._settings_hash,
                    self._topic_id,
                    self.model.arrays(),
                )
            )
        except OSError:
            self.learnt.snapshots_failed += 1
        else:
            self.learnt.snapshots += 1
            self._snapshot_offset = self.model.offset

    def _begin(self) -> int:
        self._topic_id = self._log.topic_ids([self._interactions])[self._interactions]
        snapshot = self._snapshots.newest(self._settings_hash, self._topic_id)
        deltas = 0
        if snapshot is not None:
            self.model.load(snapshot.arrays)
            deltas = snapshot.deltas
            self._snapshot_offset = snapshot.offset
        begin, end = self._log.bounds(self._deltas, 0)
        told, self._chain_stop = self._chain_end(max(begin, min(deltas, end)), end)
        for record in self._between(self.model.offset, told):
            self._fold(record, silent=True)
        self.model.settle()
        self._next_delta = end
        self._snapshot_at_ms = self._clock_ms() + int(self._settings.snapshot_interval_s * 1000)
        return self.model.offset

    def _chain_end(self, start: int, stop: int) -> tuple[int, int]:
        """Return where the chain of frames from our offset on ends, and where its records do.

        A frame that somebody has begun there may still be completed, even after a crash, by what
        is on its way to the broker: whoever reads on must meet its beginning too.
        """
        at, reader = self.model.offset, FrameReader()
        for record in self._log.read(self._deltas, 0, start, stop):
            try:
                frame = reader.take(record.value)
            except StateRefused:
                continue
            if frame is not None and (frame.start == at or (frame.start > at and not at)):
                at, start = frame.stop, record.offset + 1
        return at, start

    def _fold(self, record: Record, *, silent: bool = False) -> None:
        said = said_by(record.value)
        if not said.readable:
            self.learnt.unreadable += 1
        elif self.model.needs_frame(said.items):
            if silent:
                self.model.settle()
            else:
                self._emit()
        folded = fold(self.model, record, said)
        if silent:
            return
        self.learnt.described += len(said.described or ())
        self.learnt.learnt += folded.learnt
        self.learnt.weightless += folded.weightless
        self.learnt.repeats += folded.repeats
        if self.model.pending_bytes >= self._settings.frame_bytes_max // 2:
            self._emit()

    def _between(self, start: int, stop: int) -> Iterable[Record]:
        """Yield the interactions in [start, stop); what retention removed is counted."""
        while start < stop:
            try:
                for record in self._log.read(self._interactions, 0, start, stop):
                    start = record.offset + 1
                    yield record
                start = stop
            except RangeRemoved as gone:
                self.learnt.removed += gone.begin - start
                start = gone.begin
            except LogUnavailable as away:
                self._patience.wait(away)

    def _emit(self) -> None:
        """Write the frame that is pending, and leave if another writer's came before it."""
        frame = self.model.frame(self._writer, self._settings_hash)
        if frame is None:
            return
        tries = count()

        def write() -> list[int]:
            # What was tried before may have landed, or will: each try is told apart, so that the
            # same frame twice still means that somebody has doubled it.
            tried = next(tries)
            frame.writer = f"{self._writer}/{tried}" if tried else self._writer
            values = cut(frame, self._settings.frame_bytes_max)
            *others, last = [Message(None, value) for value in values]
            offsets: list[int] = []
            if others:
                offsets = self._log.append(self._deltas, others)
                self._failpoint("learn.within-frame")
            return offsets + self._log.append(self._deltas, [last])

        self._failpoint("learn.before-frame")
        landed = self._patience.call(write)
        self._failpoint("learn.after-frame")
        self.learnt.frames += 1
        stop = landed[-1] + 1
        if stop - self._next_delta > len(landed):
            self._check_foreign(self._next_delta, stop, frame.start)
        self._next_delta = self._chain_stop = stop

    def _check_foreign(self, start: int, stop: int, mine: int) -> None:
        """Leave if another's frame from where ours begins ended before ours."""
        for record in self._log.read(self._deltas, 0, start, stop):
            ended = frame_ended(record.value)
            if ended is None or ended[0].partition("/")[0] == self._writer:
                continue
            if ended[1] == mine:
                raise Superseded(
                    f"LEARN {ended[0]} wrote the frame from {mine} before this one "
                    f"({self._writer}); another LEARN owns the model, this one leaves"
                )
