"""Years and moments out of a table's cell, where messages hold years, ISO 8601 and ms only."""

import re
from typing import Final

from millstream.streams.columns import MS_MAX, PER_MS, unit_of
from millstream.streams.event_fields import iso_ms
from millstream.streams.item_message import moment_ms
from millstream.streams.item_year import YEAR_MAX, year_of

SECONDS_MIN: Final = 10_000_000
"""April 1970; between the years and it a number is none of both."""
FAR_MS: Final = 100_000_000_000_000
US_MIN: Final = 1_000_000_000_000_000
"""Between the two a number is ms, such as those of the year 9999 for "never"."""
_DIGITS: Final = re.compile(r"-?\d+(\.0*)?", re.ASCII)
_DAY: Final = re.compile(r"(1\d{3}|20\d\d)(0[1-9]|1[0-2])([0-2][1-9]|[123]0|31)")
_YEAR: Final = re.compile(r"(?<!\d)(?:1\d{3}|20\d\d)(?!\d)")


def dated(value: float | str) -> float | str | None:
    """Return what a message takes for a year or date, None where the cell says none.

    A number is a year, a day as 19950702, or by its size s, ms, µs or ns since the epoch; there is
    no year 0. A text that is no date of ISO 8601 says the first year that stands in it.

    >>> dated("02/07/1995"), dated(804643200), dated(19950702), dated("soon"), dated(0)
    (1995, 804643200000, '1995-07-02', None, None)
    """
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        number = float(value)
    elif isinstance(value, str):
        return value if _is_dated(value) else _year_in(value)
    else:
        number = float(value)
    if number == 0 or not abs(number) < float("inf"):
        return None
    if abs(number) <= YEAR_MAX:
        return value
    if (day := _DAY.fullmatch(f"{number:.0f}")) is not None:
        text = "-".join(day.groups())
        return text if _is_dated(text) else None
    ms = _ms(number) if abs(number) >= SECONDS_MIN else None
    return ms if ms is not None and _is_dated(ms) else None


def moment_of(value: object) -> object:
    """Return a moment as a message takes it: a text without a zone is of UTC, a number by size.

    What is no moment is returned as it is, for its reader to refuse.
    """
    if isinstance(value, str):
        text = value.strip()
        if moment_ms(value, 0) is not None:
            return value
        if not _DIGITS.fullmatch(text):
            return value if (ms := iso_ms(text)) is None else ms
        value = float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return _ms(value) if abs(value) < MS_MAX else value


def _ms(number: float) -> int:
    unit = unit_of(abs(number)) if abs(number) < FAR_MS or abs(number) >= US_MIN else "ms"
    return round(number * 1000) if unit == "s" else round(number / PER_MS[unit])


def _is_dated(value: float | str) -> bool:
    try:
        return year_of(value) is not None
    except ValueError:
        return False


def _year_in(text: str) -> int | None:
    found = _YEAR.search(text)
    return int(found[0]) if found else None
