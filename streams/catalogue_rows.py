"""Rows of a table as messages: a value that cannot be read costs its field, not its item."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from millstream.streams.columns import as_id
from millstream.streams.item_content import MEDIA_FIELDS
from millstream.streams.item_fields import ItemMessage, item_fields, item_value
from millstream.streams.item_message import ITEM_FIELDS, RejectedItem
from millstream.streams.item_words import is_blank
from millstream.streams.loaders.format import ItemLayout
from millstream.streams.movielens import TITLE

SHOWN: Final = ("hidden", "available_from", "expires_at")
"""Where one of these cannot be read the row is left out: its item might be shown too early."""
TOLD_CHARACTERS: Final = 60
YEARS: Final = range(1800, 2101)
"""What is taken for a year at the end of a title."""


class CatalogueRows:
    """Makes rows into messages, and counts what is left out."""

    def __init__(self, columns: Mapping[str, str], layout: ItemLayout | None = None) -> None:
        """`columns` are ours to theirs, with `item` among them."""
        self._columns = columns
        self._theirs = set(columns.values())
        self._layout = layout
        self.rows_left_out = 0
        self._first_row = ""
        self._cells: Counter[str] = Counter()
        self._first_cells: dict[str, str] = {}

    def message(self, row: Mapping[str, object], place: str) -> ItemMessage | None:
        """Return a row's message; None, counted, where it has no item or cannot be shown rightly.

        Columns that are not ours go along, unless they make the message too large.
        """
        item = as_id(row[self._columns["item"]])
        fields: dict[str, object] = {}
        for name, value in row.items():
            # A column of our name gives way to the one that was named in its place.
            if name not in self._theirs and name not in self._columns:
                fields |= item_fields(name, value)
        for name, column in self._columns.items():
            if name == "item":
                continue
            told = item_fields(name, row[column], self._layout)
            fields |= told
            if told.get(name) in (None, []) and not is_blank(row[column]):
                self._leave_out(name, row[column], place)
        if fields.get("year") is None and fields.get("released") is None:
            fields |= _year_of_title(fields.get("title"))
        value = item_value(fields)
        while isinstance(value, RejectedItem) and (gone := _costly(value, fields)):
            if gone in self._columns:
                self._leave_out(f"{gone} ({value.reason})", row[self._columns[gone]], place)
            del fields[gone]
            value = item_value(fields)
        if item is not None and not isinstance(value, RejectedItem):
            return ItemMessage(item, value)
        why = f"{value.reason} {value.field}" if isinstance(value, RejectedItem) else ""
        self._first_row = self._first_row or f"{place} ({why.strip() or 'no usable item'})"
        self.rows_left_out += 1
        return None

    def said(self) -> list[str]:
        """Return a sentence on rows that are left out, and one for each field that lost values."""
        sentences = [
            f"{count} values of {name} are not understood and left out; the first is "
            f"{self._first_cells[name]}"
            for name, count in self._cells.items()
        ]
        if self.rows_left_out:
            sentences.insert(
                0, f"{self.rows_left_out} rows left out; the first is {self._first_row}"
            )
        return sentences

    def _leave_out(self, name: str, value: object, place: str) -> None:
        self._cells[name] += 1
        if name not in self._first_cells:
            shown = repr(value)
            if len(shown) > TOLD_CHARACTERS:
                shown = f"{shown[:TOLD_CHARACTERS]}…"
            self._first_cells[name] = f"{shown} ({place})"


def _year_of_title(title: object) -> dict[str, object]:
    """Return the year of a title such as `Heat (1995)`, which stays as it is."""
    found = TITLE.fullmatch(title.strip()) if isinstance(title, str) else None
    return {"year": int(found[2])} if found and int(found[2]) in YEARS else {}


def _costly(why: RejectedItem, fields: Mapping[str, object]) -> str | None:
    """Return the field to go on without: what is not ours first, then media, then the longest."""
    if why.reason == "bad-field":
        return why.field if why.field in fields and why.field not in SHOWN else None
    if why.reason != "too-large":
        return None
    foreign = [name for name in fields if name not in ITEM_FIELDS]
    media = [name for name in fields if name in MEDIA_FIELDS]
    return max(
        foreign or media or [name for name in fields if name not in SHOWN],
        key=lambda name: len(str(fields[name])),
        default=None,
    )
