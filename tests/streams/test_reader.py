"""What a person is shown: their list without hidden items, or what is trending."""

import msgspec
import pytest

from millstream.exporters.memory_store import MemoryStore
from millstream.exporters.store import UserWrite
from millstream.streams.errors import FoundWrong
from millstream.streams.listing import Entry, Listing, decode_listing, encode_listing
from millstream.streams.reader import ShownEntry, read_list


def listing(user: str, *items: str, because: str | None = None) -> bytes:
    entries = [Entry(item, 1.0, "co", because) for item in items]
    return encode_listing(Listing("l-1", user, 7, {"clicks-0": 3}, 5, "9f3c", [], entries))


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.write_users([UserWrite("u", b"", b"12345678-", listing("u", "a", "b", because="c"))])
    store.write_items({"a": msgspec.json.encode({"title": "A!"}), "c": b'{"title":"C!"}'})
    return store


def test_titles_stand_beside_items_and_reasons(store: MemoryStore) -> None:
    shown = read_list(store, "u")
    assert shown.fallback is None
    assert shown.as_of == {"clicks-0": 3}
    assert shown.items == [
        ShownEntry("a", "A!", 1.0, "co", "c", "C!"),
        ShownEntry("b", "", 1.0, "co", "c", "C!"),
    ]


def test_hidden_items_are_not_shown(store: MemoryStore) -> None:
    store.hide(["a"])
    assert [entry.item for entry in read_list(store, "u").items] == ["b"]


def test_a_title_that_somebody_else_wrote_is_no_error(store: MemoryStore) -> None:
    store.write_items({"a": b"\xff{", "c": b"[]"})
    assert [entry.title for entry in read_list(store, "u").items] == ["", ""]


def test_a_stranger_gets_trending_then_popular_then_nothing(store: MemoryStore) -> None:
    assert read_list(store, "x").items == []
    store.write_shared("popular", listing("", "p"))
    assert read_list(store, "x").fallback == "popular"
    store.write_shared("trending", listing(""))
    assert read_list(store, "x").fallback == "popular"
    store.write_shared("trending", listing("", "t1", "t2", "t3"))
    shown = read_list(store, "x", length=2)
    assert (shown.user, shown.fallback) == ("x", "trending")
    assert [entry.item for entry in shown.items] == ["t1", "t2"]


def test_what_is_no_list_is_said(store: MemoryStore) -> None:
    store.write_shared("trending", b"rubbish")
    with pytest.raises(FoundWrong, match="what is stored for trending is no list"):
        read_list(store, "x")


def test_why_an_entry_is_listed_is_said_in_words() -> None:
    def said(source: str, modality: str | None = None, because: str | None = "c") -> str:
        return ShownEntry("a", "", 1.0, source, because, "C! {x}", modality).why()

    assert said("image", "image") == "looks like C! {x}"
    assert said("spread", "numbers") == "about the same year or price as C! {x}"
    assert said("new", "audio") == "new, sounds like C! {x}"
    assert said("new", None, None) == "new"
    assert said("co_long") == "people who took C! {x} took it"
    assert said("sr") == "people took it after C! {x}"
    assert said("mf", None, None) == "people like you took it"
    assert said("a_source_to_come") == "a_source_to_come, after C! {x}"


def test_a_list_with_a_modality_is_stored_and_read_as_it_was(store: MemoryStore) -> None:
    entries = [Entry("a", 1.0, "new", "c", 0.25, "text"), Entry("b", 0.5, "pop")]
    value = encode_listing(Listing("l-2", "v", 7, {}, 5, "9f3c", [], entries))
    assert b'"modality":"text"' in value
    assert value.count(b"modality") == 1
    assert list(decode_listing(value).items) == entries
    store.write_users([UserWrite("v", b"", b"12345678-", value)])
    assert [entry.modality for entry in read_list(store, "v").items] == ["text", None]
