"""What each field of an event takes: ids, moments and numbers, from whatever JSON gave."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Final, TypeAlias

ID_BYTES_MAX: Final = 128
ID_CHARACTERS_MAX: Final = 512  # decomposed, before NFC; reordering a long run is quadratic
TS_MIN_MS: Final = 100_000_000_000  # 1973; below it stands a count of seconds
TS_MAX_MS: Final = 4_294_967_295_000  # 2106; profiles keep seconds in 32 bits
AHEAD_MS: Final = 5_000

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d.*)?|\d{8}T\d\d.*", re.ASCII)

Scalar: TypeAlias = str | int | float | bool | None


def valid_id(given: Scalar) -> str | None:
    """Return an id in NFC, or None: 1 to 128 bytes of UTF-8, no control characters."""
    if type(given) is int:
        if given.bit_length() > ID_BYTES_MAX * 4:
            return None
        given = str(given)
    if type(given) is not str or not 0 < len(given) <= ID_CHARACTERS_MAX:
        return None
    if not given.isascii():
        given = unicodedata.normalize("NFC", given)
    if _CONTROL.search(given) or len(given.encode()) > ID_BYTES_MAX:
        return None
    return given


def clamped_ts_ms(given: Scalar, append_ts_ms: int) -> int | None:
    """Return ms since the epoch, at most 5 s after the log took the record; None for no moment."""
    if type(given) is str:
        ts = iso_ms(given)
    elif type(given) is float:
        ts = int(given) if given.is_integer() else None
    else:
        ts = given if type(given) is int else None
    if ts is None or ts < TS_MIN_MS:
        return None
    if ts > append_ts_ms + AHEAD_MS:
        ts = append_ts_ms
    return ts if ts <= TS_MAX_MS else None


def iso_ms(text: str) -> int | None:
    """Return ms since the epoch of an ISO 8601 date or moment; without a zone it is UTC."""
    if len(text) > 40 or not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def finite(given: Scalar) -> float | None:
    """Return a finite float, -0 as 0, or None."""
    if type(given) is not int and type(given) is not float:
        return None
    try:
        number = float(given) + 0.0
    except OverflowError:
        return None
    return number if abs(number) != float("inf") else None
