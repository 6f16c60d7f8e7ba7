"""What items look like, by row: put in, taken back, and handed over to a newer encoder."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.models.embedding import Embedding, Modality, Part, unit_vector
from millstream.models.item_vectors import SWAP_SHARE, ItemVectors
from millstream.models.pool import Pool
from millstream.models.samples import embedding_of

ROWS = 20
TEXT, IMAGE = 0, 1


def only(modality: Modality, row: int, version: str = "1", width: int = 16) -> Embedding:
    """An item that has one modality, by an encoder of so wide vectors."""
    vector = np.random.default_rng([row, len(version)]).normal(0.0, 1.0, width)
    return Embedding({modality: Part(unit_vector(vector / np.linalg.norm(vector)), version, b"x")})


def filled(rows: int = ROWS) -> ItemVectors:
    vectors = ItemVectors()
    vectors.grow(rows)
    for row in range(rows):
        vectors.describe(row, only("text", row))
    return vectors


def same(one: ItemVectors, other: ItemVectors) -> bool:
    mine, others = one.arrays(), other.arrays()
    return mine.keys() == others.keys() and all(
        array.tobytes() == others[name].tobytes() for name, array in mine.items()
    )


def test_a_newer_version_takes_over_when_it_knows_nine_tenths_of_the_old() -> None:
    vectors = filled()
    before = vectors.codes.copy()
    enough = int(SWAP_SHARE * ROWS)
    for row in range(enough - 1):
        assert vectors.describe(row, only("text", row, "22")) == []
        assert np.array_equal(vectors.codes, before)
    vectors.changes()
    moved = vectors.describe(enough - 1, only("text", enough - 1, "22"))
    assert sorted(set(moved)) == list(range(ROWS))
    assert np.flatnonzero(vectors.scales[:ROWS, TEXT]).tolist() == list(range(enough))
    assert vectors.changes()["rows"].tolist() == list(range(ROWS))
    vectors.describe(ROWS - 1, only("text", ROWS - 1, "22"))
    assert vectors.scales[ROWS - 1, TEXT] > 0


def test_it_takes_over_soon_after_nine_tenths_of_many() -> None:
    vectors = filled(1000)
    vectors.grow(5000)  # rows that nothing describes are no reason to wait
    moved = [row for row in range(1000) if len(vectors.describe(row, only("text", row, "22"))) > 1]
    assert len(moved) == 1
    assert 899 <= moved[0] <= 905


def test_items_that_only_the_newer_version_knows_do_not_make_it_take_over() -> None:
    vectors = filled()
    vectors.grow(3 * ROWS)
    for row in range(ROWS, 3 * ROWS):
        vectors.describe(row, only("text", row, "22"))
    assert np.count_nonzero(vectors.scales[:, TEXT]) == ROWS
    for row in range(ROWS):
        vectors.describe(row, only("text", row, "22"))
    assert np.count_nonzero(vectors.scales[:, TEXT]) > 2 * ROWS


def test_the_same_version_of_another_width_is_another_version() -> None:
    vectors = filled()
    for row in range(ROWS):
        vectors.describe(row, only("text", row, "1", 24))
    again = ItemVectors()
    again.grow(ROWS)
    for row in range(ROWS):
        again.describe(row, only("text", row, "1", 24))
    assert np.abs(again.codes[:ROWS].astype(int) - vectors.codes[:ROWS]).max() < 128
    assert vectors.arrays()["text.mean"].shape == (24,)


def test_a_third_version_puts_an_end_to_the_second_that_never_took_over() -> None:
    vectors = filled()
    for row in range(5):
        vectors.describe(row, only("text", row, "22"))
    vectors.describe(0, only("text", 0, "333"))
    assert vectors.arrays()["text+.rows"].tolist() == [0]


def test_a_modality_that_is_taken_back_does_not_come_back_when_axes_are_fitted_anew() -> None:
    vectors = ItemVectors()
    vectors.grow(16)
    for row in range(6):
        vectors.describe(row, only("image", row))
    assert vectors.describe(2, Embedding()) == [2]
    assert vectors.describe(2, Embedding()) == []
    for row in range(6, 16):
        vectors.describe(row, only("image", row))
    assert vectors.scales[2, IMAGE] == 0.0
    assert np.count_nonzero(vectors.scales[:16, IMAGE]) == 15


def test_a_replica_given_the_changes_reads_the_same_whenever_it_is_given_them() -> None:
    learner, often, late = ItemVectors(), ItemVectors(), ItemVectors()
    for each in (learner, often, late):
        each.grow(ROWS)
    for n in range(3 * ROWS):
        row = 7 * n % ROWS
        learner.describe(row, embedding_of(row, row % 2, "1" if n < ROWS else "22"))
        if n % 4 == 3 and (changes := learner.changes()):
            often.apply(changes)
    late.load(learner.read_arrays())
    assert learner.changes() == {}
    for each in (often, late):
        assert each.codes[:ROWS].tobytes() == learner.codes[:ROWS].tobytes()
        assert each.scales[:ROWS].tobytes() == learner.scales[:ROWS].tobytes()


@pytest.mark.parametrize("cut", [0, 1, 9, ROWS, ROWS + 5, 2 * ROWS - 3, 2 * ROWS])
def test_a_snapshot_amid_a_change_of_encoders_goes_on_the_same(cut: int) -> None:
    whole, first, loaded = ItemVectors(), ItemVectors(), ItemVectors()
    for n in range(2 * ROWS + 9):
        if n == cut:
            loaded.load({name: array.copy() for name, array in first.arrays().items()})
        row, version = 7 * n % ROWS, "1" if n < ROWS else "22"
        for each in (whole, first) if n < cut else (whole, loaded):
            each.grow(ROWS)
            if n % 6 == 5:
                each.forget(np.array([3 * n % ROWS], np.int32))
            each.describe(row, embedding_of(row, row % 2, version))
    assert same(whole, loaded)


def test_zero_modalities_are_no_description() -> None:
    vectors = ItemVectors()
    vectors.grow(3)
    assert vectors.describe(1, Embedding()) == []
    assert not vectors.any
    assert vectors.changes() == {}


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=60))
def test_a_pool_gives_what_is_in_it_and_not_closed(puts: list[tuple[int, bool]]) -> None:
    pool, true = Pool(), set[int]()
    closed = np.arange(20) % 3 == 0
    closed.setflags(write=False)
    for row, inside in puts:
        pool.put(row, inside)
        (true.add if inside else true.discard)(row)
        assert pool.rows().tolist() == sorted(true)
        assert pool.open(closed).tolist() == [r for r in sorted(true) if r >= 20 or r % 3]
        assert pool.open(closed) is pool.open(closed)
        assert (row in pool) == inside
    asked = np.arange(-1, 99, dtype=np.int32).reshape(4, 25)
    assert pool.among(asked).ravel().tolist() == [row in true for row in range(-1, 99)]
    pool.drop(range(99))
    assert not len(pool.rows())
