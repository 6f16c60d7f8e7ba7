"""When an item came out, from whatever a catalogue says."""

import pytest

from millstream.streams.item_year import year_of


@pytest.mark.parametrize(
    ("given", "year"),
    [
        (None, None),
        ("", None),
        (1995, 1995.0),
        (1995.5, 1995.5),
        (-300, -300.0),
        ("1995", 1995.0),
        (" 1995 ", 1995.0),
        ("1995-01-01", 1995.0),
        ("1995-07", 1995 + 181 / 365),
        ("1996-07-01", 1996 + 182 / 366),  # a leap year
        ("1900-12-31T12:00:00Z", 1900 + 364.5 / 365),
        ("1995-07-02T00:00:00+08:00", 1995 + 182 / 365),
        (0.0, 0.0),
        (820_454_400_000, 1996.0),
        (-1_000_000_000_000, 1938 + (113 + 80_000 / 86_400) / 365),
    ],
)
def test_a_year_with_its_fraction(given: float | str | None, year: float | None) -> None:
    assert year_of(given) == (None if year is None else pytest.approx(year, abs=1e-5))


@pytest.mark.parametrize(
    "given", ["soon", "1995-02-30", "01/02/1995", 1e300, -1e16, float("inf"), float("nan"), "12345"]
)
def test_what_is_no_moment_is_refused(given: float | str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever the sentence, it is for the caller
        year_of(given)
