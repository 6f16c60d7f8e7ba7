"""Items as dense numbers: a two-way map that is bounded, and the same after a reload."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from millstream.models.item_rows import ItemRows
from millstream.models.seen import item_hash


def placed(rows: ItemRows, *items: str) -> list[int]:
    """Place items as the learner does; return the rows they got."""
    given_rows = []
    for item in items:
        given_rows.append(rows.next_row())
        rows.place(item, given_rows[-1])
    return given_rows


def free(rows: ItemRows, *gone: int) -> None:
    rows.free(np.array(gone, np.int32))


def test_new_items_get_ascending_rows_and_are_found_both_ways() -> None:
    rows = ItemRows(10)
    assert placed(rows, "a", "b", "c") == [0, 1, 2]
    assert [rows.row(item) for item in "abc"] == [0, 1, 2]
    assert [rows.item(row) for row in range(3)] == ["a", "b", "c"]
    assert rows.rows(["c", "unknown", "a"]) == [2, -1, 0]
    assert len(rows) == 3


def test_a_row_that_was_freed_goes_to_the_next_new_item_the_lowest_first() -> None:
    rows = ItemRows(10)
    placed(rows, "a", "b", "c", "d")
    free(rows, 1, 3)
    assert rows.rows(["b", "d"]) == [-1, -1]
    assert rows.ids() == ["a", "", "c", ""]
    assert placed(rows, "e", "f", "g") == [1, 3, 4]
    assert rows.ids() == ["a", "e", "c", "f", "g"]


def test_room_counts_down_to_the_bound_and_up_again_with_what_is_freed() -> None:
    rows = ItemRows(3)
    assert rows.room() == 3
    placed(rows, "a", "b", "c")
    assert rows.room() == 0
    free(rows, 0, 2)
    assert rows.room() == 2
    assert len(rows) == 3


def test_hashes_follow_the_items_through_growth_and_reuse() -> None:
    rows = ItemRows(500)
    placed(rows, *(f"m{n}" for n in range(200)))
    assert rows.hashes[199] == item_hash("m199")
    free(rows, 7)
    assert rows.hashes[7] == 0
    placed(rows, "new")
    assert rows.hashes[7] == item_hash("new")


def test_changes_moves_whenever_a_row_changes_hands() -> None:
    rows = ItemRows(10)
    seen = {rows.changes}
    placed(rows, "a")
    seen.add(rows.changes)
    free(rows, 0)
    seen.add(rows.changes)
    placed(rows, "b")
    seen.add(rows.changes)
    rows.load(["c"])
    seen.add(rows.changes)
    assert len(seen) == 5


@given(st.lists(st.one_of(st.integers(0, 30), st.just(-1)), max_size=60))
def test_any_sequence_is_as_a_plain_dict_and_the_same_after_a_reload(moves: list[int]) -> None:
    rows, expected = ItemRows(100), dict[str, int]()
    for n, move in enumerate(moves):
        item = f"m{move}"
        if move < 0 and expected:
            gone = sorted(expected.values())[n % len(expected)]
            free(rows, gone)
            expected = {i: r for i, r in expected.items() if r != gone}
        elif move >= 0 and item not in expected:
            (expected[item],) = placed(rows, item)
    loaded = ItemRows(100)
    loaded.load(rows.ids())
    for each in (rows, loaded):
        assert {item: each.row(item) for item in expected} == expected
        assert each.room() == 100 - len(expected)
    assert loaded.next_row() == rows.next_row()
    assert loaded.ids() == rows.ids()
    assert np.array_equal(loaded.hashes[: len(rows)], rows.hashes[: len(rows)])
