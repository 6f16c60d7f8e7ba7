"""Settings from the world: defaults, then a TOML file, then the environment, then flags.

The only reader of the environment. Every refusal names the key, where its value came from, and
what would be right.
"""

import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import msgspec
from msgspec import inspect

from millstream.models.registry import SOURCES, params_type
from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.settings import Settings
from millstream.streams.settings_together import check_together

ENV_PREFIX: Final = "MILLSTREAM_"
FILE_ENV: Final = "MILLSTREAM_SETTINGS"
TEST_PREFIX: Final = "MILLSTREAM_TEST_"  # the test suite's own, no business of settings
SHORT_ENV: Final = {"MILLSTREAM_KAFKA": "kafka.bootstrap", "MILLSTREAM_REDIS": "redis.url"}


@dataclass(frozen=True, slots=True)
class Flag:
    """A value from the command line and the flag that gave it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class _Given:
    value: object
    place: str
    text: bool  # the value is a string that stands for something of another type


def load_settings(
    file: str | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Flag] | None = None,
) -> Settings:
    """Return the settings; later layers win: file, environment (default: the process's), flags.

    `flags` are by key (`kafka.bootstrap`). Raises BadUsage, or WorldMissing for a file that is
    not there.
    """
    env = os.environ if environ is None else environ
    leaves = dict(setting_types())
    given: dict[str, _Given] = {}
    if home := env.get("XDG_DATA_HOME"):
        given["data_dir"] = _Given(str(Path(home) / "millstream"), "XDG_DATA_HOME", True)
    path = file or env.get(FILE_ENV)
    if path:
        given.update(_from_file(Path(path), leaves))
    given.update(_from_environment(env, leaves))
    for key, flag in (flags or {}).items():
        given[key] = _Given(flag.value, flag.name, True)
    settings = _over(Settings(), given, leaves)
    check_together(settings, _places(given))
    return settings


def with_setting(settings: Settings, key: str, text: str, flag: str) -> Settings:
    """Return settings with one key (`metrics.port`) set from a flag's text. Raises BadUsage."""
    leaves = dict(setting_types())
    if key not in leaves:
        raise BadUsage(f"{flag}: there is no setting {key}{_nearest(key, leaves)}")
    given = {key: _Given(text, flag, True)}
    changed = _over(settings, given, leaves)
    check_together(changed, _places(given))
    return changed


def as_environment(settings: Settings) -> dict[str, str]:
    """Return the environment that gives another process these settings."""
    environment = {}
    for key in dict(setting_types()):
        section, _, field = key.partition(".")
        value = getattr(settings.section(section), field) if field else getattr(settings, key)
        if isinstance(value, dict):
            value = ",".join(f"{name}={one}" for name, one in value.items())
        elif isinstance(value, tuple | list):
            value = ",".join(map(str, value))
        environment[env_name(key)] = str(value).lower() if isinstance(value, bool) else str(value)
    return environment


def cache_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder for what can be fetched again, such as Kafka's jars."""
    env = os.environ if environ is None else environ
    return Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "millstream"


def setting_types() -> Iterator[tuple[str, inspect.Type]]:
    """Yield every key (`worker.batch_max`, `data_dir`) and its type, in the tree's order."""
    for field in msgspec.structs.fields(Settings):
        if field.name == "sources":
            for name in SOURCES:
                yield from _leaves(name, params_type(name))
        elif isinstance(field.default, msgspec.Struct):
            yield from _leaves(field.name, type(field.default))
        else:
            yield field.name, inspect.type_info(field.type)


def _leaves(section: str, type_: type[msgspec.Struct]) -> Iterator[tuple[str, inspect.Type]]:
    for leaf in msgspec.structs.fields(type_):
        yield f"{section}.{leaf.name}", inspect.type_info(leaf.type)


def env_name(key: str) -> str:
    """Return the environment variable of a key: `list.length` -> MILLSTREAM_LIST_LENGTH."""
    return ENV_PREFIX + key.replace(".", "_").upper()


def _from_file(path: Path, leaves: Mapping[str, inspect.Type]) -> dict[str, _Given]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WorldMissing(f"the settings file {path} is not there") from error
    except OSError as error:
        raise WorldMissing(f"the settings file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadUsage(f"the settings file {path} is not TOML: {error}") from error
    given: dict[str, _Given] = {}
    for name, content in table.items():
        section = content if isinstance(content, dict) and name not in leaves else {"": content}
        for field, value in section.items():
            key = f"{name}.{field}" if field else name
            if key not in leaves:
                raise BadUsage(f"{path}: unknown setting {key}{_nearest(key, leaves)}")
            given[key] = _Given(value, f"{path}:{key}", False)
    return given


def _from_environment(
    env: Mapping[str, str], leaves: Mapping[str, inspect.Type]
) -> dict[str, _Given]:
    names = {env_name(key): key for key in leaves} | SHORT_ENV
    given: dict[str, _Given] = {}
    # The long name wins over the short one, so it comes last.
    for name in sorted(env, key=lambda name: name not in SHORT_ENV):
        if not name.startswith(ENV_PREFIX) or name == FILE_ENV or name.startswith(TEST_PREFIX):
            continue
        if name not in names:
            near = get_close_matches(name, [*names, FILE_ENV], 1, 0.5)
            hint = f"; the nearest known one is {near[0]}" if near else ""
            raise BadUsage(f"unknown environment variable {name}{hint}")
        given[names[name]] = _Given(env[name], name, True)
    return given


def _places(given: Mapping[str, _Given]) -> dict[str, str]:
    return {key: one.place for key, one in given.items()}


def _over(
    settings: Settings, given: Mapping[str, _Given], leaves: Mapping[str, inspect.Type]
) -> Settings:
    """Return settings with what was given put over them."""
    top: dict[str, object] = {}
    sections: dict[str, dict[str, object]] = {}
    for key, one in given.items():
        value = _converted(key, one, leaves[key])
        section, _, field = key.partition(".")
        if field:
            sections.setdefault(section, {})[field] = value
        else:
            top[section] = value
    settings = msgspec.structs.replace(settings, **top)
    for section, values in sections.items():
        try:
            changed = msgspec.structs.replace(settings.section(section), **values)
        except ValueError as error:  # a params struct's own __post_init__
            places = ", ".join(given[f"{section}.{field}"].place for field in values)
            raise BadUsage(f"{places}: {error}") from error
        settings = settings.with_section(section, changed)
    return settings


def _converted(key: str, given: _Given, type_: inspect.Type) -> object:
    value = given.value
    if given.text and isinstance(value, str):
        value = _parsed(value, type_)
    try:
        converted = msgspec.convert(value, _plain(key), strict=not given.text)
    except msgspec.ValidationError as error:
        raise _refusal(given, type_) from error
    numbers = converted if isinstance(converted, tuple | list) else [converted]
    if isinstance(converted, dict):
        numbers = list(converted.values())
    for number in numbers:
        if isinstance(number, float | int) and not (math.isfinite(number) and number >= 0):
            raise _refusal(given, type_)
    return converted


def _plain(key: str) -> object:
    """Return the annotation of a key, for msgspec.convert."""
    section, _, field = key.partition(".")
    owner = type(Settings().section(section)) if field else Settings
    for one in msgspec.structs.fields(owner):
        if one.name == (field or section):
            return one.type
    raise AssertionError(key)


def _parsed(text: str, type_: inspect.Type) -> object:
    """Return text as what it stands for: `a,b` a list, `a=1,b=0.5` a table; else itself."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if isinstance(type_, inspect.ListType | inspect.VarTupleType | inspect.TupleType):
        return parts
    if isinstance(type_, inspect.DictType):
        return dict(part.partition("=")[::2] for part in parts)
    return text


def _refusal(given: _Given, type_: inspect.Type) -> BadUsage:
    shown = repr(given.value)
    shown = re.sub(r"//[^/@\s]*@", "//***@", shown)  # no passwords on screens or in logs
    return BadUsage(f"{given.place}: {shown[:80]} is wrong; it must be {_right(type_)}")


def _right(type_: inspect.Type) -> str:
    """Return in words what values a type takes."""
    if isinstance(type_, inspect.Metadata):
        said = (type_.extra_json_schema or {}).get("description")
        return said if isinstance(said, str) else _right(type_.type)
    if isinstance(type_, inspect.BoolType):
        return "true or false"
    if isinstance(type_, inspect.IntType | inspect.FloatType):
        kind = "a whole number" if isinstance(type_, inspect.IntType) else "a number"
        low, above = type_.ge, type_.gt
        if low is None and above is None:
            low = 0
        bounds = [f"of at least {low}"] if low is not None else [f"above {above}"]
        if type_.le is not None:
            bounds.append(f"at most {type_.le}")
        if type_.lt is not None:
            bounds.append(f"below {type_.lt}")
        return f"{kind} {' and '.join(bounds)}"
    if isinstance(type_, inspect.LiteralType):
        return "one of " + ", ".join(str(value) for value in type_.values)
    if isinstance(type_, inspect.ListType | inspect.VarTupleType):
        return f"a list, each item {_right(type_.item_type)}"
    if isinstance(type_, inspect.DictType):
        return f"a table of names, each {_right(type_.value_type)}"
    if isinstance(type_, inspect.StrType):
        return "text"
    return "as docs/settings.md says"


def _nearest(key: str, leaves: Mapping[str, inspect.Type]) -> str:
    near = get_close_matches(key, leaves, 1, 0.5)
    if not near:
        ends = {leaf.rpartition(".")[2]: leaf for leaf in leaves}
        near = [ends[end] for end in get_close_matches(key.rpartition(".")[2], ends, 1, 0.6)]
    return f"; the nearest known one is {near[0]}" if near else "; docs/settings.md lists them all"
