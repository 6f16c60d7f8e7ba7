"""Cells: every row in one, none too full, equal in every replica, and the nearest are found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.cells import CELL_MAX, NEAREST, WIDTH, Cells, direction
from millstream.models.histories import Rows
from millstream.models.space import Floats

KINDS = 40


def vectors(rows: Rows, kinds: int = KINDS) -> Floats:
    """Items of some kinds, each a little its own."""
    centres = np.random.default_rng(0).normal(size=(kinds, WIDTH))
    own = np.stack([np.random.default_rng([7, row]).normal(size=WIDTH) for row in rows.tolist()])
    return direction((centres[rows % kinds] + 0.3 * own).astype(np.float32))


def alike(rows: Rows) -> Floats:
    return direction(np.ones((len(rows), WIDTH), np.float32))


def filled(rows: int, at_once: int = 100) -> Cells:
    cells = Cells()
    cells.grow(rows)
    for start in range(0, rows, at_once):
        cells.put(range(start, min(start + at_once, rows)), vectors)
    return cells


def sizes(cells: Cells) -> list[int]:
    return [int(many) for many in np.bincount(cells.of_row)[1:]]


def test_a_few_are_in_one_cell_and_one_more_than_its_bound_is_in_two() -> None:
    cells = filled(CELL_MAX)
    assert sizes(cells) == [CELL_MAX]
    cells.grow(CELL_MAX + 1)
    cells.put([CELL_MAX], vectors)
    assert len(sizes(cells)) == 2
    assert min(sizes(cells)) > CELL_MAX // 8


def test_two_kinds_of_items_part_where_they_differ() -> None:
    cells, many = Cells(), CELL_MAX + 1
    cells.grow(many)
    cells.put(range(many), lambda rows: vectors(rows // 100 // 2, 2))  # 200 of one, 57 of another
    assert sorted(sizes(cells)) == [57, 200]
    assert len(set(cells.of_row[:200].tolist())) == 1


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 300), st.booleans()), max_size=12))
def test_every_row_is_in_one_cell_none_too_full_and_a_replica_agrees(
    turns: list[tuple[int, int, bool]],
) -> None:
    cells, replica, there = Cells(), Cells(), set[int]()
    for each in (cells, replica):
        each.grow(2000)
    for start, many, in_ in turns:
        rows = list(range(start * 10, start * 10 + many))
        if in_:
            cells.put(rows, vectors)
            there |= set(rows)
        else:
            cells.drop(rows)
            there -= set(rows)
        if changes := cells.changes():
            replica.apply(changes)
        assert set(np.flatnonzero(cells.of_row).tolist()) == there
        assert max(sizes(cells), default=0) <= CELL_MAX
        loaded = Cells()
        loaded.load(cells.read_arrays())
        for name, array in cells.read_arrays().items():
            assert np.array_equal(array, replica.read_arrays()[name])
            assert np.array_equal(array, loaded.read_arrays()[name])
    assert cells.changes() == {}


def test_a_learner_that_was_loaded_goes_on_as_the_one_that_was_not() -> None:
    cells = filled(1500)
    cells.drop(range(200, 600))
    loaded = Cells()
    loaded.load({name: array.copy() for name, array in cells.arrays().items()})
    for each in (cells, loaded):
        each.grow(3000)
        each.put(range(1400, 2900), vectors)
    for name, array in cells.arrays().items():
        assert np.array_equal(array, loaded.arrays()[name])


def test_rows_that_go_to_other_items_are_not_told_since_replicas_forget_too() -> None:
    cells = filled(300)
    replica = Cells()
    replica.load(cells.arrays())
    cells.changes()
    for each in (cells, replica):
        each.forget(range(100, 300))
    assert cells.changes() == {}
    assert np.array_equal(cells.of_row, replica.of_row)


def test_items_that_are_all_alike_are_shared_out_too() -> None:
    cells = Cells()
    cells.grow(2000)
    cells.put(range(2000), alike)
    assert sum(sizes(cells)) == 2000
    assert max(sizes(cells)) <= CELL_MAX


def test_a_catalogue_that_changes_for_ever_needs_no_more_cells_for_ever() -> None:
    cells = Cells()
    cells.grow(1000)
    for turn in range(40):
        kinds = turn + 5
        rows = range(500 * (turn % 2), 500 * (turn % 2) + 500)
        cells.drop(rows)
        cells.put(rows, lambda some, kinds=kinds: vectors(some, kinds))  # type: ignore[misc]
    assert len(cells) <= 2 * 1000 // (CELL_MAX // 8)


def test_where_most_items_are_told_anew_cells_begin_anew() -> None:
    cells = filled(2000)
    before = cells.centroids[1 : len(cells) + 1].copy()
    cells.put(range(1500), lambda rows: np.roll(vectors(rows), 7, axis=1))
    assert sum(sizes(cells)) == 2000
    after = cells.centroids[1 : len(cells) + 1]
    assert not any((one == other).all() for one in after for other in before)


def test_what_is_nearest_is_found_among_many_by_looking_at_few() -> None:
    cells, everything = filled(5000), np.arange(5000, dtype=np.int32)
    asked = np.arange(0, 5000, 97, dtype=np.int32)
    found = cells.look(everything, vectors(asked), 1000)
    near = vectors(asked) @ vectors(everything).T
    nearest = np.argsort(-near, axis=1)[:, :50]
    held = [np.isin(nearest[one], found[one]).mean() for one in range(len(asked))]
    assert np.mean(held) > 0.95
    assert all(row in found[one] for one, row in enumerate(asked.tolist()))


@pytest.mark.parametrize("most", [1, 300, 6000])
def test_a_look_is_bounded_holds_only_what_was_asked_about_and_nothing_twice(most: int) -> None:
    cells, pool = filled(5000), np.arange(0, 5000, 3, dtype=np.int32)
    found = cells.look(pool, vectors(np.arange(5, dtype=np.int32)), most)
    assert found.shape == (5, most)
    for rows in found.tolist():
        there = [row for row in rows if row >= 0]
        assert rows == there + [-1] * (most - len(there))
        assert len(set(there)) == len(there)
        assert set(there) <= set(pool.tolist())
        assert len(there) == min(most, len(pool)) or len(cells) > NEAREST


def test_who_shares_the_batch_does_not_matter_and_no_taste_finds_nothing() -> None:
    cells, pool = filled(3000), np.arange(3000, dtype=np.int32)
    wanted = vectors(np.arange(9, dtype=np.int32))
    wanted[4] = 0.0
    together = cells.look(pool, wanted, 500)
    for one in range(9):
        assert np.array_equal(cells.look(pool, wanted[one : one + 1], 500)[0], together[one])
    assert (together[4] == -1).all()
    assert cells.look(pool[:0], wanted, 500).max() == -1


def test_what_moved_since_is_looked_for_where_it_is_now() -> None:
    cells, pool = filled(3000), np.arange(3000, dtype=np.int32)
    wanted = vectors(np.array([1], np.int32))
    assert 2 not in cells.look(pool, wanted, 200)
    cells.put([2], lambda rows: vectors(rows - 1))
    assert 2 in cells.look(pool, wanted, 200)


def test_the_only_cell_is_looked_into_though_it_has_no_centroid_yet() -> None:
    cells, pool = filled(20), np.arange(20, dtype=np.int32)
    found = cells.look(pool, vectors(pool[:1]), 30)
    assert sorted(row for row in found[0].tolist() if row >= 0) == pool.tolist()
