"""What is alike by its fields gets a like vector."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.models.attributes import DIM, Floats, categories_vector, numbers_vector

YEARS = st.integers(1900, 2030)


def cosine(one: Floats | None, other: Floats | None) -> float:
    assert one is not None
    assert other is not None
    return float(one @ other)


def test_the_same_categories_in_any_order_and_case_are_the_same_vector() -> None:
    one = categories_vector(["Crime", " drama"], "en")
    other = categories_vector(["DRAMA", "crime", "Crime"], "EN")
    assert cosine(one, other) == pytest.approx(1.0)


def test_one_of_two_categories_in_common_is_a_cosine_of_one_over_the_root_of_two() -> None:
    near = cosine(categories_vector(["crime"]), categories_vector(["crime", "drama"]))
    assert near == pytest.approx(1 / math.sqrt(2))
    assert cosine(categories_vector(["crime"]), categories_vector(["drama"])) == 0.0


def test_what_is_not_known_has_no_vector() -> None:
    assert categories_vector([]) is None
    assert categories_vector(["", " "]) is None
    assert numbers_vector() is None
    assert numbers_vector(year=math.nan, price=math.inf) is None
    assert numbers_vector(price=0.0) is None
    assert numbers_vector(price=-3.0) is None


def test_two_years_apart_are_as_near_as_the_kernel_says() -> None:
    """Steps of e^-|d|/2, multiplied and summed by hand: (sum r^|s| r^|s-2|) / (sum r^2|s|)."""
    r = math.exp(-0.5)
    reach = range(-40, 41)
    by_hand = sum(r ** abs(s) * r ** abs(s - 2) for s in reach)
    by_hand /= sum(r ** (2 * abs(s)) for s in reach)
    assert by_hand == pytest.approx(0.708, abs=0.001)
    found = cosine(numbers_vector(year=1994), numbers_vector(year=1996))
    assert found == pytest.approx(by_hand, abs=0.05)


@pytest.mark.parametrize("price", [0.99, 7.0, 120.0, 1e5])
def test_a_price_a_third_higher_is_near_and_the_tenfold_is_far(price: float) -> None:
    here = numbers_vector(price=price)
    assert cosine(here, numbers_vector(price=price * 4 / 3)) > 0.7
    assert cosine(here, numbers_vector(price=price * 10)) < 0.2


@given(YEARS, st.integers(1, 4), st.integers(5, 30))
def test_the_further_apart_the_less_alike(year: int, near: int, more: int) -> None:
    """But for tokens that share a number: at most .12 for any of these years."""
    here = numbers_vector(year=year)
    close = cosine(here, numbers_vector(year=year + near))
    assert close > cosine(here, numbers_vector(year=year + near + more)) - 0.13


@given(st.lists(st.text(max_size=5), max_size=5), st.floats(), st.floats())
def test_any_fields_give_a_unit_vector_or_none(names: list[str], year: float, price: float) -> None:
    for vector in (categories_vector(names), numbers_vector(year, price)):
        if vector is not None:
            assert vector.shape == (DIM,)
            assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-4)
