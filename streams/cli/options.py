"""The flags that commands share: settings, --embedded, --json."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar

import click

from millstream.streams.cli.output import Answer, print_json, stderr
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import Flag, load_settings

__all__ = ["embedded_option", "json_option", "print_json", "settings_options", "stderr"]

P = ParamSpec("P")
R = TypeVar("R")

_FLAGS: Final = {
    "kafka": ("--kafka", "kafka.bootstrap", "HOST:PORT", "Your own Kafka."),
    "redis": ("--redis", "redis.url", "URL", "Your own Redis or Valkey, such as redis://h:6379/0."),
    "data_dir": ("--data-dir", "data_dir", "FOLDER", "Where the local stack and data sets live."),
}


def settings_options(
    command: Callable[Concatenate[Settings, P], R],
) -> Callable[P, R]:
    """Give a command --settings, --kafka, --redis, --data-dir; its first argument is Settings."""

    @wraps(command)
    def with_settings(*args: P.args, **kwargs: P.kwargs) -> R:
        file = kwargs.pop("settings_file", None)
        flags = {}
        for name, (flag, key, _, _) in _FLAGS.items():
            value = kwargs.pop(name, None)
            if value is not None:
                flags[key] = Flag(flag, str(value))
        return command(load_settings(str(file) if file else None, flags=flags), *args, **kwargs)

    for name, (flag, _, metavar, help_) in reversed(_FLAGS.items()):
        with_settings = click.option(flag, name, metavar=metavar, help=help_)(with_settings)
    return click.option(
        "--settings", "settings_file", metavar="FILE", help="A TOML file; see docs/settings.md."
    )(with_settings)


def embedded_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command --embedded, passed as `embedded`."""
    return click.option(
        "--embedded",
        is_flag=True,
        help="No Kafka, no Redis: the same cores over a log and store in memory.",
    )(command)


def json_option(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command --json, passed as `as_json`; answer with `output.print_json`."""

    def note(context: click.Context, _: click.Parameter, value: bool) -> bool:
        if answer := context.find_object(Answer):
            answer.wanted = value
        return value

    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        is_eager=True,
        callback=note,
        help="Print the answer as one line of JSON on standard output.",
    )(command)
