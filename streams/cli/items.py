"""`millstream items`: the catalogue becomes messages in the log."""

import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Final

import click
import msgspec

from millstream.streams.catalogue_table import GUESSED, read_items
from millstream.streams.cli.options import json_option, settings_options
from millstream.streams.cli.output import print_json
from millstream.streams.cli.progress import progress, say
from millstream.streams.errors import BadUsage
from millstream.streams.event_fields import valid_id
from millstream.streams.guesses import parse_columns
from millstream.streams.item_fields import ItemMessage
from millstream.streams.item_files import MediaFiles
from millstream.streams.log import Message
from millstream.streams.settings import Settings
from millstream.streams.sql_items import is_database, read_sql_items
from millstream.streams.world import open_log

FLUSHED_BYTES: Final = 32_000_000
"""How much is under way before it is waited for: messages may hold pictures."""


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
@click.argument("source", metavar="DATASET|FILE|DATABASE", required=False)
@click.option(
    "--columns",
    metavar="OURS=THEIRS,…",
    help=f"Which column is what, of {', '.join(GUESSED)}; all others go along as they are.",
)
@click.option("--query", metavar="SQL", help="Of a database, the rows: one select.")
@click.option(
    "--delete", "deleted", multiple=True, metavar="ID", help="Delete an item; repeatable."
)
@settings_options
@json_option
def load(
    settings: Settings,
    source: str | None,
    columns: str | None,
    query: str | None,
    deleted: tuple[str, ...],
    as_json: bool,
) -> None:
    """Publish the items of a data set, a file (CSV, JSONL, Parquet) or a database's query.

    The newest word on an item counts. Files that the columns image, audio and video name go along,
    up to 600 kB each; larger ones belong into the folder encode.media_dir.

    \b
    Example:
      millstream items load catalogue.csv --columns item=sku,title=name,categories=groups
      millstream items load postgresql://reader@db.internal/shop --query 'select * from products'
    """
    if source is None and not deleted:
        raise BadUsage("name a file, a data set, a database, or an item to --delete")
    gone = [Message(_id(item).encode(), None) for item in deleted]
    files: MediaFiles | None = None
    items: Iterable[ItemMessage] = []
    total: int | None = None
    if source is not None:
        named = parse_columns(columns, list(GUESSED))
        if is_database(source):
            if not query:
                raise BadUsage("say with --query which rows: --query 'select * from products'")
            items = read_sql_items(source, query, named, say)
        else:
            if query:
                raise BadUsage("--query goes with a database's URL, such as postgresql://…")
            items = found = read_items(source, named, settings.data_path, say)
            total = len(found) + len(gone)
            path = Path(source).expanduser()
            files = MediaFiles(path if path.is_dir() else path.parent, settings.encode.media_path)
    began = time.monotonic()
    ready = (one if files is None else files.packed(one) for one in items)
    messages = chain((Message(one.item.encode(), one.value) for one in ready), gone)
    count = _publish(settings, messages, total)
    for sentence in files.said() if files else []:
        say(sentence)
    loaded = Loaded(count - len(gone), len(gone), round(time.monotonic() - began, 3))
    say(f"published {loaded.items} items, deleted {loaded.deleted}, in {loaded.seconds} s")
    if as_json:
        print_json(loaded)


def _publish(settings: Settings, messages: Iterable[Message], total: int | None) -> int:
    """Write all messages and return how many; memory is bounded however many and large."""
    topic = settings.topics.name("items")
    log = open_log(settings)
    number = under_way = 0
    try:
        log.topic_ids([topic])
        with progress("publishing", total) as tick:
            for number, message in enumerate(messages, 1):
                log.send(topic, message)
                under_way += len(message.value or b"")
                if under_way > FLUSHED_BYTES:
                    log.flush()
                    under_way = 0
                tick(number)
            log.flush()
    finally:
        log.close()
    return number


def _id(text: str) -> str:
    item = valid_id(text)
    if item is None:
        raise BadUsage(f"{text!r} is no item id: 1 to 128 bytes of text")
    return item
