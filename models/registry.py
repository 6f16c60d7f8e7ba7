"""Every source by name: a file beside this one, and a line here.

A source is made of `params` and, if it takes one, a `seed`; the annotation of `params` says what
its section of the settings holds. A file is imported when its source is first asked for.
"""

import inspect
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Final, cast

import msgspec

from millstream.models.errors import ModelError
from millstream.models.source import Source

SOURCES: Final[dict[str, str]] = {
    "pairs": "pairs.Pairs",
    "pop": "pop.Pop",
    "mf": "mf.Mf",
    "fism": "fism.Fism",
    "river_mf": "river_mf.RiverMf",
}


def new_source(name: str, params: msgspec.Struct, seed: int) -> Source:
    """Return an empty source. Raises ModelError when there is none of that name and params."""
    new, takes_seed = _constructor(name)
    if type(params) is not params_type(name):
        wanted = params_type(name).__name__
        raise ModelError(f"source {name!r} takes {wanted}, not {type(params).__name__}")
    return new(params, seed=seed) if takes_seed else new(params)


def params_type(name: str) -> type[msgspec.Struct]:
    """Return what a source's settings are. Raises ModelError when there is no such source."""
    new, _ = _constructor(name)
    return cast(type[msgspec.Struct], inspect.signature(new).parameters["params"].annotation)


def _constructor(name: str) -> tuple[Callable[..., Source], bool]:
    """Return what makes a source, and whether it takes a seed."""
    if name not in SOURCES:
        raise ModelError(f"there is no source {name!r}; there are {', '.join(sorted(SOURCES))}")
    return _found(SOURCES[name])


@cache
def _found(place: str) -> tuple[Callable[..., Source], bool]:
    file, _, title = place.partition(".")
    new: Callable[..., Source] = getattr(import_module(f"millstream.models.{file}"), title)
    return new, "seed" in inspect.signature(new).parameters
