"""The item model where it is only read: it follows LEARN's frames."""

import numpy as np

from millstream.models.errors import FrameRefused
from millstream.models.frame import Frame, unpack_array, unpack_steps
from millstream.models.item_model import ItemModel


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
        self._place(frame.items)
        steps = unpack_steps(frame.steps)
        for source in self.sources.values():
            if source.learns_from_steps and len(steps):
                source.learn(steps)
        for name, changed in frame.changes.items():
            self._parts[name].apply({part: unpack_array(p) for part, p in changed.items()})
        self.offset = frame.stop
        self.newest_ts = frame.newest_ts
