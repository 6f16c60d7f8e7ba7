"""A row of a table as the catalogue message: each value as its field has it."""

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from millstream.streams.columns import Moment, as_number
from millstream.streams.item_content import MEDIA_FIELDS
from millstream.streams.item_message import RejectedItem, decode_item
from millstream.streams.item_year import year_of
from millstream.streams.loaders.format import ItemLayout

NO_CATEGORY: Final = ("(no genres listed)", "")
_TRUTHS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_YEARS: Final = ("year", "released")
_TEXTS: Final = ("title", "description", "language")


@dataclass(frozen=True, slots=True)
class ItemMessage:
    """An item and the JSON that its topic holds; columns that are not ours stand in it too."""

    item: str
    value: bytes


def item_value(fields: Mapping[str, object]) -> bytes | RejectedItem:
    """Return the message of these fields, or why readers would refuse it."""
    value = msgspec.json.encode({name: one for name, one in fields.items() if one is not None})
    outcome = decode_item(value)
    return outcome if isinstance(outcome, RejectedItem) else value


def item_fields(name: str, value: object, layout: ItemLayout | None = None) -> dict[str, object]:
    """Return a column's value as the fields that it tells; None for what JSON cannot hold."""
    if layout and name == "title" and layout.title and isinstance(value, str):
        return dict(layout.title(value))
    if layout and name == "categories" and value is not None:
        return {name: _categories(value, layout.separator)}
    return {name: _field(name, value)}


def _categories(value: object, separator: str) -> Sequence[str]:
    """Return categories as a list, out of a text, a list, or a list of lists."""
    if isinstance(value, list):
        return list(dict.fromkeys(one for part in value for one in _categories(part, separator)))
    return [one for one in str(value).split(separator) if one not in NO_CATEGORY]


def _field(name: str, value: object) -> object:
    if name in MEDIA_FIELDS:
        return _medium(value)
    value = _plain(value)
    if name == "hidden" and not isinstance(value, bool) and value is not None:
        return _TRUTHS.get(str(value).lower(), value)
    if name in _TEXTS and isinstance(value, int | float):
        return str(value)
    if name == "price":
        return as_number(value)  # what is none, such as "on request", is left out
    if name in _YEARS and isinstance(value, int | float | str):
        return _dated(value)
    return value


def _dated(value: float | str) -> object:
    """Return what says a year as it is; what does not, such as "soon", is left out."""
    try:
        return None if year_of(value) is None else value
    except ValueError:
        return None


def _plain(value: object) -> object:
    """Return a value as JSON can hold it, None for what it cannot."""
    if isinstance(value, Moment):
        return datetime.fromtimestamp(value / 1000, UTC).isoformat()
    if isinstance(value, datetime):  # a database's moment without a zone is taken for UTC
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, UUID):
        return str(value)
    return value if isinstance(value, bool | int | float | str | list | dict) else None


def _medium(value: object) -> object:
    """Return a path, URL or data: of a list the first, bytes as base64."""
    if isinstance(value, list):
        return _medium(value[0]) if value else None
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": b64encode(value).decode()} if len(value) else None
    if isinstance(value, dict):
        return value if isinstance(value.get("base64"), str) else None
    return value if isinstance(value, str) else None
