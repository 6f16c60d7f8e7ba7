"""What an embedding is made of: an item's text, attributes, and where its media are."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from millstream.models.embedding import Modality
from millstream.models.item_text import item_text
from millstream.streams.item_message import Base64, ItemWire, RejectedItem, read_wire, words
from millstream.streams.item_year import year_of

MediaField = Literal["image", "audio", "video"]
CATEGORIES_MAX: Final = 100
"""Of categories and tags together; a message has room for a hundred thousand."""
MEDIA_FIELDS: Final[tuple[MediaField, ...]] = ("image", "audio", "video")
MODALITY_OF: Final[Mapping[MediaField, Modality]] = {
    "image": "image",
    "audio": "audio",
    "video": "image",
}


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


class Attributes(msgspec.Struct, frozen=True):
    """What needs no encoder: categories and tags, and a year (with its fraction) and a price."""

    categories: tuple[str, ...] = ()
    language: str = ""
    year: float | None = None
    price: float | None = None


class ItemContent(msgspec.Struct, frozen=True):
    """What an item looks, reads and sounds like, and its attributes."""

    text: str
    media: dict[MediaField, MediaRef]
    attributes: Attributes = Attributes()

    @property
    def modalities(self) -> frozenset[Modality]:
        """Return for which encoders it has something."""
        found: set[Modality] = {MODALITY_OF[field] for field in self.media}
        return frozenset(found | {"text"} if self.text else found)


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
    media = {field: media_ref(one) for field, one in given.items() if one}
    return ItemContent(text, media, _attributes(wire))


def _attributes(wire: ItemWire) -> Attributes:
    """Return a record's attributes; when it was released says more than a year."""
    named = dict.fromkeys([*words(wire.categories), *words(wire.tags)])
    released = year_of(wire.released)
    return Attributes(
        tuple(named)[:CATEGORIES_MAX],
        wire.language or "",
        year_of(wire.year) if released is None else released,
        None if wire.price is None or wire.price == "" else float(wire.price),
    )


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
