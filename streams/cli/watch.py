"""`millstream watch`: a person's list as it changes."""

import time

import click
import msgspec
from rich.live import Live

from millstream.exporters.store import Store
from millstream.streams.cli.list import list_table, user_id
from millstream.streams.cli.options import json_option, settings_options
from millstream.streams.cli.output import print_json, stderr, stdout
from millstream.streams.reader import ShownList, read_list
from millstream.streams.settings import Settings
from millstream.streams.world import open_store

EVERY_S = 0.1


class Watched(msgspec.Struct, frozen=True):
    """What was seen: how often the list changed, and how it stands at the end."""

    user: str
    changes: int
    list: ShownList


@click.command()
@click.argument("user")
@click.option("--for", "seconds", type=click.FloatRange(min=0), help="Seconds; else until Ctrl-C.")
@settings_options
@json_option
def command(settings: Settings, user: str, seconds: float | None, as_json: bool) -> None:
    """Show a person's list as it changes, until Ctrl-C.

    \b
    Example:
      millstream watch 42 --for 60
    """
    store = open_store(settings)
    try:
        with Live(
            console=stderr if as_json else stdout(), auto_refresh=False, transient=False
        ) as live:
            watched = _watch(store, user_id(user), settings.list.length, seconds, live)
    finally:
        store.close()
    if as_json:
        print_json(watched)


def _watch(store: Store, user: str, length: int, seconds: float | None, live: Live) -> Watched:
    end = None if seconds is None else time.monotonic() + seconds
    shown = read_list(store, user, length)
    _show(live, shown)
    changes = 0
    while end is None or time.monotonic() < end:
        time.sleep(EVERY_S)
        now = read_list(store, user, length)
        if (now.id, now.items) != (shown.id, shown.items):
            shown = now
            changes += 1
            _show(live, shown)
    return Watched(user, changes, shown)


def _show(live: Live, shown: ShownList) -> None:
    if live.console.is_terminal:
        live.update(list_table(shown), refresh=True)
    else:
        live.console.print(list_table(shown))
