"""`millstream items`: the catalogue becomes messages in the log."""

import time

import click
import msgspec

from millstream.streams.catalogue_table import GUESSED, read_items
from millstream.streams.cli.options import json_option, settings_options
from millstream.streams.cli.output import print_json
from millstream.streams.cli.progress import progress, say
from millstream.streams.errors import BadUsage
from millstream.streams.event_fields import valid_id
from millstream.streams.guesses import parse_columns
from millstream.streams.log import Message
from millstream.streams.settings import Settings
from millstream.streams.world import open_log


class Loaded(msgspec.Struct, frozen=True):
    """What was published: items with what is said of them, and items deleted."""

    items: int
    deleted: int
    seconds: float


@click.group()
def command() -> None:
    """Publish a catalogue.

    \b
    Example:
      millstream items load movielens-100k
    """


@command.command()
@click.argument("source", metavar="DATASET|FILE", required=False)
@click.option(
    "--columns",
    metavar="OURS=THEIRS,…",
    help=f"Which column is what, of {', '.join(GUESSED)}; all others go along as they are.",
)
@click.option(
    "--delete", "deleted", multiple=True, metavar="ID", help="Delete an item; repeatable."
)
@settings_options
@json_option
def load(
    settings: Settings,
    source: str | None,
    columns: str | None,
    deleted: tuple[str, ...],
    as_json: bool,
) -> None:
    """Publish the items of a data set or a file (CSV, JSONL, Parquet); the newest word counts.

    \b
    Example:
      millstream items load catalogue.csv --columns item=sku,title=name,categories=groups
    """
    if source is None and not deleted:
        raise BadUsage("name a file, a data set, or an item to --delete")
    messages = [Message(_id(item).encode(), None) for item in deleted]
    if source is not None:
        named = parse_columns(columns, list(GUESSED))
        items = read_items(source, named, settings.data_path, say)
        messages = [Message(one.item.encode(), one.value) for one in items] + messages
    began = time.monotonic()
    topic = settings.topics.name("items")
    log = open_log(settings)
    try:
        log.topic_ids([topic])
        with progress("publishing", len(messages)) as tick:
            for number, message in enumerate(messages, 1):
                log.send(topic, message)
                tick(number)
            log.flush()
    finally:
        log.close()
    loaded = Loaded(len(messages) - len(deleted), len(deleted), round(time.monotonic() - began, 3))
    say(f"published {loaded.items} items, deleted {loaded.deleted}, in {loaded.seconds} s")
    if as_json:
        print_json(loaded)


def _id(text: str) -> str:
    item = valid_id(text)
    if item is None:
        raise BadUsage(f"{text!r} is no item id: 1 to 128 bytes of text")
    return item
