"""One record of `interactions` into a model: the same code in LEARN and in the audit."""

from dataclasses import dataclass
from typing import Final

from millstream.models.interaction import InteractionBatch, decode_batch
from millstream.models.learned_model import Folded, LearnedModel
from millstream.streams.descriptions import Described, decode_descriptions
from millstream.streams.log import Record


@dataclass(frozen=True, slots=True)
class Said:
    """What a record says: what people did, or what items look like, or nothing that can be read."""

    batch: InteractionBatch | None = None
    described: Described | None = None

    @property
    def readable(self) -> bool:
        """Return whether it is either."""
        return self.batch is not None or self.described is not None

    @property
    def items(self) -> int:
        """Return how many items it may bring that the model has not met."""
        if self.batch is not None:
            return len(self.batch.interactions)
        return len(self.described or ())


NOTHING: Final = Said()


def said_by(value: bytes | None) -> Said:
    """Return what a record's value says, NOTHING when it is of neither kind."""
    batch = decode_batch(value)
    if batch is not None:
        return Said(batch=batch)
    described = decode_descriptions(value)
    return NOTHING if described is None else Said(described=described)


def fold(model: LearnedModel, record: Record, said: Said) -> Folded:
    """Take in a record; what cannot be read only moves the offset.

    Where `model.needs_frame(said.items)` the frame must have been emitted. Raises FrameRefused.
    """
    if said.described is None:
        return model.fold(record.offset, said.batch, record.timestamp_ms)
    model.describe(record.offset, said.described, record.timestamp_ms)
    return Folded()
