"""What encoders are given of a catalogue record."""

import msgspec
import pytest

from millstream.streams.item_content import (
    Attributes,
    AtUrl,
    InFolder,
    Inline,
    ItemContent,
    MediaRef,
    Unclear,
    decode_content,
    media_ref,
)
from millstream.streams.item_message import Base64, RejectedItem, decode_item


def content(**fields: object) -> ItemContent | RejectedItem:
    return decode_content(msgspec.json.encode(fields))


def test_text_is_title_description_categories_and_tags_in_this_order() -> None:
    assert content(
        tags="heist|pacino",
        categories=["crime", "drama"],
        description="A thief\nand a cop.",
        title="Heat",
        price=9.5,
        language="en-US",
        colour="blue",
    ) == ItemContent(
        "Heat\nA thief and a cop.\ncrime, drama\nheist, pacino",
        {},
        Attributes(("crime", "drama", "heist", "pacino"), "en-US", None, 9.5),
    )


def test_media_are_kept_by_field() -> None:
    found = content(image="a.png", audio={"base64": "AA=="}, video="https://example.org/v.mp4")
    assert isinstance(found, ItemContent)
    assert found.media == {
        "image": InFolder("a.png"),
        "audio": Inline("AA=="),
        "video": AtUrl("https://example.org/v.mp4"),
    }


def test_what_is_null_or_empty_is_not_there() -> None:
    assert content(image="", audio=None, description=None, tags=None) == ItemContent("", {})


def test_a_description_may_be_in_paragraphs() -> None:
    assert content(title="A", description=["b", "c"]) == ItemContent("A\nb c", {})


@pytest.mark.parametrize(
    ("given", "ref"),
    [
        ("data:image/png;base64,AAAA", Inline("AAAA")),
        ("DATA:;base64,AA==", Inline("AA==")),
        ("data:image/svg+xml,<svg/>", Unclear()),
        ("data:image/png;base64", Unclear()),
        (Base64("AAAA"), Inline("AAAA")),
        ("posters/1.jpg", InFolder("posters/1.jpg")),
        ("https://example.org/1.jpg", AtUrl("https://example.org/1.jpg")),
        ("http://example.org/1.jpg", Unclear()),
        ("file:///etc/passwd", Unclear()),
        ("ftp://example.org/1.jpg", Unclear()),
    ],
)
def test_a_medium_is_data_a_path_or_an_https_url(given: str | Base64, ref: MediaRef) -> None:
    assert media_ref(given) == ref


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image", 7),
        ("image", {"url": "x"}),
        ("audio", ["a"]),
        ("video", True),
        ("price", "cheap"),
        ("price", -1),
        ("price", "nan"),
        ("price", [1]),
        ("language", "not a language"),
        ("language", 7),
        ("tags", {"a": 1}),
        ("tags", [1]),
        ("description", 7),
    ],
)
def test_a_field_of_another_kind_is_named_to_whoever_reads(name: str, value: object) -> None:
    record = msgspec.json.encode({"title": "A", name: value})
    assert decode_content(record) == RejectedItem("bad-field", name)
    assert decode_item(record) == RejectedItem("bad-field", name)


@pytest.mark.parametrize(
    "fields",
    [{"price": "12.50"}, {"price": 0}, {"price": None}, {"price": ""}, {"language": "zh_Hant"}],
)
def test_what_is_of_its_kind_is_taken(fields: dict[str, object]) -> None:
    assert isinstance(content(**fields), ItemContent)
