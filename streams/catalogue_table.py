"""Catalogues out of data sets and files: one message an item."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from millstream.streams.columns import as_id, plain
from millstream.streams.errors import BadUsage
from millstream.streams.guesses import ITEM_NAMES, find_column, listed
from millstream.streams.item_fields import ItemMessage, item_fields, item_value
from millstream.streams.item_message import RejectedItem
from millstream.streams.loaders.find import find_items
from millstream.streams.loaders.format import ItemLayout
from millstream.streams.origins import Head
from millstream.streams.tables import Say, Table, read_table

GUESSED: Final[Mapping[str, tuple[str, ...]]] = {
    "item": ITEM_NAMES,
    "title": ("title",),
    "description": ("description",),
    "categories": ("categories", "genres", "category"),
    "tags": ("tags",),
    "price": ("price",),
    "language": ("language", "lang"),
    "year": ("year", "releaseyear", "publicationyear"),
    "released": ("released", "releasedate", "publicationdate"),
    "image": ("image", "imageurl", "imagepath"),
    "audio": ("audio", "audiourl", "audiopath"),
    "video": ("video", "videourl", "videopath"),
    "hidden": ("hidden",),
    "available_from": ("availablefrom",),
    "expires_at": ("expiresat",),
}
"""What a column may be called, best first, without capitals and marks."""


def read_items(
    source: str,
    columns: Mapping[str, str],
    data_dir: Path,
    say: Say = lambda _: None,
    flag: str = "--columns",
) -> list[ItemMessage]:
    """Return the items of a data set's name or a file, in its order; the last of an id counts.

    `say` hears what was left out; `flag` is by which columns are named. Raises WorldMissing and
    BadUsage.
    """
    messages: dict[str, bytes] = {}
    left_out: list[str] = []
    rows = 0
    for head, layout in find_items(source, data_dir, say).files:
        table, found = _table(head, layout, columns, flag, say)
        rows += table.rows
        names = {theirs: ours for ours, theirs in found.items()}
        values = {name: plain(column) for name, column in table.columns.items()}
        for row in range(table.rows):
            item = as_id(values[found["item"]][row])
            fields: dict[str, object] = {}
            for column, one in values.items():
                name = names.get(column, column)
                # A column of our name gives way to the one that was named in its place.
                if name != "item" and found.get(name, column) == column:
                    fields |= item_fields(name, one[row], layout)
            value = item_value(fields)
            if item is None:
                left_out.append(f"{table.place(row)} (no usable item)")
            elif isinstance(value, RejectedItem):
                left_out.append(f"{table.place(row)} ({value.reason} {value.field})")
            else:
                messages[item] = value
    if left_out:
        say(f"{len(left_out)} rows left out; the first is {left_out[0]}")
    repeats = rows - len(left_out) - len(messages)
    if repeats:
        say(f"{repeats} rows name an item again; the last of each counts")
    if not messages:
        raise BadUsage(f"{source} has no usable item")
    return [ItemMessage(item, value) for item, value in messages.items()]


def _table(
    head: Head, layout: ItemLayout | None, columns: Mapping[str, str], flag: str, say: Say
) -> tuple[Table, Mapping[str, str]]:
    """Return a file's columns, and which of them is what; of a known format only those."""
    if layout is not None:
        if layout.table is not None:
            films = layout.table(head)
            return Table(head.origin, films, 1, len(films["item"])), layout.columns
        wanted = list(layout.columns.values())
        return read_table(head, wanted, layout.dialect, say=say), layout.columns
    table = read_table(head, say=say)
    found = {
        ours: column
        for ours, guesses in GUESSED.items()
        if (column := find_column(head, ours, columns.get(ours), guesses)) is not None
    }
    if "item" not in found:
        raise BadUsage(
            f"{head.origin} has no column item; {listed(head.names)}: "
            f"say which it is with {flag} item=NAME"
        )
    return table, found
