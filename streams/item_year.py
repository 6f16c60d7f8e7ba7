"""When an item came out, as a year and its fraction, from what a message says."""

import re
from datetime import datetime, timedelta
from typing import Final

YEAR_MAX: Final = 9999
"""A number up to it is a year; beyond, milliseconds since the epoch."""

EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  UTC: a year's fraction needs no zone
_MONTH: Final = re.compile(r"\d{4}-\d{2}")
_YEAR: Final = re.compile(r"-?\d{1,4}(\.\d+)?")


def year_of(given: float | str | None) -> float | None:
    """Return the year that a value says, None where it says nothing.

    A number up to 9999 is a year; a greater one is ms since the epoch; a text is a year, a month
    or a moment in ISO 8601. Raises ValueError for all else.

    >>> year_of(1995), year_of("1995-07-02"), year_of("1995-07"), year_of("")
    (1995.0, 1995.4986301369863, 1995.495890410959, None)
    """
    if given is None or given == "":
        return None
    if isinstance(given, str):
        text = given.strip()
        if not _YEAR.fullmatch(text):
            return _fraction(
                datetime.fromisoformat(f"{text}-01" if _MONTH.fullmatch(text) else text)
            )
        given = float(text)
    if abs(given) <= YEAR_MAX:
        return float(given)
    try:
        return _fraction(EPOCH + timedelta(milliseconds=given))
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{given} ms are in no year") from error


def _fraction(moment: datetime) -> float:
    begin, end = datetime(moment.year, 1, 1), (moment.year % 4 == 0) + 365  # noqa: DTZ001
    if moment.year % 100 == 0 and moment.year % 400:
        end = 365
    return moment.year + (moment.replace(tzinfo=None) - begin).total_seconds() / (86_400 * end)
