"""Every source by name: a file beside this one, and a line here.

A source is made of `params` and, if it takes them, a `seed` and its `name`; the annotation of
`params` says what its section of the settings holds. One that takes its name is a family: there is
`river.FunkMF`, not `river`. A file is imported when its source is first asked for.
"""

import inspect
from collections.abc import Callable, Mapping
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
    "content": "content.Content",
    "river_mf": "river_mf.RiverMf",
    "river": "river_reco.RiverReco",
}


def new_source(name: str, params: msgspec.Struct, seed: int) -> Source:
    """Return an empty source. Raises ModelError when there is none of that name and params."""
    check_name(name)
    wanted = params_type(section_of(name))
    if type(params) is not wanted:
        given = type(params).__name__
        raise ModelError(f"source {name!r} takes {wanted.__name__}, not {given}")
    new, takes = _found(SOURCES[section_of(name)])
    given_too = {"seed": seed, "name": name}
    return new(params, **{key: value for key, value in given_too.items() if key in takes})


def section_of(name: str) -> str:
    """Return the name of the section that has a source's params: `river` of `river.FunkMF`."""
    return name.partition(".")[0]


def params_type(section: str) -> type[msgspec.Struct]:
    """Return what the params of a section are; the section is one of SOURCES."""
    _, takes = _found(SOURCES[section])
    return cast(type[msgspec.Struct], takes["params"].annotation)


def is_family(section: str) -> bool:
    """Return whether a section's sources have names that go on after a dot."""
    return "name" in _found(SOURCES[section])[1]


def check_name(name: str) -> None:
    """Raise ModelError when there is no source of that name."""
    section, _, member = name.partition(".")
    if section not in SOURCES or is_family(section) != bool(member):
        known = ", ".join(f"{one}.MODEL" if is_family(one) else one for one in sorted(SOURCES))
        raise ModelError(f"{name!r} is wrong; it must be a list, each item one of {known}")


@cache
def _found(place: str) -> tuple[Callable[..., Source], Mapping[str, inspect.Parameter]]:
    """Return what makes a source, and what it takes."""
    file, _, title = place.partition(".")
    new: Callable[..., Source] = getattr(import_module(f"millstream.models.{file}"), title)
    return new, inspect.signature(new).parameters
