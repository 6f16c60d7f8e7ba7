"""`--positive 'value>=4 and type==rating'`: which rows count, in an expression that only compares.

expression = all { "or" all } ;  all = comparison { "and" comparison }
comparison = column (">=" | "<=" | "==" | "=" | "!=" | ">" | "<") (number | word | 'text')
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.streams.columns import Coded, as_number
from millstream.streams.errors import BadUsage

Mask = npt.NDArray[np.bool_]

_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_COMPARISON: Final = re.compile(
    r"""\s*([A-Za-z_][\w.:-]*?)\s*(>=|<=|==|!=|=|>|<)\s*('[^']*'|"[^"]*"|[\w.+-]+)\s*"""
)
_WORD: Final = re.compile(r"(and|or)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison of a column with a number or a text; what cannot be compared is false."""

    column: str
    operator: str
    operand: float | str

    def holds(self, value: object) -> bool:
        """Return whether it is true of a value."""
        if isinstance(self.operand, str):
            same = value is not None and str(value) == self.operand
            return not same if self.operator == "!=" else same
        number = as_number(value)
        return number is not None and _OPERATORS[self.operator](number, self.operand)

    def mask(self, column: Coded) -> Mask:
        """Return for which rows of a column it is true; each distinct value is looked at once."""
        table = [self.holds(value) for value in (*column.distinct(), None)]
        return np.array(table, np.bool_)[column.codes]


@dataclass(frozen=True, slots=True)
class Positive:
    """An expression: any of several alternatives, each all of its comparisons."""

    alternatives: Sequence[Sequence[Comparison]]

    @property
    def columns(self) -> list[str]:
        """Return the columns that it looks at."""
        return [one.column for together in self.alternatives for one in together]

    def mask(self, columns: Mapping[str, Coded]) -> Mask:
        """Return for which rows of these columns it is true."""
        masks = [
            np.logical_and.reduce([one.mask(columns[one.column]) for one in together])
            for together in self.alternatives
        ]
        found: Mask = np.logical_or.reduce(masks)
        return found


def parse_positive(text: str, flag: str = "--positive") -> Positive:
    """Return the expression. Raises BadUsage, with its flag, the place and an example."""
    alternatives: list[list[Comparison]] = [[]]
    at = 0
    while True:
        match = _COMPARISON.match(text, at)
        if match is None:
            raise _wrong(flag, text, at)
        column, compare, operand = match.groups()
        number = as_number(operand)
        if number is None and compare not in ("=", "==", "!="):
            raise BadUsage(f"{flag} {text!r}: {compare} needs a number, not {operand}")
        alternatives[-1].append(
            Comparison(column, compare, operand.strip("'\"") if number is None else number)
        )
        at = match.end()
        if at == len(text):
            return Positive(alternatives)
        word = _WORD.match(text, at)
        if word is None:
            raise _wrong(flag, text, at)
        if word[1].lower() == "or":
            alternatives.append([])
        at = word.end()


def _wrong(flag: str, text: str, at: int) -> BadUsage:
    rest = text[at:].strip() or "its end"
    return BadUsage(
        f"{flag} {text!r} is not understood at {rest!r}; "
        "write comparisons joined by and, or: value>=4 and type==rating"
    )
