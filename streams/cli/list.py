"""`millstream list`: what a reader of Redis shows a person."""

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from millstream.streams.cli.options import json_option, settings_options
from millstream.streams.cli.output import print_json, stdout
from millstream.streams.errors import BadUsage
from millstream.streams.event_fields import valid_id
from millstream.streams.reader import ShownList, read_list
from millstream.streams.settings import Settings
from millstream.streams.world import open_store


@click.command("list")
@click.argument("user")
@settings_options
@json_option
def command(settings: Settings, user: str, as_json: bool) -> None:
    """Show a person's list; somebody unknown gets what is trending.

    \b
    Example:
      millstream list 42
    """
    store = open_store(settings)
    try:
        shown = read_list(store, user_id(user), settings.list.length)
    finally:
        store.close()
    if as_json:
        print_json(shown)
    else:
        stdout().print(list_table(shown))


def user_id(text: str) -> str:
    """Return a user id as events have it. Raises BadUsage."""
    user = valid_id(text)
    if user is None:
        raise BadUsage(f"{text!r} is no user id: 1 to 128 bytes of text")
    return user


def list_table(shown: ShownList) -> Group:
    """Return a list as a table: title, why, score."""
    if shown.fallback is not None:
        heading = f"{shown.user} is not known yet, so what is {shown.fallback}:"
    elif not shown.id:
        return Group(Text(f"{shown.user} is not known, and nothing is trending yet"))
    else:
        heading = f"{shown.user}, by model {shown.model}:"
    # Text, for a bracket in somebody's title is not markup.
    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("item")
    table.add_column("title", overflow="fold")
    table.add_column("why", overflow="fold")
    table.add_column("score", justify="right")
    for place, entry in enumerate(shown.items, 1):
        cells = (str(place), entry.item, entry.title, entry.why(), f"{entry.score:.3f}")
        table.add_row(*(Text(cell) for cell in cells))
    return Group(Text(heading), table)
