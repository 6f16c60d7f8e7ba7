"""What is said of River's recommenders in the settings, made into their arguments.

An option is `MODEL.ARGUMENT=VALUE`: `BiasedMF.n_factors=16`, `FunkMF.optimizer=AdaGrad(0.05)`.
River is imported when one of its models is asked for: it costs 16 MB and half a second.
"""

import inspect
import math
import re
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Final

from millstream.models.errors import ModelError

if TYPE_CHECKING:
    from river.reco.base import Ranker

OPTION: Final = re.compile(r"([A-Za-z]\w*)\.(\w+)=(\S+)")
CALL: Final = re.compile(r"([A-Za-z]\w*)(?:\(([\d.eE+-]+)\))?")
GRADIENT_MAX: Final = 10.0
"""River's own limit, 1e12, lets factors run away."""


def recommenders() -> dict[str, type["Ranker"]]:
    """Return River's recommenders by name, as installed."""
    from river import reco

    return {
        name: kind
        for name, kind in sorted(vars(reco).items())
        if isinstance(kind, type) and issubclass(kind, reco.base.Ranker)
    }


def new_recommender(model: str, options: Iterable[str], seed: int) -> "Ranker":
    """Return one of River's recommenders. Raises ModelError for what River does not know."""
    known = recommenders()
    said: dict[str, dict[str, str]] = {model: {}}
    for option in options:
        name, argument, value = split(option)
        said.setdefault(name, {})[argument] = value
    for name in said:
        if name not in known:
            raise ModelError(f"River has no recommender {name!r}; it has {', '.join(known)}")
    takes = inspect.signature(known[model]).parameters
    free = [name for name in takes if name != "seed"]
    arguments: dict[str, object] = {"seed": seed} if "seed" in takes else {}
    if "clip_gradient" in takes:
        arguments["clip_gradient"] = GRADIENT_MAX
    for argument, value in said[model].items():
        if argument not in free:
            listed = f"it takes {', '.join(free)}" if free else "it takes nothing"
            raise ModelError(f"river.{model} takes no {argument!r}; {listed}")
        arguments[argument] = _value(f"{model}.{argument}", takes[argument].default, value)
    new: Callable[..., Ranker] = known[model]
    return new(**arguments)


def tried(model: str, options: Iterable[str]) -> "Ranker":
    """Return a recommender that has learnt something. Raises ModelError if River cannot."""
    found = new_recommender(model, options, 0)
    try:
        for label in (True, False):
            found.learn_one(0, 0, label)
    except (ArithmeticError, NotImplementedError, TypeError, ValueError) as error:
        raise ModelError(f"river.{model} cannot learn with these options: {error}") from error
    return found


def split(option: str) -> tuple[str, str, str]:
    """Return model, argument and value. Raises ValueError."""
    if not (found := OPTION.fullmatch(option)):
        raise ValueError(f"{option!r} is wrong; it must be MODEL.ARGUMENT=VALUE")
    return found[1], found[2], found[3]


def _value(option: str, default: object, text: str) -> object:
    """Return a number where the argument's default is one, else an object of River's `optim`."""
    if isinstance(default, int | float):
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or (isinstance(default, int) and not number.is_integer()):
            wanted = "a whole number" if isinstance(default, int) else "a number"
            raise ModelError(f"{option}: {text!r} is wrong; it must be {wanted}")
        return int(number) if isinstance(default, int) else number
    return _made(option, text)


def _made(option: str, text: str) -> object:
    from river import optim

    argument = option.rpartition(".")[2]
    home: ModuleType
    base: type
    if argument.endswith("optimizer"):
        home, base = optim, optim.base.Optimizer
    elif argument.endswith("initializer"):
        home, base = optim.initializers, optim.base.Initializer
    elif argument == "loss":
        home, base = optim.losses, optim.losses.RegressionLoss
    else:
        raise ModelError(f"{option} cannot be set here")
    known = {
        name: kind
        for name, kind in sorted(vars(home).items())
        if isinstance(kind, type) and issubclass(kind, base) and not inspect.isabstract(kind)
    }
    found = CALL.fullmatch(text)
    if not found or found[1] not in known:
        raise ModelError(f"{option}: {text!r} is wrong; it must be one of {', '.join(known)}")
    kind: Callable[..., object] = known[found[1]]
    try:
        if found[2] is None:
            return kind()
        # A deviation is what one wants to say of a normal distribution; River's mean comes first.
        return kind(**{"sigma" if found[1] == "Normal" else _first(kind): float(found[2])})
    except (TypeError, ValueError) as error:
        raise ModelError(f"{option}: {text!r} is wrong; River says: {error}") from error


def _first(kind: Callable[..., object]) -> str:
    return next(iter(inspect.signature(kind).parameters), "number")
