"""`millstream data`: data sets by name."""

from collections.abc import Sequence

import click
import msgspec
from rich.table import Table

from millstream.streams.cli.options import json_option, settings_options
from millstream.streams.cli.output import print_json, stdout
from millstream.streams.cli.progress import say
from millstream.streams.movielens import DATASETS, dataset_folder, ensure_dataset, is_here
from millstream.streams.settings import Settings


class Held(msgspec.Struct, frozen=True):
    """A data set and where it is, or would be."""

    name: str
    title: str
    events: int
    items: int
    here: bool
    folder: str
    terms: str


@click.group()
def command() -> None:
    """List and fetch data sets.

    \b
    Example:
      millstream data fetch movielens-100k
    """


@command.command("list")
@settings_options
@json_option
def list_(settings: Settings, as_json: bool) -> None:
    """Show the data sets that can be asked for by name, and which are here.

    \b
    Example:
      millstream data list
    """
    held = [_held(name, settings) for name in DATASETS]
    if as_json:
        print_json({"datasets": held})
    else:
        stdout().print(_table(held))


@command.command()
@click.argument("name", metavar="DATASET")
@settings_options
@json_option
def fetch(settings: Settings, name: str, as_json: bool) -> None:
    """Fetch a data set into the data folder; harmless when it is there.

    \b
    Example:
      millstream data fetch movielens-100k
    """
    ensure_dataset(name, settings.data_path, say)
    held = _held(name, settings)
    say(f"{held.title}: {held.events} events, {held.items} items, in {held.folder}")
    if as_json:
        print_json(held)


def _held(name: str, settings: Settings) -> Held:
    known = DATASETS[name]
    folder = dataset_folder(name, settings.data_path)
    here = is_here(name, settings.data_path)
    return Held(name, known.title, known.events, known.items, here, str(folder), known.terms)


def _table(held: Sequence[Held]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("name", "what", "events", "items", "here"):
        table.add_column(column, overflow="fold")
    for one in held:
        here = one.folder if one.here else f"millstream data fetch {one.name}"
        table.add_row(one.name, one.title, str(one.events), str(one.items), here)
    return table
