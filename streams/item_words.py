"""Words out of a table's cell: categories and texts, however they are written there."""

import ast
import json
from collections.abc import Iterable, Mapping
from typing import Final

BLANKS: Final = frozenset(
    ("", "-", "nan", "na", "n/a", "<na>", "null", "none", "\\n", "(no genres listed)")
)
"""What tables write where there is nothing; a title may be such a word."""
PATHS: Final = ("|", ">", "›", "»")  # noqa: RUF001
MARKS: Final = (*(tuple(mark) for mark in PATHS), (";", "；"), (",", "，", "、"))  # noqa: RUF001
"""What stands between categories; the first that a text has splits it."""
NAMED: Final = ("name", "title", "label", "value")
"""What a record calls itself by."""
DEPTH_MAX: Final = 8


def is_blank(value: object) -> bool:
    """Return whether a cell holds nothing, or what stands for it: NaN, "N/A", an empty list."""
    if isinstance(value, str):
        return value.strip().lower() in BLANKS
    return value is None or value != value or value in ([], {}, b"")


def category_words(value: object, separator: str | None = None) -> list[str]:
    """Return the categories of a cell, none twice; [] where it has none.

    A text is split at its separator, else at the first of bars, arrows, semicolons and commas
    that it has; it may be a list in JSON or Python. Of lists the entries are not split at commas,
    and records stand for their names.

    >>> category_words("Home, Garden > Lamps"), category_words("crime, drama")
    (['Home, Garden', 'Lamps'], ['crime', 'drama'])
    >>> category_words('[{"id": 28, "name": "Action"}]'), category_words([["A", "B"], ["A", 7]])
    (['Action'], ['A', 'B', '7'])
    """
    marks = MARKS if separator is None else ((separator,),)
    return list(dict.fromkeys(_words(value, marks, 0)))


def text_of(value: object) -> str | list[str] | None:
    """Return a cell as a text, or a list of texts as it is; None where it has none.

    Of records, such as a text in two languages, all texts follow each other.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    return " ".join(_texts(value, 0)) or None


def _words(value: object, marks: Iterable[tuple[str, ...]], depth: int) -> Iterable[str]:
    if is_blank(value) or isinstance(value, bool) or depth > DEPTH_MAX:
        return
    if isinstance(value, str):
        if (inner := _unpacked(value)) is not None:
            yield from _words(inner, marks, depth + 1)
        else:
            yield from (one for one in _split(value.strip(), marks) if not is_blank(one))
    elif isinstance(value, Mapping):
        name = next((value[key] for key in NAMED if value.get(key)), None)
        yield from _words([name], marks, depth + 1)
    elif isinstance(value, list | tuple | set):
        inside = [group for group in marks if group not in MARKS[len(PATHS) :]]
        for one in value:
            yield from _words(one, inside, depth + 1)
    elif isinstance(value, int | float):
        yield _number(value)


def _split(text: str, marks: Iterable[tuple[str, ...]]) -> list[str]:
    for group in marks:
        if any(mark in text for mark in group):
            for mark in group[1:]:
                text = text.replace(mark, group[0])
            return [one.strip() for one in text.split(group[0])]
    return [text]


def _unpacked(text: str) -> object | None:
    """Return the list or record that a text writes in JSON or Python, None of any other text."""
    text = text.strip()
    if text[:1] + text[-1:] not in ("[]", "{}"):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found: object = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found
    return None


def _texts(value: object, depth: int) -> Iterable[str]:
    if is_blank(value) or isinstance(value, bool) or depth > DEPTH_MAX:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float):
        yield _number(value)
    elif isinstance(value, Mapping | list | tuple):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(one, depth + 1)


def _number(value: float) -> str:
    """Return 7 and 7.0 as "7"."""
    return str(value).removesuffix(".0")
