"""The state of a River model as arrays: its numbers, and its tables by user or item.

River keeps weights in dicts that grow when they are read, and draws what a weight begins with from
a generator. Here a weight begins as a hash of (seed, table, key), stored only while learning; what
is unknown reads as 0. Nothing is pickled.
"""

import functools
import random
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from millstream.models.errors import ModelError
from millstream.models.source import Arrays

if TYPE_CHECKING:
    from river.reco.base import Ranker

Weight = float | npt.NDArray[np.float64]
Place = tuple[str, object, str, object]
"""A path such as "u_optimizer.n_iterations", what holds it, its name there, and its value."""

STATELESS: Final = (str, bool, type, FunctionType, functools.partial)
CHANCE: Final = (random.Random, np.random.RandomState)


class Table(dict[int, Weight]):
    """Weights by key, in the place of one of River's defaultdicts."""

    def __init__(self, begin: Callable[[int], Weight], is_learning: Callable[[], bool]) -> None:
        super().__init__()
        self._begin = begin
        self._is_learning = is_learning

    def __missing__(self, key: int) -> Weight:
        if not self._is_learning():
            return 0.0 * self._begin(key)
        self[key] = begun = self._begin(key)
        return begun


class RiverState:
    """Reads, saves and bounds what one of River's recommenders has learnt."""

    def __init__(self, model: "Ranker", tried: "Ranker", seed: int) -> None:
        """Take over the tables of a new model; `tried`, one that has learnt, shows which it gets.

        Raises ModelError for a model that keeps anything but numbers and tables.
        """
        self._model = model
        self._seed = seed
        self.learning = False
        self._generators = [value for _, _, _, value in _walk(model) if isinstance(value, CHANCE)]
        tables = {path for path, _, _, value in _walk(tried) if isinstance(value, dict)}
        self.draws = not tables
        """Whether predictions are chance: a model without weights can only draw."""
        for number, (path, holder, name, value) in enumerate(list(_walk(model))):
            if path in tables:
                factory = getattr(value, "default_factory", None) or float
                begin = functools.partial(self._begin, factory, number)
                setattr(holder, name, Table(begin, lambda: self.learning))

    def reseed(self, *numbers: int) -> None:
        """Let the model's own chance follow from these numbers alone."""
        seed = int(np.random.SeedSequence([self._seed, *numbers]).generate_state(1)[0])
        for generator in self._generators:
            generator.seed(seed)

    def drop(self, keys: Iterable[int]) -> None:
        """Forget all that is kept by these keys."""
        tables = [value for _, _, _, value in _walk(self._model) if isinstance(value, dict)]
        for key in keys:
            for table in tables:
                table.pop(key, None)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return all numbers, and each table as sorted keys and their weights."""
        numbers: list[float] = []
        found: dict[str, npt.NDArray[np.generic]] = {}
        for path, _, _, value in _walk(self._model):
            if isinstance(value, dict):
                keys = sorted(value)
                found[f"{path}.keys"] = np.array(keys, np.int64)
                found[f"{path}.weights"] = np.array([value[key] for key in keys], np.float64)
            elif isinstance(value, int | float):
                numbers.append(float(value))
        return {"numbers": np.array(numbers, np.float64), **found}

    def load(self, arrays: Arrays) -> None:
        """Put what `arrays` returned into an empty model of the same kind."""
        numbers = iter(np.asarray(arrays["numbers"], np.float64).tolist())
        for path, holder, name, value in list(_walk(self._model)):
            if isinstance(value, int | float):
                number = next(numbers)
                whole = isinstance(value, int) and number.is_integer()
                setattr(holder, name, int(number) if whole else number)
            elif isinstance(value, dict):
                keys = np.asarray(arrays[f"{path}.keys"], np.int64).tolist()
                weights = np.asarray(arrays[f"{path}.weights"], np.float64)
                value.update(zip(keys, _weights(weights), strict=True))

    def _begin(self, factory: Callable[[], Weight], table: int, key: int) -> Weight:
        source = factory.func if isinstance(factory, functools.partial) else factory
        if isinstance(chance := getattr(source, "_rng", None), CHANCE):
            words = [self._seed, table, abs(key), int(key < 0)]
            chance.seed(int(np.random.SeedSequence(words).generate_state(1)[0]))
        return factory()


def _weights(weights: npt.NDArray[np.float64]) -> list[Weight]:
    return list(weights.tolist()) if weights.ndim == 1 else [row.copy() for row in weights]


def _walk(thing: object, path: str = "", within: tuple[int, ...] = ()) -> Iterator[Place]:
    """Yield all that may change, also what is still None, always in the same order."""
    for name, value in sorted(vars(thing).items()):
        at = f"{path}{name}"
        if value is None or isinstance(value, (int, float, dict, *CHANCE)):
            if not isinstance(value, bool):
                yield at, thing, name, value
        elif isinstance(value, STATELESS) or id(value) in within:
            continue
        elif type(value).__module__.startswith("river.") and hasattr(value, "__dict__"):
            yield from _walk(value, f"{at}.", (*within, id(thing)))
        else:
            kind = type(value).__name__
            raise ModelError(f"a River model that keeps a {kind} ({at}) cannot be a source")
