"""A row of a table as the catalogue message: each value as its field has it."""

import json
import math
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from millstream.streams.columns import Moment
from millstream.streams.item_content import MEDIA_FIELDS
from millstream.streams.item_dates import dated, moment_of
from millstream.streams.item_message import LANGUAGE, RejectedItem, decode_item
from millstream.streams.item_price import price_of
from millstream.streams.item_words import category_words, is_blank, text_of
from millstream.streams.loaders.format import ItemLayout

_TRUTHS: Final = {
    **dict.fromkeys(("true", "t", "1", "yes", "y"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n"), False),
}
_REFERENCES: Final = ("bytes", "path", "url", "src", "large", "hi_res")
"""Under what a record holds a picture, best first."""
_BASE64: Final = ("iVBORw0KGgo", "/9j/", "UklGR")
"""How a PNG, JPEG or RIFF begins in base64; such a text of BASE64_MIN characters is no path."""
BASE64_MIN: Final = 256


@dataclass(frozen=True, slots=True)
class ItemMessage:
    """An item and the JSON that its topic holds; columns that are not ours stand in it too."""

    item: str
    value: bytes


def item_value(fields: Mapping[str, object]) -> bytes | RejectedItem:
    """Return the message of these fields, or why readers would refuse it."""
    given = {name: one for name, one in fields.items() if one is not None}
    value = msgspec.json.encode(given)
    outcome = decode_item(value)
    return outcome if isinstance(outcome, RejectedItem) else value


def item_fields(name: str, value: object, layout: ItemLayout | None = None) -> dict[str, object]:
    """Return a column's value as the fields that it tells; None for what JSON cannot hold."""
    if layout and name == "title" and layout.title and isinstance(value, str):
        return dict(layout.title(value))
    if name in ("categories", "tags"):
        words = category_words(value, layout.separator if layout else None)
        return {name: None if value is None else words}
    return {name: _field(name, value)}


def _field(name: str, value: object) -> object:
    if name in MEDIA_FIELDS:
        return _medium(value)
    value = _plain(value)
    if name == "title":
        return _joined(text_of(value))
    if name not in _READ:
        return value
    return None if is_blank(value) else _READ[name](value)


def _joined(text: str | list[str] | None) -> str | None:
    return " ".join(text) if isinstance(text, list) else text


def _hidden(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, bool) else _TRUTHS.get(str(value).strip().lower(), value)


def _language(value: object) -> str | None:
    text = value.strip() if isinstance(value, str) else ""
    return text if LANGUAGE.fullmatch(text) else None


def _date(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return dated(value)


_READ: Final = {
    "description": text_of,
    "language": _language,
    "price": price_of,
    "year": _date,
    "released": _date,
    "hidden": _hidden,
    "available_from": moment_of,
    "expires_at": moment_of,
}
"""What reads the cells of a field."""


def _plain(value: object) -> object:
    """Return a value as JSON can hold it, None for what it cannot."""
    if isinstance(value, Moment):
        try:
            return datetime.fromtimestamp(value / 1000, UTC).isoformat()
        except (ValueError, OverflowError):  # beyond the year 9999
            return None
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
    """Return a path, URL or data: of several the first, bytes as base64."""
    if isinstance(value, list):
        return next((one for one in map(_medium, value) if one is not None), None)
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": b64encode(value).decode()} if len(value) else None
    if isinstance(value, dict):
        if isinstance(value.get("base64"), str):
            return {"base64": value["base64"]}
        return _medium([value.get(name) for name in _REFERENCES])
    return _reference(value.strip()) if isinstance(value, str) and not is_blank(value) else None


def _reference(text: str) -> object:
    if text[:1] + text[-1:] in ("[]", "{}"):
        try:
            return _medium(json.loads(text))
        except (ValueError, RecursionError):
            return text
    if len(text) >= BASE64_MIN and text.startswith(_BASE64):
        return {"base64": text}
    if text.startswith("data:"):
        return text
    return text.partition("|")[0].strip().replace("\\", "/")  # as Windows writes paths
