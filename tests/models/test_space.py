"""Short codes say what the vectors say, and stay what they are."""

import numpy as np
import pytest

from millstream.models.space import DIM, FIT_MAX, Codes, Floats, Halves, Space

WIDE = 48


def vectors(n: int, width: int = WIDE, seed: int = 0) -> Halves:
    """Unit vectors in a narrow cone."""
    found = np.random.default_rng(seed).normal(0.0, 1.0, (n, width))
    found[:, 0] += 20.0
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float16)


def filled(n: int, width: int = WIDE) -> Space:
    space = Space("1", width)
    for row, vector in enumerate(vectors(n, width)):
        space.add(row, vector)
    return space


def read(codes: Codes, scales: Floats) -> Floats:
    return codes.astype(np.float32) * scales[:, None]


def exact(space: Space, given: Halves) -> Floats:
    rows = given.astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    short = (rows - space.mean) @ space.axes
    return np.asarray(short / np.linalg.norm(short, axis=1, keepdims=True), np.float32)


def test_codes_are_the_unit_vectors_to_one_percent_and_so_are_their_cosines() -> None:
    space, given = filled(64), vectors(64)
    found, true = read(*space.encode(given)), exact(space, given)
    assert np.abs(np.linalg.norm(found, axis=1) - 1.0).max() < 0.01
    assert np.abs(found - true).max() < 0.01
    assert np.abs(found @ found.T - true @ true.T).max() < 0.02


def test_without_its_mean_a_cone_opens() -> None:
    space, given = filled(256), vectors(256)
    wide = given.astype(np.float32) @ given.astype(np.float32).T
    short = read(*space.encode(given))
    assert wide.mean() > 0.85
    assert abs((short @ short.T).mean()) < 0.02


def test_where_axes_are_enough_the_angles_between_centred_vectors_are_kept() -> None:
    space, given = filled(128), vectors(128)
    rows = given.astype(np.float32)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True) - space.mean
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    short = read(*space.encode(given))
    assert np.abs(short @ short.T - rows @ rows.T).max() < 0.03


def test_a_wide_space_and_a_space_of_few_give_orthogonal_axes() -> None:
    for space in (filled(16), filled(512), filled(128, 300)):
        square = space.axes.T @ space.axes
        kept = round(float(np.trace(square)))
        assert np.abs(square[:kept, :kept] - np.eye(kept)).max() < 1e-4


def test_axes_are_fitted_anew_at_powers_of_two_and_frozen_at_last() -> None:
    space, fitted = Space("1", 4), []
    given = vectors(FIT_MAX + 3, 4)
    for row, vector in enumerate(given):
        before = space.axes
        rows, codes, scales = space.add(row, vector)
        assert (len(rows), len(codes), len(scales)) == (len(rows),) * 3
        if space.axes is not before:
            fitted.append(row + 1)
            assert rows == list(range(row + 1))
        else:
            assert rows == [row]
    assert fitted == [2**n for n in range(FIT_MAX.bit_length())]
    assert space.frozen
    assert not space.kept


def test_an_item_that_is_described_again_does_not_count_twice() -> None:
    space = filled(5)
    for _ in range(20):
        assert space.add(3, vectors(1, seed=9)[0])[0] == [3]
    assert space.count == 5
    space.forget([3])
    space.add(3, vectors(1)[0])
    assert space.count == 6  # another item at a row that was given up


def test_one_item_alone_and_what_is_at_the_mean_has_no_direction() -> None:
    space = Space("1", WIDE)
    given = vectors(1)[0]
    _, codes, scales = space.add(0, given)
    assert not codes.any()
    assert not scales.any()
    for row in range(1, 8):
        space.add(row, given)
    assert np.linalg.norm(read(*space.encode(given[None, :]))) < 0.1
    other = filled(64)
    at_mean = other.mean / np.linalg.norm(other.mean)
    nearly = np.tile(at_mean.astype(np.float16), (2, 1))
    assert np.linalg.norm(read(*other.encode(nearly)), axis=1).max() <= 1.01


@pytest.mark.parametrize("n", [0, 1, 5, 33])
def test_what_is_loaded_goes_on_the_same(n: int) -> None:
    space = filled(n)
    loaded = Space.loaded({name: array.copy() for name, array in space.arrays().items()})
    for each in (space, loaded):
        each.forget([2])
        for row, vector in enumerate(vectors(40, seed=3)):
            each.add(row + 2, vector)
    assert loaded.version == "1"
    for name, array in space.arrays().items():
        assert array.tobytes() == loaded.arrays()[name].tobytes(), name
    assert space.axes.shape == (WIDE, DIM)
