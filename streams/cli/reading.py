"""The flags by which commands read events from files, shared by replay and evaluate."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar, cast, get_args

import click

from millstream.models.event import EVENT_TYPES
from millstream.streams.datasets import Reading, TsUnit, parse_columns

P = ParamSpec("P")
R = TypeVar("R")

COLUMNS_HELP: Final = "Which column is what: user=…,item=…,ts=…[,value=…][,type=…]."


def reading_options(command: Callable[Concatenate[Reading, P], R]) -> Callable[P, R]:
    """Give a command --columns, --type, --positive, --ts-unit and --limit.

    Its first argument is a Reading; what settings_options adds comes before it.
    """

    @wraps(command)
    def with_reading(*args: P.args, **kwargs: P.kwargs) -> R:
        taken = {
            name: kwargs.pop(name) for name in ("columns", "type_", "positive", "ts_unit", "limit")
        }
        reading = Reading(
            parse_columns(cast(str | None, taken["columns"])),
            cast(str | None, taken["type_"]),
            cast(str | None, taken["positive"]),
            cast(TsUnit | None, taken["ts_unit"]),
            cast(int | None, taken["limit"]),
        )
        return command(reading, *args, **kwargs)

    options = [
        click.option("--columns", metavar="OURS=THEIRS,…", help=COLUMNS_HELP),
        click.option(
            "--type",
            "type_",
            metavar="TYPE",
            help=f"What the rows are, else click: {', '.join(EVENT_TYPES)}.",
        ),
        click.option(
            "--positive",
            metavar="EXPR",
            help="Keep matching rows, as plain positives: 'value>=4 and type==rating'.",
        ),
        click.option(
            "--ts-unit", type=click.Choice(get_args(TsUnit)), help="Unit of ts; else by its size."
        ),
        click.option("--limit", type=click.IntRange(min=1), help="So many events, the earliest."),
    ]
    for option in reversed(options):
        with_reading = option(with_reading)
    return with_reading
