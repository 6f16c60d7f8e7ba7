"""Catalogues out of data sets and files: one message an item."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from millstream.streams.catalogue_rows import CatalogueRows
from millstream.streams.columns import plain
from millstream.streams.errors import BadUsage
from millstream.streams.guesses import ITEM_NAMES, find_column, listed
from millstream.streams.item_fields import ItemMessage
from millstream.streams.json_rows import row_names
from millstream.streams.loaders.find import find_items
from millstream.streams.loaders.format import ItemLayout
from millstream.streams.origins import Head
from millstream.streams.tables import Say, Table, column_names, read_table

# fmt: off
TOLD_MAX: Final = 20
GUESSED: Final[Mapping[str, tuple[str, ...]]] = {
    "item": (*ITEM_NAMES, "id"),
    "title": (
        "title", "name", "producttitle", "productname", "itemtitle", "itemname", "movietitle",
        "booktitle", "headline",
    ),
    "description": (
        "description", "desc", "productdescription", "itemdescription", "overview", "plot",
        "synopsis", "abstract", "summary", "body", "text",
    ),
    "categories": (
        "categories", "genres", "category", "genre", "productcategory", "categoryname",
        "maincategory",
    ),
    "tags": ("tags", "keywords"),
    "price": ("price", "unitprice", "listprice"),
    "language": ("language", "lang", "originallanguage"),
    "year": ("year", "releaseyear", "publicationyear", "yearofpublication"),
    "released": (
        "released", "releasedate", "publicationdate", "publishdate", "publishedat", "releasedat",
    ),
    "image": (
        "image", "imageurl", "imagepath", "images", "img", "imgurl", "picture", "photo", "poster",
        "thumbnail", "cover",
    ),
    "audio": ("audio", "audiourl", "audiopath"),
    "video": ("video", "videourl", "videopath"),
    "hidden": ("hidden",),
    "available_from": ("availablefrom",),
    "expires_at": ("expiresat",),
}
# fmt: on
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
    rows = left_out = 0
    for head, layout in find_items(source, data_dir, say).files:
        table, found = _table(head, layout, columns, flag, say)
        rows += table.rows
        made = CatalogueRows(found, layout)
        values = {name: plain(column) for name, column in table.columns.items()}
        for row in range(table.rows):
            cells = {name: column[row] for name, column in values.items()}
            message = made.message(cells, table.place(row))
            if message is not None:
                messages[message.item] = message.value
        left_out += made.rows_left_out
        for sentence in made.said():
            say(sentence)
    repeats = rows - left_out - len(messages)
    if repeats:
        say(f"{repeats} rows name an item again; the last of each counts")
    if not messages:
        raise BadUsage(f"{source} has no usable item")
    return [ItemMessage(item, value) for item, value in messages.items()]


def _table(
    head: Head, layout: ItemLayout | None, columns: Mapping[str, str], flag: str, say: Say
) -> tuple[Table, Mapping[str, str]]:
    """Return a file's columns, and which of them is what; of a known format only those."""
    if layout is not None and layout.table is not None:
        films = layout.table(head)
        return Table(head.origin, films, 1, len(films["item"])), layout.columns
    dialect = layout.dialect if layout else None
    names = row_names(head.origin) if head.kind == "json" else column_names(head, dialect)
    known = dict(layout.columns) if layout else {}
    found: dict[str, str] = {}
    for ours, guesses in GUESSED.items():
        column = find_column(head, ours, columns.get(ours, known.get(ours)), guesses, names)
        # A guess is worth less than what the format or a person says a column is.
        if column is not None and (ours in {**known, **columns} or column not in known.values()):
            found[ours] = column
    if "item" not in found:
        raise BadUsage(
            f"{head.origin} has no column item; {listed(names)}: "
            f"say which it is with {flag} item=NAME"
        )
    taken = {ours: theirs for ours, theirs in found.items() if ours not in known}
    _tell(head, taken, [] if layout else names, say)
    wanted = names if layout is None else [*dict.fromkeys(found.values())]
    return read_table(head, wanted, dialect, say=say), found


def _tell(head: Head, found: Mapping[str, str], names: Sequence[str], say: Say) -> None:
    """Say which column is taken for what, where that is not plain from its name."""
    taken = [f"{theirs} as {ours}" for ours, theirs in found.items() if theirs != ours]
    others = [name for name in names if name not in found.values()]
    if taken:
        say(f"{head.origin.name}: takes {', '.join(taken)}")
    if others:
        more = f" and {len(others) - TOLD_MAX} more" if len(others) > TOLD_MAX else ""
        say(f"{head.origin.name}: not a field of items: {', '.join(others[:TOLD_MAX])}{more}")
