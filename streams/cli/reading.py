"""The flags by which commands read events from files, shared by replay and evaluate."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar, cast, get_args

import click

from millstream.models.event import EVENT_TYPES
from millstream.streams.columns import TsUnit
from millstream.streams.guesses import parse_columns, parse_types
from millstream.streams.reading import Reading

P = ParamSpec("P")
R = TypeVar("R")

COLUMNS_HELP: Final = (
    "Which column is what: user=…,item=…,ts=…[,value=…][,type=…]; by name, or by number where "
    "the first line is a row already."
)
TYPES_HELP: Final = "What the words of a type column mean: addtocart=cart,transaction=purchase."
FLAGS: Final = ("columns", "type_", "types", "positive", "ts_unit", "limit", "impressions")


def reading_options(command: Callable[Concatenate[Reading, P], R]) -> Callable[P, R]:
    """Give a command the flags that make a Reading: --columns, --type, --positive and others.

    Its first argument is a Reading; what settings_options adds comes before it.
    """

    @wraps(command)
    def with_reading(*args: P.args, **kwargs: P.kwargs) -> R:
        taken = {name: kwargs.pop(name) for name in FLAGS}
        reading = Reading(
            columns=parse_columns(cast(str | None, taken["columns"])),
            type=cast(str | None, taken["type_"]),
            positive=cast(str | None, taken["positive"]),
            ts_unit=cast(TsUnit | None, taken["ts_unit"]),
            limit=cast(int | None, taken["limit"]),
            types=parse_types(cast(str | None, taken["types"])),
            impressions=cast(bool, taken["impressions"]),
        )
        return command(reading, *args, **kwargs)

    options = [
        click.option("--columns", metavar="OURS=THEIRS,…", help=COLUMNS_HELP),
        click.option(
            "--type",
            "type_",
            metavar="TYPE",
            help=f"What the rows are: {', '.join(EVENT_TYPES)}; else by a type column, or clicks.",
        ),
        click.option("--types", metavar="THEIRS=OURS,…", help=TYPES_HELP),
        click.option(
            "--positive",
            metavar="EXPR",
            help="Keep matching rows, as plain positives: 'value>=4 and type==rating'.",
        ),
        click.option(
            "--ts-unit", type=click.Choice(get_args(TsUnit)), help="Unit of ts; else by its size."
        ),
        click.option("--limit", type=click.IntRange(min=1), help="So many events, the earliest."),
        click.option(
            "--impressions", is_flag=True, help="Also what was shown and not clicked (MIND)."
        ),
    ]
    for option in reversed(options):
        with_reading = option(with_reading)
    return with_reading
