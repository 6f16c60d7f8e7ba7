"""The catalogue message: bytes in, `Item` or `RejectedItem` out, never an exception."""

import unicodedata
from datetime import datetime
from typing import Final, Literal

import msgspec

from millstream.models.catalogue import FOREVER_MS, Item

ItemReason = Literal["not-json", "not-an-object", "bad-item", "bad-field", "too-large"]
ITEM_BYTES_MAX: Final = 800_000
ID_BYTES_MAX: Final = 128


class RejectedItem(msgspec.Struct, frozen=True):
    """Why a catalogue record is none, and which field is wrong."""

    reason: ItemReason
    field: str = ""


class _Wire(msgspec.Struct):
    title: str = ""
    categories: list[str] | str = []
    hidden: bool = False
    available_from: int | float | str | None = None
    expires_at: int | float | str | None = None


_decode = msgspec.json.Decoder(_Wire).decode
_loose = msgspec.json.Decoder().decode


def decode_item(value: bytes) -> Item | RejectedItem:
    """Return what a catalogue record says of its item; unknown fields are left alone."""
    if len(value) > ITEM_BYTES_MAX:
        return RejectedItem("too-large")
    try:
        wire = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        return _why(value, error)
    opens, closes = _moment(wire.available_from, 0), _moment(wire.expires_at, FOREVER_MS)
    if opens is None:
        return RejectedItem("bad-field", "available_from")
    if closes is None:
        return RejectedItem("bad-field", "expires_at")
    categories = wire.categories
    named = categories.split("|") if isinstance(categories, str) else categories
    return Item(wire.title, tuple(filter(None, named)), wire.hidden, opens, closes)


def item_of_key(key: bytes | None) -> str | None:
    """Return the item id in a record's key, None when it is none."""
    if key is None:
        return None
    try:
        item = unicodedata.normalize("NFC", key.decode())
    except UnicodeDecodeError:
        return None
    fits = 0 < len(item.encode()) <= ID_BYTES_MAX
    return item if fits and all(unicodedata.category(c) != "Cc" for c in item) else None


def _why(value: bytes, error: Exception) -> RejectedItem:
    try:
        loose = _loose(value)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
        return RejectedItem("not-json")
    if not isinstance(loose, dict):
        return RejectedItem("not-an-object")
    _, _, place = str(error).partition("`$.")
    return RejectedItem("bad-field", place.rstrip("`").split("[")[0])


def _moment(given: float | str | None, default: int) -> int | None:
    """Return ms since the epoch, from ms or ISO 8601 with a zone; None when it is neither."""
    if given is None:
        return default
    if isinstance(given, str):
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            return None
        return None if moment.tzinfo is None else int(moment.timestamp() * 1000)
    return int(given) if abs(given) < FOREVER_MS else None
