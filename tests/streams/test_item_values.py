"""Cells of tables as people write them: categories, prices, dates, references to pictures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.streams.columns import Moment
from millstream.streams.item_dates import dated, moment_of
from millstream.streams.item_fields import item_fields, item_value
from millstream.streams.item_price import price_of
from millstream.streams.item_words import category_words

CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("A|B", ["A", "B"]),
        ("A, B", ["A", "B"]),
        ("Clothing, Shoes & Jewelry > Men", ["Clothing, Shoes & Jewelry", "Men"]),
        (["Clothing, Shoes & Jewelry", "Men"], ["Clothing, Shoes & Jewelry", "Men"]),
        ([["A", "B"], ["A", "C"]], ["A", "B", "C"]),
        ('["A", "B"]', ["A", "B"]),
        ("['A', 'B']", ["A", "B"]),
        ("[{'id': 28, 'name': 'Action'}]", ["Action"]),
        ("动作、喜剧，爱情", ["动作", "喜剧", "爱情"]),
        (["A", None, float("nan"), ""], ["A"]),
        ("N/A", []),
        ({"rank": {}}, []),
        (7.0, ["7"]),
    ],
)
def test_categories_are_a_list_however_they_are_written(cell: object, words: list[str]) -> None:
    assert category_words(cell) == words


@pytest.mark.parametrize(
    ("cell", "price"),
    [
        ("1.299,00 €", 1299),
        ("$1,299.00", 1299),
        ("Rs.1,29,900.50", 129900.5),
        ("CHF 1’299.–", 1299),  # noqa: RUF001
        ("1 299,00", 1299),
        ("1,299", 1299),
        ("$.99", 0.99),
        ("0,990", 0.99),
        ("12,- €", 12),
        ("1.234.567 ₫", 1_234_567),
        (0, 0),
        ("-5", None),
        ("$-5", None),
        ("3.50-4.50", None),
        ("inf", None),
        ("free", None),
        (True, None),
    ],
)
def test_a_price_is_read_with_its_currency(cell: object, price: float | None) -> None:
    assert price_of(cell) == price


@pytest.mark.parametrize(
    ("cell", "year"),
    [
        ("1995–1998", 1995),
        ("July 2, 1995", 1995),
        ("1995年7月2日", 1995),
        (804_643_200, 804_643_200_000),
        ("804643200000", 804_643_200_000),
        (804_643_200_000_000_000, 804_643_200_000),
        (19950702, "1995-07-02"),
        (-44, -44),
        (0, None),
        (99_999, None),
        ("0000-00-00", None),
        (float("nan"), None),
    ],
)
def test_a_date_is_read_in_its_usual_forms(cell: float | str, year: object) -> None:
    assert dated(cell) == year


@pytest.mark.parametrize(
    ("cell", "reference"),
    [
        ([{"thumb": "s.jpg", "large": "https://a.example/l.jpg"}], "https://a.example/l.jpg"),
        ('["a b.jpg", "c.jpg"]', "a b.jpg"),
        ("a.jpg|b.jpg", "a.jpg"),
        ("/9j/" + "A" * 300, {"base64": "/9j/" + "A" * 300}),
        (r"posters\a.jpg", "posters/a.jpg"),
        ("nan", None),
    ],
)
def test_of_several_pictures_the_first_is_taken(cell: object, reference: object) -> None:
    assert item_fields("image", cell) == {"image": reference}


FIELDS = ("title", "description", "categories", "tags", "price", "year", "language", "image")


@given(st.sampled_from(FIELDS), CELLS)
def test_whatever_a_cell_holds_its_item_has_a_message(name: str, cell: object) -> None:
    assert isinstance(item_value(item_fields(name, cell)), bytes)


@given(CELLS)
def test_whatever_a_cell_holds_a_moment_raises_nothing(cell: object) -> None:
    moment_of(cell)


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2023-11-14T22:13:20+01:00", "2023-11-14T22:13:20+01:00"),
        ("2023-11-14 22:13:20", 1_700_000_000_000),
        ("1700000000", 1_700_000_000_000),
        (1.7e9, 1_700_000_000_000),
        (1_700_000_000_000_000, 1_700_000_000_000),
        (253_402_300_799_000, 253_402_300_799_000),
        ("soon", "soon"),
    ],
)
def test_a_moment_without_a_zone_is_of_utc_and_a_number_is_read_by_its_size(
    cell: object, moment: object
) -> None:
    assert moment_of(cell) == moment


def test_a_moment_beyond_all_calendars_raises_nothing() -> None:
    assert item_fields("expires_at", Moment(2**53)) == {"expires_at": None}
