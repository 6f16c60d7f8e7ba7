"""Catalogues out of data sets and files: one message an item."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from millstream.streams.datasets import Say, as_id, find_column
from millstream.streams.errors import BadUsage
from millstream.streams.item_message import RejectedItem, decode_item
from millstream.streams.movielens import DATASETS, ensure_dataset
from millstream.streams.tables import Moment, read_table

GUESSED: Final[Mapping[str, tuple[str, ...]]] = {
    "item": ("item", "item_id"),
    "title": ("title",),
    "categories": ("categories", "genres", "category"),
    "hidden": ("hidden",),
    "available_from": ("available_from",),
    "expires_at": ("expires_at",),
}
"""The columns that a field is looked for in when --columns does not say."""

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
    known = source in DATASETS
    path = ensure_dataset(source, data_dir, say) / "items.parquet" if known else Path(source)
    table = read_table(path)
    found = {
        ours: column
        for ours, guesses in GUESSED.items()
        if (column := find_column(table, ours, columns.get(ours), guesses)) is not None
    }
    if "item" not in found:
        raise BadUsage(
            f"{path} has no column item; it has {', '.join(table.columns)}: "
            "say which it is with --columns item=NAME"
        )
    names = {theirs: ours for ours, theirs in found.items()}
    messages: dict[str, bytes] = {}
    left_out: list[str] = []
    for row in range(table.rows):
        item = as_id(table.columns[found["item"]][row])
        fields = {
            names.get(column, column): _field(names.get(column, column), values[row])
            for column, values in table.columns.items()
            if column != found["item"]
        }
        value = msgspec.json.encode({name: one for name, one in fields.items() if one is not None})
        outcome = decode_item(value)
        if item is None:
            left_out.append(f"{table.place(row)} (no usable item)")
        elif isinstance(outcome, RejectedItem):
            left_out.append(f"{table.place(row)} ({outcome.reason} {outcome.field})")
        else:
            messages[item] = value
    if left_out:
        say(f"{len(left_out)} rows left out; the first is {left_out[0]}")
    repeats = table.rows - len(left_out) - len(messages)
    if repeats:
        say(f"{repeats} rows name an item again; the last of each counts")
    if not messages:
        raise BadUsage(f"{path} has no usable item")
    return [ItemMessage(item, value) for item, value in messages.items()]


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
