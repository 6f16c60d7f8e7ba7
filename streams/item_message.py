"""The catalogue message: bytes in, `Item` or `RejectedItem` out, never an exception."""

import math
import re
import unicodedata
from datetime import datetime
from typing import Final, Literal

import msgspec

from millstream.models.catalogue import FOREVER_MS, Item
from millstream.streams.item_year import year_of

ItemReason = Literal["not-json", "not-an-object", "bad-item", "bad-field", "too-large"]
ITEM_BYTES_MAX: Final = 800_000
ID_BYTES_MAX: Final = 128


class RejectedItem(msgspec.Struct, frozen=True):
    """Why a catalogue record is none, and which field is wrong."""

    reason: ItemReason
    field: str = ""


class Base64(msgspec.Struct, frozen=True):
    """A medium that stands in the message itself."""

    base64: str


class ItemWire(msgspec.Struct, frozen=True):
    """A catalogue record as it is written; media are data, a path or a URL."""

    title: str = ""
    description: str | list[str] | None = None
    categories: list[str] | str = []
    tags: list[str] | str | None = None
    price: float | str | None = None
    language: str | None = None
    year: float | str | None = None
    released: float | str | None = None
    image: str | Base64 | None = None
    audio: str | Base64 | None = None
    video: str | Base64 | None = None
    hidden: bool = False
    available_from: int | float | str | None = None
    expires_at: int | float | str | None = None


ITEM_FIELDS: Final = ItemWire.__struct_fields__
_decode = msgspec.json.Decoder(ItemWire).decode
_loose = msgspec.json.Decoder().decode
LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")


def decode_item(value: bytes) -> Item | RejectedItem:
    """Return what a catalogue record says of its item; unknown fields are left alone."""
    wire = read_wire(value)
    if isinstance(wire, RejectedItem):
        return wire
    opens, closes = moment_ms(wire.available_from, 0), moment_ms(wire.expires_at, FOREVER_MS)
    if opens is None:
        return RejectedItem("bad-field", "available_from")
    if closes is None:
        return RejectedItem("bad-field", "expires_at")
    return Item(wire.title, tuple(words(wire.categories)), wire.hidden, opens, closes)


def read_wire(value: bytes) -> ItemWire | RejectedItem:
    """Return a record's fields as they are written, each of its type; times are not looked at."""
    if len(value) > ITEM_BYTES_MAX:
        return RejectedItem("too-large")
    try:
        wire = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        return _why(value, error)
    if not _is_price(wire.price):
        return RejectedItem("bad-field", "price")
    if wire.language and not LANGUAGE.fullmatch(wire.language):
        return RejectedItem("bad-field", "language")
    for field in ("year", "released"):
        try:
            year_of(getattr(wire, field))
        except ValueError:
            return RejectedItem("bad-field", field)
    return wire


def words(given: list[str] | str | None) -> list[str]:
    """Return categories or tags as a list: one text is split at its bars."""
    named = given.split("|") if isinstance(given, str) else given or []
    return [word for word in named if word]


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


def _is_price(given: float | str | None) -> bool:
    """Return whether a price is none, or a finite number of at least 0, also as a text."""
    if given is None or given == "":
        return True
    try:
        price = float(given)
    except ValueError:
        return False
    return math.isfinite(price) and price >= 0


def moment_ms(given: float | str | None, default: int) -> int | None:
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
