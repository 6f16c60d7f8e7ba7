"""What may be shown, and when: the fold of the `items` topic."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from millstream.models.catalogue import Catalogue, Item
from millstream.models.item_rows import ItemRows

NOW = 1_700_000_000_000


def rows_of(*items: str) -> ItemRows:
    rows = ItemRows(100)
    for row, item in enumerate(items):
        rows.place(item, row)
    return rows


def catalogue_of(**entries: Item | None) -> Catalogue:
    catalogue = Catalogue()
    for offset, (item, entry) in enumerate(entries.items()):
        catalogue.apply(0, offset, item, entry)
    return catalogue


def closed(catalogue: Catalogue, rows: ItemRows, now_ms: int = NOW) -> list[str]:
    mask = catalogue.closed_rows(rows, rows.changes, now_ms)
    return [rows.item(row) for row in np.flatnonzero(mask).tolist()]


def test_unknown_and_plain_items_are_shown() -> None:
    catalogue = catalogue_of(plain=Item("Plain"))
    assert catalogue.shown("plain", NOW)
    assert catalogue.shown("never heard of", NOW)
    assert closed(catalogue, rows_of("plain", "other")) == []


def test_hidden_and_deleted_items_are_not_shown() -> None:
    catalogue = catalogue_of(hidden=Item(hidden=True), deleted=None)
    assert not catalogue.shown("hidden", NOW)
    assert not catalogue.shown("deleted", NOW)
    assert closed(catalogue, rows_of("a", "hidden", "deleted")) == ["hidden", "deleted"]


def test_times_open_at_their_moment_and_close_at_theirs() -> None:
    catalogue = catalogue_of(m=Item(available_from=NOW, expires_at=NOW + 10))
    shown = [catalogue.shown("m", NOW + at) for at in (-1, 0, 9, 10)]
    assert shown == [False, True, True, False]


def test_an_item_that_comes_back_is_shown_again() -> None:
    catalogue = catalogue_of(m=None)
    catalogue.apply(0, 1, "m", Item("Again"))
    assert catalogue.shown("m", NOW)
    assert not catalogue.gates


def test_only_what_may_be_withheld_takes_memory() -> None:
    catalogue = Catalogue()
    for offset in range(1000):
        catalogue.apply(0, offset, f"m{offset}", Item(f"Title {offset}"))
    assert not catalogue.gates


def test_versions_are_the_next_offsets_by_partition_whatever_was_read() -> None:
    catalogue = Catalogue()
    catalogue.apply(2, 7, "m", None)
    catalogue.skip(0, 4)
    assert catalogue.versions == [5, 0, 8]


def test_the_mask_follows_time_rows_and_catalogue() -> None:
    rows = rows_of("a", "b")
    catalogue = catalogue_of(b=Item(expires_at=NOW + 10), c=Item(hidden=True))
    assert closed(catalogue, rows, NOW) == []
    assert closed(catalogue, rows, NOW + 10) == ["b"]
    assert closed(catalogue, rows, NOW) == [], "a replay goes back in time"
    rows.place("c", 2)
    assert closed(catalogue, rows, NOW) == ["c"]
    catalogue.apply(0, 9, "a", None)
    assert closed(catalogue, rows, NOW) == ["a", "c"]


entries = st.one_of(
    st.none(),
    st.builds(
        Item,
        hidden=st.booleans(),
        available_from=st.sampled_from([0, NOW - 5, NOW, NOW + 5]),
        expires_at=st.sampled_from([NOW - 5, NOW, NOW + 5, 2**62]),
    ),
)


@given(st.lists(st.tuples(st.sampled_from("abcd"), entries, st.integers(-7, 7)), max_size=20))
def test_the_mask_always_says_what_shown_says(moves: list[tuple[str, Item | None, int]]) -> None:
    catalogue, rows = Catalogue(), rows_of(*"abcd")
    for offset, (item, entry, at) in enumerate(moves):
        catalogue.apply(0, offset, item, entry)
        expected = [i for i in "abcd" if not catalogue.shown(i, NOW + at)]
        assert closed(catalogue, rows, NOW + at) == expected
