"""What encoders are given of an item: its text, and where its picture, sound and film are."""

from typing import Final, Literal

import msgspec

from millstream.models.item_text import item_text
from millstream.streams.item_message import Base64, ItemWire, RejectedItem, read_wire, words

MediaField = Literal["image", "audio", "video"]
MEDIA_FIELDS: Final[tuple[MediaField, ...]] = ("image", "audio", "video")


class Inline(msgspec.Struct, frozen=True):
    """A medium in the message itself, still in base64."""

    base64: str


class InFolder(msgspec.Struct, frozen=True):
    """A path relative to `encode.media_dir`."""

    path: str


class AtUrl(msgspec.Struct, frozen=True):
    """An https URL."""

    url: str


class Unclear(msgspec.Struct, frozen=True):
    """A reference that is none of the three."""


MediaRef = Inline | InFolder | AtUrl | Unclear


class ItemContent(msgspec.Struct, frozen=True):
    """What an item looks, reads and sounds like."""

    text: str
    media: dict[MediaField, MediaRef]


def decode_content(value: bytes) -> ItemContent | RejectedItem:
    """Return what a catalogue record gives to encoders, rejected as `decode_item` does."""
    wire = read_wire(value)
    return wire if isinstance(wire, RejectedItem) else content_of(wire)


def content_of(wire: ItemWire) -> ItemContent:
    """Return what a record's fields give to encoders; media are not looked at yet."""
    described = wire.description or ""
    text = item_text(
        wire.title,
        described if isinstance(described, str) else " ".join(described),
        words(wire.categories),
        words(wire.tags),
    )
    given: dict[MediaField, str | Base64 | None] = {
        "image": wire.image,
        "audio": wire.audio,
        "video": wire.video,
    }
    return ItemContent(text, {field: media_ref(one) for field, one in given.items() if one})


def media_ref(given: str | Base64) -> MediaRef:
    """Return what a media field refers to."""
    if isinstance(given, Base64):
        return Inline(given.base64)
    scheme, colon, rest = given.partition(":")
    if colon and scheme.lower() == "data":
        kind, comma, data = rest.partition(",")
        return Inline(data) if comma and kind.lower().endswith(";base64") else Unclear()
    if "://" in given:
        return AtUrl(given) if scheme.lower() == "https" else Unclear()
    return InFolder(given)
