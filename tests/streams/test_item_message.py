"""The catalogue message: bytes in, an item or a reason out, never an exception."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.models.catalogue import FOREVER_MS, Item
from millstream.streams.item_message import (
    ITEM_BYTES_MAX,
    RejectedItem,
    decode_item,
    item_of_key,
)

FIELDS = ["title", "categories", "hidden", "available_from", "expires_at", "other"]
# Of few letters: to draw from all of Unicode its tables are read first, which takes seconds.
TEXT = st.text('0123-:.+TZ| aé雪\0"\\', max_size=12)
VALUE = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
INNER = VALUE | st.lists(VALUE, max_size=3) | st.dictionaries(TEXT, VALUE, max_size=3)


def decoded(**fields: object) -> Item | RejectedItem:
    return decode_item(msgspec.json.encode(fields))


def test_every_field_is_read() -> None:
    item = decoded(
        title="Heat",
        categories=["crime", "drama"],
        hidden=True,
        available_from=1_700_000_000_000,
        expires_at="2030-01-01T00:00:00+00:00",
        plot="unknown fields are left alone",
    )
    assert item == Item("Heat", ("crime", "drama"), True, 1_700_000_000_000, 1_893_456_000_000)


def test_an_empty_object_is_an_item_shown_always() -> None:
    assert decode_item(b"{}") == Item("", (), False, 0, FOREVER_MS)


def test_null_times_mean_always() -> None:
    assert decoded(available_from=None, expires_at=None) == Item()


def test_categories_may_be_one_text_with_bars() -> None:
    assert decoded(categories="Comedy|Romance|") == Item(categories=("Comedy", "Romance"))
    assert decoded(categories="") == Item()


@pytest.mark.parametrize(
    ("value", "reason", "field"),
    [
        (b"", "not-json", ""),
        (b"{", "not-json", ""),
        (b"\xff\xfe", "not-json", ""),
        (b"[" * 100_000, "not-json", ""),
        (b"[]", "not-an-object", ""),
        (b"null", "not-an-object", ""),
        (b'{"title": 7}', "bad-field", "title"),
        (b'{"hidden": "yes"}', "bad-field", "hidden"),
        (b'{"categories": [1]}', "bad-field", "categories"),
        (b'{"available_from": "soon"}', "bad-field", "available_from"),
        (b'{"available_from": "2030-01-01T00:00:00"}', "bad-field", "available_from"),
        (b'{"year": "long ago"}', "bad-field", "year"),
        (b'{"year": true}', "bad-field", "year"),
        (b'{"released": "1995-13-01"}', "bad-field", "released"),
        (b'{"released": 1e300}', "bad-field", "released"),
        (b'{"released": -1e15}', "bad-field", "released"),
        (b'{"expires_at": 1e300}', "bad-field", "expires_at"),
        (b'{"expires_at": []}', "bad-field", "expires_at"),
        (b'{"title": "' + b"x" * ITEM_BYTES_MAX + b'"}', "too-large", ""),
    ],
)
def test_what_is_no_item_says_why(value: bytes, reason: str, field: str) -> None:
    outcome = decode_item(value)
    assert isinstance(outcome, RejectedItem)
    assert (outcome.reason, outcome.field) == (reason, field)


@given(st.binary(max_size=200))
def test_no_bytes_raise(value: bytes) -> None:
    assert isinstance(decode_item(value), Item | RejectedItem)
    item_of_key(value)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, INNER | st.lists(INNER, max_size=2)))
)
def test_no_json_raises(fields: dict[str, object]) -> None:
    outcome = decode_item(msgspec.json.encode(fields))
    assert isinstance(outcome, Item | RejectedItem)
    if isinstance(outcome, Item):
        outcome.shown_at(1_700_000_000_000)


@pytest.mark.parametrize(
    ("key", "item"),
    [
        (b"m1", "m1"),
        ("e\u0301".encode(), "\u00e9"),
        (b"x" * 128, "x" * 128),
        (b"{}:*../", "{}:*../"),
        (None, None),
        (b"", None),
        (b"x" * 129, None),
        (b"a\x00b", None),
        (b"a\nb", None),
        (b"\xff", None),
    ],
)
def test_an_item_is_named_by_its_key_in_nfc(key: bytes | None, item: str | None) -> None:
    assert item_of_key(key) == item
