"""Catalogues out of data sets and files: one message an item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from millstream.streams.columns import Moment, as_id, plain
from millstream.streams.errors import BadUsage
from millstream.streams.guesses import ITEM_NAMES, find_column, listed
from millstream.streams.item_message import RejectedItem, decode_item
from millstream.streams.loaders.find import find_items
from millstream.streams.loaders.format import ItemLayout
from millstream.streams.origins import Head
from millstream.streams.tables import Say, Table, read_table

GUESSED: Final[Mapping[str, tuple[str, ...]]] = {
    "item": ITEM_NAMES,
    "title": ("title",),
    "categories": ("categories", "genres", "category"),
    "hidden": ("hidden",),
    "available_from": ("availablefrom",),
    "expires_at": ("expiresat",),
}
"""What a column may be called, best first, without capitals and marks."""

NO_CATEGORY: Final = ("(no genres listed)", "")
_TRUTHS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class ItemMessage:
    """An item and the JSON that its topic holds; columns that are not ours stand in it too."""

    item: str
    value: bytes


def read_items(
    source: str, columns: Mapping[str, str], data_dir: Path, say: Say = lambda _: None
) -> list[ItemMessage]:
    """Return the items of a data set's name or a file, in its order; the last of an id counts.

    `say` hears what was left out. Raises WorldMissing and BadUsage.
    """
    messages: dict[str, bytes] = {}
    left_out: list[str] = []
    rows = 0
    for head, layout in find_items(source, data_dir, say).files:
        table, found = _table(head, layout, columns, say)
        rows += table.rows
        names = {theirs: ours for ours, theirs in found.items()}
        values = {name: plain(column) for name, column in table.columns.items()}
        for row in range(table.rows):
            item = as_id(values[found["item"]][row])
            fields: dict[str, object] = {}
            for column, one in values.items():
                name = names.get(column, column)
                if name != "item":
                    fields |= _fields(name, one[row], layout)
            value = msgspec.json.encode(
                {name: one for name, one in fields.items() if one is not None}
            )
            outcome = decode_item(value)
            if item is None:
                left_out.append(f"{table.place(row)} (no usable item)")
            elif isinstance(outcome, RejectedItem):
                left_out.append(f"{table.place(row)} ({outcome.reason} {outcome.field})")
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
    head: Head, layout: ItemLayout | None, columns: Mapping[str, str], say: Say
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
            "say which it is with --columns item=NAME"
        )
    return table, found


def _fields(name: str, value: object, layout: ItemLayout | None) -> Mapping[str, object]:
    """Return a column's value as the fields that it tells."""
    if layout and name == "title" and layout.title and isinstance(value, str):
        return layout.title(value)
    if layout and name == "categories" and value is not None:
        return {name: _categories(value, layout.separator)}
    return {name: _field(name, value)}


def _categories(value: object, separator: str) -> Sequence[str]:
    """Return categories as a list, out of a text, a list, or a list of lists."""
    if isinstance(value, list):
        return list(dict.fromkeys(one for part in value for one in _categories(part, separator)))
    return [one for one in str(value).split(separator) if one not in NO_CATEGORY]


def _field(name: str, value: object) -> object:
    """Return a value as JSON can hold it, None for what it cannot."""
    if isinstance(value, Moment):
        return datetime.fromtimestamp(value / 1000, UTC).isoformat()
    if name == "hidden" and not isinstance(value, bool) and value is not None:
        return _TRUTHS.get(str(value).lower(), value)
    if name == "title" and isinstance(value, int | float):
        return str(value)
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    return value if isinstance(value, bool | int | float | str | list | dict) else None
