"""Any of River's recommenders as a source: `river.BiasedMF`, `river.FunkMF` and so on.

Each interaction is a label 1, and items drawn by hash are labels 0. People are hashed into
`users_max` slots before River meets them; the latest to come has the slot.
"""

from types import MappingProxyType
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.histories import Histories, Rows, Scores, Step, Steps
from millstream.models.ridge import begin
from millstream.models.river_mf import NEGATIVES_AMONG
from millstream.models.river_options import new_recommender, split, tried
from millstream.models.river_state import RiverState
from millstream.models.source import Arrays, LearnsFromSteps, OnlyRescores


class RiverRecoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of all `river.*`. `users_max` is rounded up to a power of two."""

    options: tuple[str, ...] = ()
    negatives: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 10
    users_max: Annotated[int, msgspec.Meta(ge=1, le=2**24)] = 16_384

    def __post_init__(self) -> None:
        """Refuse an option that is not of the form MODEL.ARGUMENT=VALUE."""
        for option in self.options:
            split(option)


class RiverReco(LearnsFromSteps, OnlyRescores):
    """River's prediction for a person and an item; rescores only, one call a candidate."""

    def __init__(self, params: RiverRecoParams, seed: int, name: str) -> None:
        """Take a name such as `river.FunkMF`. Raises ModelError for what River does not know."""
        self.name = name
        self.features = MappingProxyType({name: 0.0})
        self.params = params
        self.seed = seed
        self.rows = 0
        self.steps = 0
        self.met = 0  # rows below it have been learnt; `rows` may run ahead, frame by frame
        self.owners = np.zeros(1 << max(params.users_max - 1, 0).bit_length(), np.uint64)
        model = name.partition(".")[2]
        self._river = new_recommender(model, params.options, seed)
        self._state = RiverState(self._river, tried(model, params.options), seed)

    def grow(self, rows: int) -> None:
        """Know that there are item rows 0 .. rows - 1; River makes room when it learns them."""
        self.rows = max(self.rows, rows)

    def forget(self, rows: Rows) -> None:
        """Drop what River keeps of these rows."""
        self._state.drop(rows.tolist())

    def learn(self, steps: Steps) -> None:
        """Let River learn a 1, and 0 for items drawn by hash of (seed, steps so far)."""
        self._state.learning = True
        for step in steps:
            self._learn(step)
        self._state.learning = False

    def _learn(self, step: Step) -> None:
        user = step.user or 1  # 0 stands for an empty slot
        slot = user & (len(self.owners) - 1)
        if int(self.owners[slot]) != user:
            self.owners[slot] = user
            self._state.drop([_key(slot)])
        self.met = max(self.met, step.row + 1)
        self._state.reseed(self.steps)
        self._river.learn_one(_key(slot), step.row, True)
        draws = np.empty(self.params.negatives, np.float32)
        begin(self.seed + 2, self.steps, draws)
        for draw in draws.view(np.uint32).tolist():
            row = draw % max(self.met, NEGATIVES_AMONG)
            if row != step.row and row < self.met:
                self._river.learn_one(_key(slot), row, False)
        self.steps += 1

    def score(self, histories: Histories, candidates: Rows) -> Scores:
        """Return River's predictions, (1, B, C); what was not learnt counts as a 0 vector."""
        out = np.zeros((1, *candidates.shape), np.float32)
        mask = len(self.owners) - 1
        for b, user in enumerate(histories.users.tolist()):
            slot = user & mask
            met = user != 0 and int(self.owners[slot]) == user
            key = _key(slot if met else len(self.owners))
            for c, row in enumerate(candidates[b].tolist()):
                if 0 <= row < self.rows:
                    if self._state.draws:
                        self._state.reseed(self.steps, user, row)
                    out[0, b, c] = self._river.predict_one(key, row)
        return out

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return River's state, who owns which slot, and what was counted."""
        used = np.flatnonzero(self.owners)
        return {
            **self._state.arrays(),
            "user_slots": used,
            "owners": self.owners[used],
            "counts": np.array([self.rows, self.steps, self.met], np.int64),
        }

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the same: there is nothing else."""
        return self.read_arrays()

    def load(self, arrays: Arrays) -> None:
        """Replace the state."""
        self.__init__(self.params, self.seed, self.name)  # type: ignore[misc]
        self._state.load(arrays)
        self.owners[np.asarray(arrays["user_slots"], np.int64)] = arrays["owners"]
        self.rows, self.steps, self.met = np.asarray(arrays["counts"], np.int64).tolist()


def _key(slot: int) -> int:
    """Return what River knows a user by: below 0, where no item row is."""
    return -1 - slot
