"""The item model: what everybody did, as a fold over one log of interactions.

`LearnedModel` folds the log and is the only writer; `ModelReplica` folds the frames it emits.
Both hold the same rows and the same sources, and at a frame's end the same `digest`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from millstream.models.errors import FrameRefused, StateRefused
from millstream.models.frame import (
    FORMAT,
    Array,
    Frame,
    PackedSteps,
    digest,
    pack_array,
    unpack_array,
)
from millstream.models.histories import Rows, Step
from millstream.models.interaction import Interaction, InteractionBatch
from millstream.models.item_rows import FREED_SHARE, ItemRows
from millstream.models.repeats import Repeats
from millstream.models.source import Source


class ItemModel:
    """Rows and sources, as of interaction `offset` (the next one to fold). Reads only."""

    def __init__(self, sources: Sequence[Source], items_max: int) -> None:
        self.rows = ItemRows(items_max)
        self.sources = {source.name: source for source in sources}
        self.offset = 0
        self.newest_ts = 0

    def digest(self) -> str:
        """Return 16 hex digits over what replicas hold."""
        return digest(self.rows.ids(), dict(self._read_arrays()))

    def _read_arrays(self) -> Iterator[tuple[str, Array]]:
        for name, source in self.sources.items():
            for part, array in source.read_arrays().items():
                yield f"{name}.{part}", array

    def _place(self, items: Sequence[tuple[int, str]]) -> None:
        for row, item in items:
            self.rows.place(item, row)
        if items:
            for source in self.sources.values():
                source.grow(len(self.rows))

    def _forget(self, rows: Rows) -> None:
        if len(rows):
            self.rows.free(rows)
            for source in self.sources.values():
                source.forget(rows)


@dataclass(slots=True)
class Folded:
    """What became of the interactions of one record."""

    learnt: int = 0
    weightless: int = 0
    repeats: int = 0


@dataclass(slots=True)
class _Pending:
    """Since the last frame."""

    start: int
    forgotten: list[int] = field(default_factory=list)
    items: list[tuple[int, str]] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    bytes: int = 0


class LearnedModel(ItemModel):
    """The fold of `interactions`: state(o) is a function of settings, seed and records [0, o)."""

    def __init__(self, sources: Sequence[Source], items_max: int) -> None:
        super().__init__(sources, items_max)
        self._repeats = Repeats()
        self._used = np.zeros(64, np.int64)  # by row: number of the last step that met it
        self._steps = 0
        self._touched: dict[int, None] = {}
        self._pending = _Pending(0)

    def fold(self, offset: int, batch: InteractionBatch | None, append_ts: int) -> Folded:
        """Take in the record at `offset`; None, an unreadable one, only moves the offset.

        An interaction whose source offset is not above the highest met of its topic partition is
        a repeat, as is one whose event id was met lately.
        """
        folded = Folded()
        if batch is not None:
            self._make_room(len(batch.interactions))
            for interaction in batch.interactions:
                if self._repeats.is_repeat(interaction, batch.topics[interaction.topic]):
                    folded.repeats += 1
                elif interaction.weight <= 0.0:
                    folded.weightless += 1
                else:
                    self._learn(interaction)
                    folded.learnt += 1
        self.offset = offset + 1
        self.newest_ts = max(self.newest_ts, append_ts)
        return folded

    @property
    def pending_bytes(self) -> int:
        """Return about how many bytes the next frame has."""
        return self._pending.bytes

    def frame(self, writer: str, settings: str) -> Frame | None:
        """Return what changed since the last frame and begin a new one; None if nothing was read."""
        pending = self._pending
        if pending.start == self.offset:
            return None
        self._pending = _Pending(self.offset)
        changes = {
            name: {part: pack_array(array) for part, array in changed.items()}
            for name, source in self.sources.items()
            if (changed := source.changes())
        }
        return Frame(
            FORMAT,
            settings,
            writer,
            pending.start,
            self.offset,
            pending.forgotten,
            pending.items,
            _pack_steps(pending.steps),
            changes,
            self.newest_ts,
        )

    def settle(self) -> None:
        """Begin a new frame without making one of what is pending: nobody follows."""
        self._pending = _Pending(self.offset)
        for source in self.sources.values():
            source.changes()

    def take_touched(self) -> list[int]:
        """Return the rows learnt since the last call, each once."""
        touched = list(self._touched)
        self._touched.clear()
        return touched

    def arrays(self) -> dict[str, Array]:
        """Return the whole learner at a frame's end, for a snapshot."""
        partitions, offsets = list(self._repeats.highest), list(self._repeats.highest.values())
        state: dict[str, Array] = {
            "fold.offset": np.array([self.offset, self.newest_ts, self._steps], np.int64),
            "fold.items": _strings(self.rows.ids()),
            "fold.used": self._used[: len(self.rows)].copy(),
            "fold.recent": self._repeats.recent(),
            "fold.partitions": _strings(partitions),
            "fold.highest": np.array(offsets, np.int64),
        }
        for name, source in self.sources.items():
            state |= {f"{name}.{part}": array for part, array in source.arrays().items()}
        return state

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Replace the state by what `arrays` returned. Raises StateRefused on missing parts."""
        _load(self, arrays)
        try:
            self._steps = int(np.asarray(arrays["fold.offset"])[2])
            used = np.asarray(arrays["fold.used"], np.int64)
            recent = np.asarray(arrays["fold.recent"], np.uint64)
            highest = np.asarray(arrays["fold.highest"], np.int64)
            partitions = _unstrings(arrays["fold.partitions"])
        except KeyError as error:
            raise StateRefused(f"the snapshot lacks {error}") from error
        self._used = np.zeros(max(64, len(used)), np.int64)
        self._used[: len(used)] = used
        self._repeats.load(partitions, highest.tolist(), recent)
        self._pending = _Pending(self.offset)

    def _learn(self, interaction: Interaction) -> None:
        row = self.rows.row(interaction.item)
        if row < 0:
            row = self.rows.next_row()
            self._place([(row, interaction.item)])
            self._pending.items.append((row, interaction.item))
            while row >= len(self._used):
                self._used = np.concatenate((self._used, np.zeros_like(self._used)))
        self._steps += 1
        self._used[row] = self._steps
        self._touched[row] = None
        history = np.array(self.rows.rows(interaction.history), np.int32)
        weights = np.array(interaction.history_weights, np.float32)
        when = interaction.ts - np.array(interaction.history_ages, np.int64)
        if len(history) and history.min() < 0:
            known = history >= 0
            history, weights, when = history[known], weights[known], when[known]
        step = Step(
            row,
            float(np.float32(interaction.weight)),  # as a frame carries it
            interaction.ts,
            interaction.user,
            history,
            weights,
            when,
        )
        for source in self.sources.values():
            source.learn(step)
        self._pending.steps.append(step)
        self._pending.bytes += 180 + 16 * len(history)

    def _make_room(self, items: int) -> None:
        """Give up the least recently used rows before a record that may bring `items` new ones."""
        lacking = items - self.rows.room()
        if lacking <= 0:
            return
        if self._pending.start != self.offset:
            raise FrameRefused("rows can only be given up at a frame's start; emit the frame first")
        most = max(lacking, int(self.rows.most * FREED_SHARE))
        in_use = np.array([row for row, item in enumerate(self.rows.ids()) if item], np.int32)
        oldest = in_use[np.argsort(self._used[in_use], kind="stable")][:most]
        rows: Rows = np.sort(oldest).astype(np.int32)
        self._forget(rows)
        self._pending.forgotten = rows.tolist()

    def needs_frame(self, interactions: int) -> bool:
        """Return whether a frame must be emitted before a record of so many interactions."""
        return self._pending.start != self.offset and interactions > self.rows.room()


class ModelReplica(ItemModel):
    """The fold of `item-deltas`: reads everywhere, written only by frames."""

    def apply(self, frame: Frame, settings: str) -> None:
        """Take in the frame that begins where this replica is. Raises FrameRefused otherwise."""
        if frame.settings != settings:
            raise FrameRefused(
                f"a frame was made with settings {frame.settings}, this replica has {settings}; "
                "start LEARN and RECOMMEND with the same settings, or in another namespace"
            )
        if frame.start != self.offset:
            raise FrameRefused(f"a frame begins at {frame.start}, the replica is at {self.offset}")
        self._forget(np.array(frame.forgotten, np.int32))
        learners = [s for s in self.sources.values() if s.learns_from_steps]
        items = dict(frame.items)
        for step in _unpack_steps(frame.steps):
            if step.row in items:  # as the learner did: before the step that brought it, not sooner
                self._place([(step.row, items.pop(step.row))])
            for source in learners:
                source.learn(step)
        for name, changed in frame.changes.items():
            self.sources[name].apply({part: unpack_array(p) for part, p in changed.items()})
        self.offset = frame.stop
        self.newest_ts = frame.newest_ts

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Replace the state by a learner's snapshot."""
        _load(self, arrays)


def _load(model: ItemModel, arrays: Mapping[str, Array]) -> None:
    try:
        offset, newest_ts, _ = np.asarray(arrays["fold.offset"], np.int64).tolist()
        model.rows.load(_unstrings(arrays["fold.items"]))
        for name, source in model.sources.items():
            source.grow(len(model.rows))
            prefix = f"{name}."
            source.load(
                {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            )
    except (KeyError, ValueError) as error:
        raise StateRefused(f"the snapshot does not fit these sources: {error}") from error
    model.offset, model.newest_ts = offset, newest_ts


def _strings(texts: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Return texts without NUL as bytes, joined by NUL."""
    return np.frombuffer("\0".join(["", *texts]).encode(), np.uint8)


def _unstrings(array: Array) -> list[str]:
    return np.asarray(array, np.uint8).tobytes().decode().split("\0")[1:]


def _pack_steps(steps: Sequence[Step]) -> PackedSteps:
    ptr = np.zeros(len(steps) + 1, np.int64)
    np.cumsum([len(s.history) for s in steps], out=ptr[1:])
    return PackedSteps(
        np.array([s.row for s in steps], np.int32).tobytes(),
        np.array([s.weight for s in steps], np.float32).tobytes(),
        np.array([s.ts_ms for s in steps], np.int64).tobytes(),
        np.array([s.user for s in steps], np.uint64).tobytes(),
        ptr.tobytes(),
        b"".join(s.history.tobytes() for s in steps),
        b"".join(s.history_weights.tobytes() for s in steps),
        b"".join(s.history_ts_ms.tobytes() for s in steps),
    )


def _unpack_steps(packed: PackedSteps) -> Iterator[Step]:
    rows = np.frombuffer(packed.row, np.int32).tolist()
    weights = np.frombuffer(packed.weight, np.float32).tolist()
    ts = np.frombuffer(packed.ts, np.int64).tolist()
    users = np.frombuffer(packed.user, np.uint64).tolist()
    ptr = np.frombuffer(packed.ptr, np.int64).tolist()
    history = np.frombuffer(packed.history, np.int32)
    history_weights = np.frombuffer(packed.history_weight, np.float32)
    history_ts = np.frombuffer(packed.history_ts, np.int64)
    for n, row in enumerate(rows):
        part = slice(ptr[n], ptr[n + 1])
        yield Step(
            row,
            weights[n],
            ts[n],
            users[n],
            history[part],
            history_weights[part],
            history_ts[part],
        )
