"""JSON as Python and pandas write it: with NaN, and with halves of surrogate pairs."""

import json
from collections.abc import Callable
from typing import TypeVar

import msgspec

T = TypeVar("T")


def decode_json(text: bytes, decode: Callable[[bytes], T]) -> T:
    """Return what `decode` makes of a text; NaN and infinities are null, half a pair is "?".

    Raises what `decode` raises: msgspec.DecodeError, UnicodeDecodeError, RecursionError.
    """
    try:
        return decode(text)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        repaired = _repaired(text)
        if repaired is None:
            raise
        return decode(repaired)


def _repaired(text: bytes) -> bytes | None:
    try:
        found = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    return json.dumps(found, ensure_ascii=False).encode(errors="replace")
