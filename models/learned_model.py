"""The only writer of the item model: it folds the log, and emits what changed as frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from millstream.models.arrays import array_texts, grown, text_array
from millstream.models.choices import Choices, Scored
from millstream.models.embedding import Embedding
from millstream.models.errors import FrameRefused, StateRefused
from millstream.models.frame import FORMAT, Array, Frame, pack_array, pack_steps
from millstream.models.fusion import FusionParams
from millstream.models.histories import Rows, Steps, histories_before
from millstream.models.interaction import Interaction, InteractionBatch
from millstream.models.item_model import ItemModel
from millstream.models.item_rows import FREED_SHARE
from millstream.models.likeness_graph import LikenessGraph
from millstream.models.newcomers import NO_NEWCOMERS, NewcomersParams
from millstream.models.repeats import Repeats
from millstream.models.source import Source
from millstream.models.steps_of import steps_of

DESCRIBED_BYTES: Final = 500
"""About what a described item adds to a frame: its id, codes and scales."""


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
    steps: list[Steps] = field(default_factory=list)
    bytes: int = 0


class LearnedModel(ItemModel):
    """The fold of `interactions`: state(o) is a function of settings, seed and records [0, o)."""

    def __init__(
        self,
        sources: Sequence[tuple[Source, int]],
        fusion: FusionParams,
        items_max: int,
        seed: int,
        newcomers: NewcomersParams = NO_NEWCOMERS,
        *,
        repeat: bool = False,
    ) -> None:
        """`repeat`: people are listed what they had before, too."""
        super().__init__(sources, fusion, items_max, seed, newcomers)
        self.choices = Choices(self.scorer, self.fusion, self.rows, repeat)
        self._repeats = Repeats()
        self._used = np.zeros(64, np.int64)  # by row: number of the last step that met it
        self._steps = 0
        self._touched: dict[int, None] = {}
        self.likeness = LikenessGraph()
        """Who is like whom, for those who ask; no part of the state."""
        self._restated: dict[int, None] = {}
        self._pending = _Pending(0)

    def fold(
        self,
        offset: int,
        batch: InteractionBatch | None,
        append_ts: int,
        scored: Scored | None = None,
    ) -> Folded:
        """Take in the record at `offset`; None, an unreadable one, only moves the offset.

        An interaction whose source offset is not above the highest met of its topic partition is
        a repeat, as is one whose event id was met lately. With `scored` the fusion learns from
        what the caller has scored of these interactions, and scores nothing itself.
        """
        folded = Folded()
        if batch is not None:
            self._make_room(len(batch.interactions))
            fresh = []
            for interaction in batch.interactions:
                if self._repeats.is_repeat(interaction, batch.topics[interaction.topic]):
                    folded.repeats += 1
                elif interaction.weight <= 0.0:
                    folded.weightless += 1
                    if self.newcomers is not None:
                        self.newcomers.note_shown(self.rows.row(interaction.item))
                else:
                    fresh.append(interaction)
            folded.learnt = len(fresh)
            if fresh:
                self._learn(fresh, scored)
        self.offset = offset + 1
        self.newest_ts = max(self.newest_ts, append_ts)
        return folded

    def describe(
        self, offset: int, described: Sequence[tuple[str, Embedding]], append_ts: int
    ) -> None:
        """Take in the record at `offset`, which says what items look like.

        An item that nobody has met gets a row, so that it can be listed; one that is gone, by
        an empty Embedding, does not.
        """
        content = self.content
        if content is not None:
            self._make_room(len(described))
            for item, embedding in described:
                if not embedding.parts and self.rows.row(item) < 0:
                    continue
                row = self._row(item)
                self._used_now(row)
                restated = dict.fromkeys((row, *content.describe(row, embedding)))
                self._touched |= restated
                self._restated |= restated
                self._pending.bytes += DESCRIBED_BYTES
        self.offset = offset + 1
        self.newest_ts = max(self.newest_ts, append_ts)

    def highest(self) -> dict[str, int]:
        """Return the highest source offset met, by "topic_id:partition"."""
        return dict(self._repeats.highest)

    @property
    def pending_bytes(self) -> int:
        """Return about how many bytes the next frame has."""
        return self._pending.bytes

    def frame(self, writer: str, settings: str) -> Frame | None:
        """Return what changed since the last frame and begin a new one; None if nothing did."""
        pending = self._pending
        if pending.start == self.offset:
            return None
        self._pending = _Pending(self.offset)
        changes = {
            name: {array_name: pack_array(array) for array_name, array in changed.items()}
            for name, part in self._parts.items()
            if (changed := part.changes())
        }
        return Frame(
            FORMAT,
            settings,
            writer,
            pending.start,
            self.offset,
            pending.forgotten,
            pending.items,
            pack_steps(pending.steps),
            changes,
            self.newest_ts,
        )

    def settle(self) -> None:
        """Begin a new frame without making one of what is pending: nobody follows."""
        self._pending = _Pending(self.offset)
        for part in self._parts.values():
            part.changes()

    def take_touched(self) -> list[int]:
        """Return the rows learnt or described since the last call, each once."""
        touched = list(self._touched)
        self._touched.clear()
        return touched

    def follow_likeness(self) -> None:
        """Tell `likeness` of rows that look otherwise since the last call, or were given up."""
        if self.content is not None:
            self.likeness.follow(self.content, list(self._restated))
        self._restated.clear()

    def arrays(self) -> dict[str, Array]:
        """Return the whole learner at a frame's end, for a snapshot."""
        partitions, offsets = list(self._repeats.highest), list(self._repeats.highest.values())
        state: dict[str, Array] = {
            "fold.offset": np.array([self.offset, self.newest_ts, self._steps], np.int64),
            "fold.items": text_array(self.rows.ids()),
            "fold.used": self._used[: len(self.rows)].copy(),
            "fold.recent": self._repeats.recent(),
            "fold.partitions": text_array(partitions),
            "fold.highest": np.array(offsets, np.int64),
        }
        for name, part in self._parts.items():
            state |= {f"{name}.{array_name}": array for array_name, array in part.arrays().items()}
        return state

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Replace the state by what `arrays` returned. Raises StateRefused on missing parts."""
        super().load(arrays)
        try:
            self._steps = int(np.asarray(arrays["fold.offset"])[2])
            used = np.asarray(arrays["fold.used"], np.int64)
            recent = np.asarray(arrays["fold.recent"], np.uint64)
            highest = np.asarray(arrays["fold.highest"], np.int64)
            partitions = array_texts(arrays["fold.partitions"])
        except KeyError as error:
            raise StateRefused(f"the snapshot lacks {error}") from error
        self._used = np.zeros(max(64, len(used)), np.int64)
        self._used[: len(used)] = used
        self._repeats.load(partitions, highest.tolist(), recent)
        self._pending = _Pending(self.offset)
        self._touched.clear()
        self._restated.clear()
        self.likeness.clear()

    def _learn(self, fresh: Sequence[Interaction], scored: Scored | None) -> None:
        rows = [self._row(interaction.item) for interaction in fresh]
        for row in rows:
            self._steps += 1
            self._used_now(row)
        self._touched.update(dict.fromkeys(rows))
        steps = steps_of(fresh, rows, self.rows)
        if self.newcomers is not None:
            self.newcomers.learn(histories_before(steps), steps.rows)
        if self.fusion.params.learn:
            self.choices.learn(fresh, steps, self._steps - len(steps), scored)
        for source in self.sources.values():
            source.learn(steps)
        self._pending.steps.append(steps)
        self._pending.bytes += 180 * len(steps) + 16 * len(steps.history)

    def _used_now(self, row: int) -> None:
        self._used = grown(self._used, row + 1)
        self._used[row] = self._steps

    def _row(self, item: str) -> int:
        row = self.rows.row(item)
        if row < 0:
            row = self.rows.next_row()
            self._place([(row, item)])
            self._pending.items.append((row, item))
        return row

    def _make_room(self, items: int) -> None:
        """Give up the least recently used rows before a record that may bring `items` new ones.

        Those that nobody has met go first: a large catalogue must not push out what was learnt.
        """
        lacking = items - self.rows.room()
        if lacking <= 0:
            return
        if self._pending.start != self.offset:
            raise FrameRefused("rows can only be given up at a frame's start; emit the frame first")
        most = max(lacking, int(self.rows.most * FREED_SHARE))
        in_use = np.array([row for row, item in enumerate(self.rows.ids()) if item], np.int32)
        content = self.content
        met = np.ones(len(in_use)) if content is None else content.counts[in_use] > 0
        oldest = in_use[np.lexsort((self._used[in_use], met))][:most]
        rows: Rows = np.sort(oldest).astype(np.int32)
        self._forget(rows)
        self._restated.update(dict.fromkeys(rows.tolist()))
        self._pending.forgotten = rows.tolist()

    def needs_frame(self, interactions: int) -> bool:
        """Return whether a frame must be emitted before a record of so many interactions."""
        return self._pending.start != self.offset and interactions > self.rows.room()
