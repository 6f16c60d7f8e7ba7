"""A price out of a table's cell: with a currency, with thousands set apart, or plain."""

import re
from typing import Final

from millstream.streams.columns import as_number

_GAPS: Final = re.compile(r"[\s'’_]")  # noqa: RUF001
# Before it: a currency, such as Rs. or $; a sign is none.
_PRICE: Final = re.compile(r"(?:[^\W\d_]\.?|[^\w+.,\-−–])*(\.?\d[\d.,]*)\D*")
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2}([.,])\d{3}(\1\d{3})*")


def price_of(value: object) -> float | None:
    """Return a finite price of at least 0, None where there is none or more than one.

    A lone comma or point before three digits sets thousands apart, but in a plain number.

    >>> price_of("$1,299.00"), price_of("1.299,00 €"), price_of("12,50"), price_of("1.299")
    (1299.0, 1299.0, 12.5, 1.299)
    >>> price_of("-5"), price_of("from 3 to 4"), price_of("on request")
    (None, None, None)
    """
    number = as_number(value)
    if number is None and isinstance(value, str):
        found = _PRICE.fullmatch(_GAPS.sub("", value))
        number = as_number(_plain(found[1].rstrip(".,"))) if found else None
    return number if number is not None and number >= 0 else None


def _plain(digits: str) -> str:
    """Return digits with points and commas as Python writes a number."""
    if _THOUSANDS.fullmatch(digits):
        return re.sub("[.,]", "", digits)
    last = max(digits.rfind("."), digits.rfind(","))
    whole, fraction = (digits[:last], digits[last + 1 :]) if last >= 0 else (digits, "")
    return f"{re.sub('[.,]', '', whole)}.{fraction}"
