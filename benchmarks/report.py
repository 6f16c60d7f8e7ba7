"""Flags that the benchmarks share, and how they answer: a table, or one line of JSON."""

import argparse
import json
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table

from benchmarks.orders import DATASET, ORDERS
from benchmarks.rig import BenchmarkFailed, say
from millstream.streams.errors import MillstreamError
from millstream.streams.machine import machine


def parser(about: str, *, orders: bool = True) -> argparse.ArgumentParser:
    """Return a parser with the flags of every benchmark; `orders` adds --order."""
    flags = argparse.ArgumentParser(description=about)
    flags.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    flags.add_argument("--quick", action="store_true", help="few events: only shows that it runs")
    if orders:
        flags.add_argument(
            "--order", choices=ORDERS, action="append", dest="orders", help="default: both"
        )
    flags.add_argument(
        "--events", default=DATASET, metavar="DATASET|FILE", help="MovieLens 100K or such a file"
    )
    flags.add_argument(
        "--kafka", metavar="HOST:PORT", help="yours, with --redis; default: begin one"
    )
    flags.add_argument("--redis", metavar="URL", help="yours, with --kafka")
    return flags


def run(command: click.Command) -> int:
    """Run a benchmark that is a command; return the exit code."""
    try:
        return int(command.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except MillstreamError as error:
        say(f"error: {error}")
        return error.exit_code


def answer(
    name: str,
    measure: Callable[[], Mapping[str, object]],
    tables: Callable[[Mapping[str, object]], Sequence[Table]],
    as_json: bool,
) -> int:
    """Measure and print, with machine and date; return the exit code."""
    # As Ctrl-C: what was begun for the measurement is ended, whoever ends it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = measure()
    except KeyboardInterrupt:
        return 130
    except (BenchmarkFailed, MillstreamError) as error:
        say(f"error: {error}")
        return error.exit_code if isinstance(error, MillstreamError) else 1
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    if as_json:
        print(json.dumps({"benchmark": name, "date": date, "machine": machine(), **found}))
        return 0
    console = Console()
    for table in tables(found):
        console.print(table)
    console.print(f"{machine()}, {date}")
    return 0
