"""River's own BiasedMF as a source, to compare: its updates on our arrays, its reads replaced.

BiasedMF stores a vector for whatever it is asked about. Here its four weight tables are arrays
that it is given: items by row, users in a bounded direct-mapped table, both beginning as a hash
of (seed, id). Each interaction is a label 1, and items drawn by hash are labels 0 (R@10 .011
without those, .093 with ten).
"""

from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown
from millstream.models.histories import Histories, Rows, Scores, Step, Steps
from millstream.models.jit import kernel
from millstream.models.ridge import Doubles, Floats, begin
from millstream.models.source import Arrays, LearnsFromSteps, OnlyRescores

if TYPE_CHECKING:
    from river.reco import BiasedMF

GRADIENT_MAX = 10.0


NEGATIVES_AMONG: Final = 64
"""Negatives are drawn among at least so many rows, of which the unknown are passed over: among
three items every draw would hit what was just learnt."""


class RiverMfParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `river_mf`. `users_max` is rounded up to a power of two."""

    factors: Annotated[int, msgspec.Meta(ge=1, le=512)] = 16
    learning_rate: Annotated[float, msgspec.Meta(gt=0)] = 0.05
    negatives: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 10
    users_max: Annotated[int, msgspec.Meta(ge=1, le=2**24)] = 16_384


class RiverMf(LearnsFromSteps, OnlyRescores):
    """Global mean + user bias + item bias + dot product; rescores only."""

    name = "river_mf"
    features: ClassVar[Mapping[str, float]] = MappingProxyType({"river_mf": 0.0})

    def __init__(self, params: RiverMfParams, seed: int = 0) -> None:
        """Start empty."""
        slots = 1 << max(params.users_max - 1, 0).bit_length()
        self.params = params
        self.seed = seed
        self.rows = 0
        self.steps = 0
        self.met = 0  # rows below it have been learnt; `rows` may run ahead, frame by frame
        self.owners: npt.NDArray[np.uint64] = np.zeros(slots, np.uint64)
        self.user_vectors: Floats = np.zeros((slots, params.factors), np.float32)
        self.user_biases: Doubles = np.zeros(slots, np.float64)
        self.item_vectors: Floats = np.zeros((0, params.factors), np.float32)
        self.item_biases: Doubles = np.zeros(0, np.float64)
        self._river = _new_river(params)
        self._bind()

    def grow(self, rows: int) -> None:
        """Give each new row a vector that is a hash of (seed, row)."""
        self.item_vectors = grown(self.item_vectors, rows)
        self.item_biases = grown(self.item_biases, rows)
        for row in range(self.rows, rows):
            begin(self.seed, row, self.item_vectors[row])
        self.rows = max(self.rows, rows)
        self._bind()

    def forget(self, rows: Rows) -> None:
        """Set these rows back to where they began."""
        self.item_biases[rows] = 0.0
        for row in rows.tolist():
            begin(self.seed, row, self.item_vectors[row])

    def learn(self, steps: Steps) -> None:
        """Let River learn a 1, and 0 for items drawn by hash of (seed, steps so far)."""
        for step in steps:
            self._learn(step)

    def _learn(self, step: Step) -> None:
        user = step.user or 1  # 0 stands for an empty slot
        slot = user & (len(self.owners) - 1)
        if int(self.owners[slot]) != user:
            self.owners[slot] = user
            self.user_biases[slot] = 0.0
            begin(self.seed + 1, user, self.user_vectors[slot])
        self.met = max(self.met, step.row + 1)
        self._learn_one(slot, step.row, 1.0)
        draws = np.empty(self.params.negatives, np.float32)
        begin(self.seed + 2, self.steps, draws)
        for draw in draws.view(np.uint32).tolist():
            row = draw % max(self.met, NEGATIVES_AMONG)
            if row != step.row and row < self.met:
                self._learn_one(slot, row, 0.0)
        self.steps += 1

    def score(self, histories: Histories, candidates: Rows) -> Scores:
        """Return River's prediction without its side effects, (1, B, C); strangers by bias."""
        out = np.zeros((1, *candidates.shape), np.float32)
        mean = self._river.global_mean.get()
        _score(
            mean,
            self.item_vectors[: self.rows],
            self.item_biases,
            self.owners,
            self.user_vectors,
            self.user_biases,
            histories.users,
            candidates,
            out[0],
        )
        return out

    def read_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return all weights, users' only where a slot is in use."""
        used = np.flatnonzero(self.owners)
        mean = self._river.global_mean
        return {
            "item_vectors": self.item_vectors[: self.rows],
            "item_biases": self.item_biases[: self.rows],
            "user_slots": used,
            "owners": self.owners[used],
            "user_vectors": self.user_vectors[used],
            "user_biases": self.user_biases[used],
            "mean": np.array([mean.get(), mean.n, self.steps, self.met], np.float64),
        }

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the same: there is nothing else."""
        return self.read_arrays()

    def load(self, arrays: Arrays) -> None:
        """Replace the state."""
        self.__init__(self.params, self.seed)  # type: ignore[misc]
        used = np.asarray(arrays["user_slots"], np.int64)
        self.item_vectors = np.array(arrays["item_vectors"], np.float32)
        self.item_biases = np.array(arrays["item_biases"], np.float64)
        self.rows = len(self.item_vectors)
        self.owners[used] = arrays["owners"]
        self.user_vectors[used] = arrays["user_vectors"]
        self.user_biases[used] = arrays["user_biases"]
        mean, n, steps, met = np.asarray(arrays["mean"], np.float64).tolist()
        self._river.global_mean._mean, self._river.global_mean.n = mean, n
        self.steps, self.met = int(steps), int(met)
        self._bind()

    def _bind(self) -> None:
        """Let River's tables be our arrays, which `grow` and `load` replace."""
        for table, array in (
            ("u_biases", self.user_biases),
            ("i_biases", self.item_biases),
            ("u_latents", self.user_vectors),
            ("i_latents", self.item_vectors),
        ):
            setattr(self._river, table, _Table(array))

    def _learn_one(self, slot: int, row: int, label: float) -> None:
        self._river.learn_one(slot, row, label)  # type: ignore[no-untyped-call]


class _Table(MutableMapping[int, npt.NDArray[np.floating]]):
    """An array that takes the place of one of River's dicts."""

    def __init__(self, array: npt.NDArray[np.floating]) -> None:
        self._array = array

    def __getitem__(self, row: int) -> npt.NDArray[np.floating]:
        return self._array[row]  # type: ignore[no-any-return]

    def __setitem__(self, row: int, value: npt.NDArray[np.floating]) -> None:
        self._array[row] = value

    def __delitem__(self, row: int) -> None:
        raise KeyError(row)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._array)))

    def __len__(self) -> int:
        return len(self._array)


def _new_river(params: RiverMfParams) -> "BiasedMF":
    # Imported here: River costs every worker 16 MB and half a second, and few select this source.
    from river import optim
    from river.reco import BiasedMF

    return BiasedMF(
        n_factors=params.factors,
        bias_optimizer=optim.SGD(params.learning_rate),
        latent_optimizer=optim.SGD(params.learning_rate),
        clip_gradient=GRADIENT_MAX,
        seed=0,
    )


@kernel
def _score(
    mean: float,
    item_vectors: Floats,
    item_biases: Doubles,
    owners: npt.NDArray[np.uint64],
    user_vectors: Floats,
    user_biases: Doubles,
    users: npt.NDArray[np.uint64],
    candidates: Rows,
    out: Scores,
) -> None:
    for b in range(len(candidates)):
        slot = np.int64(users[b] & np.uint64(len(owners) - 1))
        met = owners[slot] == users[b] and users[b] != np.uint64(0)
        for c in range(candidates.shape[1]):
            row = candidates[b, c]
            if row < 0 or row >= len(item_vectors):
                continue
            total = mean + item_biases[row]
            if met:
                total += user_biases[slot]
                for x in range(item_vectors.shape[1]):
                    total += item_vectors[row, x] * user_vectors[slot, x]
            out[b, c] = total
