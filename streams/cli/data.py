"""`millstream data`: data sets by name."""

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.table import Table

from millstream.streams.cli.options import json_option, settings_options
from millstream.streams.cli.output import print_json, stdout
from millstream.streams.cli.progress import say
from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.loaders.find import by_hand, is_kept
from millstream.streams.loaders.registry import DATASETS
from millstream.streams.movielens import DATASETS as FETCHED
from millstream.streams.movielens import dataset_folder, ensure_dataset
from millstream.streams.settings import Settings


class Held(msgspec.Struct, frozen=True):
    """A data set and where it is, or would be; a count that changes by edition is null."""

    name: str
    title: str
    events: int | None
    items: int | None
    here: bool
    folder: str
    terms: str
    home: str
    get: str


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
    """Show the data sets that are known: what each is, its terms, whether it is here.

    Each can be named where a command takes DATASET, once it is here; and a file or a folder of
    any of them can be named wherever it lies, under whatever name, and is read as what it is.

    \b
    Example:
      millstream data list
    """
    held = [_held(name, settings) for name in DATASETS]
    if as_json:
        print_json({"datasets": held})
    else:
        _show(held)


@command.command()
@click.argument("name", metavar="DATASET")
@settings_options
@json_option
def fetch(settings: Settings, name: str, as_json: bool) -> None:
    """Fetch a data set into the data folder; harmless when it is there.

    Those that this program cannot check by a checksum, or that ask for your agreement first, are
    not fetched: it says where you get them and where to put them.

    \b
    Example:
      millstream data fetch movielens-100k
    """
    if name not in DATASETS:
        raise BadUsage(f"no data set is called {name!r}; known: {', '.join(DATASETS)}")
    if name in FETCHED:
        ensure_dataset(name, settings.data_path, say)
    held = _held(name, settings)
    if not held.here:
        raise WorldMissing(f"{name} is not fetched by this program: {held.get}. {held.terms}")
    counts = f": {held.events} events, {held.items} items" if name in FETCHED else ""
    say(f"{held.title}{counts}, in {held.folder}")
    if as_json:
        print_json(held)


def _held(name: str, settings: Settings) -> Held:
    known = DATASETS[name]
    folder = dataset_folder(name, settings.data_path)
    here = is_kept(name, settings.data_path)
    get = f"millstream data fetch {name}" if name in FETCHED else by_hand(name, settings.data_path)
    return Held(
        name,
        known.title,
        known.events,
        known.items,
        here,
        str(folder),
        known.terms,
        known.home,
        get,
    )


def _show(held: Sequence[Held]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("name", "what", "events", "items", "here"):
        table.add_column(column, overflow="fold")
    for one in held:
        counts = ("" if count is None else f"{count:,}" for count in (one.events, one.items))
        table.add_row(one.name, one.title, *counts, one.folder if one.here else "no")
    console = stdout()
    console.print(table)
    for terms, alike in _by_terms(held).items():
        console.print(f"\n{', '.join(one.name for one in alike)}", style="bold", markup=False)
        console.print(f"{terms}\nFrom {alike[0].home}", markup=False, soft_wrap=True)
    folder = Path(held[0].folder).parent
    console.print(
        "\nWhat cannot be fetched you download; then name the file, the zip archive or the "
        f"folder in place of a data set, or put it into {folder / 'NAME'} and use the name.",
        markup=False,
        soft_wrap=True,
    )


def _by_terms(held: Sequence[Held]) -> dict[str, list[Held]]:
    found: dict[str, list[Held]] = {}
    for one in held:
        found.setdefault(one.terms, []).append(one)
    return found
