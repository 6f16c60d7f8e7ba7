"""The flags that evaluate and tune share beside those of reading: --targets, --set, --items."""

from collections.abc import Collection

import click

from millstream.streams.catalogue_table import GUESSED
from millstream.streams.cli.progress import progress, say
from millstream.streams.describe_file import describe_file
from millstream.streams.described import DescribedItems, met_sentence
from millstream.streams.errors import BadUsage
from millstream.streams.guesses import parse_columns
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import cache_dir, with_setting

targets_option = click.option(
    "--targets",
    metavar="EXPR",
    help="All rows teach, only matching ones are scored; rows with a value are ratings.",
)
changes_option = click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Try a setting."
)


items_option = click.option(
    "--items",
    metavar="DATASET|FILE",
    help="A catalogue: its items are candidates before anybody has met them.",
)
item_columns_option = click.option(
    "--item-columns",
    metavar="OURS=THEIRS,…",
    help=f"Which column of --items is what, of {', '.join(GUESSED)}.",
)


def described(
    settings: Settings, items: str | None, item_columns: str | None, met: Collection[str]
) -> DescribedItems | None:
    """Return the catalogue that --items names, encoded; None where it names none.

    `met` are the items of the events: how many of them it has is told.
    """
    if items is None:
        if item_columns is not None:
            raise BadUsage("--item-columns goes with --items")
        return None
    columns = parse_columns(item_columns, list(GUESSED), "--item-columns")
    found = describe_file(items, columns, settings, cache_dir(), say, progress)
    say(met_sentence(found, met))
    return found


def changed(settings: Settings, changes: tuple[str, ...]) -> Settings:
    """Return settings with every `--set KEY=VALUE` put over them. Raises BadUsage."""
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise BadUsage(f"--set {change}: write KEY=VALUE, such as pairs.width=128")
        settings = with_setting(settings, key.strip(), value.strip(), f"--set {change}")
    return settings
