"""Events out of data sets and files: one table, in the order of time, ready to be replayed."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np

from millstream.models.event import TYPE_CODES
from millstream.streams.errors import BadUsage
from millstream.streams.event_fields import iso_ms, valid_id
from millstream.streams.movielens import DATASETS, ensure_dataset
from millstream.streams.positive import as_number, parse_positive
from millstream.streams.tables import Column, Moment, Table, read_table

Say = Callable[[str], None]
TsUnit = Literal["s", "ms", "us", "ns"]

MS_PER: Final[Mapping[TsUnit, float]] = {"s": 1000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
UNIT_NAMES: Final[Mapping[TsUnit, str]] = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}
GUESSED: Final[Mapping[str, tuple[str, ...]]] = {
    "user": ("user", "user_id"),
    "item": ("item", "item_id"),
    "ts": ("ts", "timestamp"),
    "value": ("value",),
    "type": (),
}
"""The columns that a field is looked for in when --columns does not say."""


@dataclass(frozen=True, slots=True)
class EventTable:
    """Events in the order of time, ties as in the file; all lists have one length.

    `targets` says which of them are chosen to be ranked; None: all that teach.
    """

    name: str
    users: list[str]
    items: list[str]
    ts_ms: list[int]
    types: list[str]
    values: list[float]
    targets: list[bool] | None = None

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.users)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read: which columns, which rows, what they mean.

    Rows without a type are of `type`; None is click, or rating where all rows are kept for their
    grades, `targets` chooses some and there is a value.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    type: str | None = None
    positive: str | None = None
    ts_unit: TsUnit | None = None
    limit: int | None = None
    targets: str | None = None


def read_events(
    source: str, reading: Reading, data_dir: Path, say: Say = lambda _: None
) -> EventTable:
    """Return the events of a data set's name or a file; `say` hears what was guessed or left out.

    A data set that is not here is fetched. Raises WorldMissing and BadUsage.
    """
    if reading.type is not None and reading.type not in TYPE_CODES:
        raise BadUsage(f"--type {reading.type!r}: it must be one of {', '.join(TYPE_CODES)}")
    known = source in DATASETS
    path = ensure_dataset(source, data_dir, say) / "events.parquet" if known else Path(source)
    table = read_table(path)
    found = _find_columns(table, reading.columns)
    if not table.rows:
        raise BadUsage(f"{path} has no rows")
    kept = _matching_rows(table, found, reading.positive, "--positive")
    targets = _matching_rows(table, found, reading.targets, "--targets")
    ts_ms = _ts_ms(table, found["ts"], "s" if known else reading.ts_unit, say)
    rows = _Rows(table, found, reading, ts_ms, frozenset(targets))
    left_out: Counter[str] = Counter()
    good: list[int] = []
    for row in kept:
        if fault := rows.fault(row):
            left_out[fault] += 1
        else:
            good.append(row)
    if left_out:
        first = next(row for row in kept if rows.fault(row))
        told = ", ".join(f"{count} with {fault}" for fault, count in left_out.items())
        say(f"{sum(left_out.values())} rows left out: {told}; the first is {table.place(first)}")
    if not good:
        raise BadUsage(f"{path}: no row is left" + (" by --positive" if not kept else ""))
    order = np.argsort(np.array([ts_ms[row] for row in good], np.int64), kind="stable")
    return rows.events(
        source if known else path.stem, [good[n] for n in order[: reading.limit].tolist()]
    )


def parse_columns(text: str | None, allowed: Sequence[str] | None = None) -> dict[str, str]:
    """Return `user=user_id,item=item_id` as a mapping. Raises BadUsage."""
    names = list(allowed or GUESSED)
    columns: dict[str, str] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        ours, equals, theirs = (piece.strip() for piece in part.partition("="))
        if not (equals and ours and theirs):
            raise BadUsage(f"--columns {part!r}: write OURS=THEIRS, such as user=user_id")
        if ours not in names:
            raise BadUsage(f"--columns {part!r}: {ours} is none of {', '.join(names)}")
        columns[ours] = theirs
    return columns


def as_id(value: object) -> str | None:
    """Return a value of any type as an id, None where it is none: 7.0 and 7 are "7"."""
    if isinstance(value, float):
        if value != value or abs(value) == float("inf"):
            return None
        value = int(value) if value.is_integer() else repr(value)
    if isinstance(value, bytes):
        value = value.decode(errors="surrogateescape")
    if value is None or isinstance(value, bool | list | dict):
        return None
    return valid_id(value if isinstance(value, str | int) else str(value))


def find_column(table: Table, ours: str, named: str | None, guesses: Sequence[str]) -> str | None:
    """Return the file's column for one of our fields; BadUsage if the one named is missing."""
    if named is None:
        return next((guess for guess in guesses if guess in table.columns), None)
    if named not in table.columns:
        raise BadUsage(
            f"{table.path} has no column {named!r} for {ours}; it has {', '.join(table.columns)}"
        )
    return named


def _find_columns(table: Table, named: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for ours, guesses in GUESSED.items():
        column = find_column(table, ours, named.get(ours), guesses)
        if column is not None:
            found[ours] = column
        elif ours in ("user", "item", "ts"):
            raise BadUsage(
                f"{table.path} has no column {ours}; it has {', '.join(table.columns)}: "
                f"say which it is with --columns {ours}=NAME"
            )
    return found


def _matching_rows(
    table: Table, found: Mapping[str, str], text: str | None, flag: str
) -> Sequence[int]:
    """Return the rows for which the expression holds; its names are ours, then the file's."""
    if text is None:
        return range(table.rows)
    positive = parse_positive(text, flag)
    columns: dict[str, Column] = {}
    for name in positive.columns:
        theirs = found.get(name, name)
        if theirs not in table.columns:
            raise BadUsage(
                f"{flag} {text!r}: {table.path} has no column {name!r}; "
                f"it has {', '.join(table.columns)}"
            )
        columns[name] = table.columns[theirs]
    return [row for row in range(table.rows) if positive.holds(columns, row)]


class _Rows:
    """The rows of a table as events."""

    def __init__(
        self,
        table: Table,
        found: Mapping[str, str],
        reading: Reading,
        ts_ms: Sequence[int | None],
        targets: frozenset[int],
    ) -> None:
        """Convert whole columns once."""
        self._users = [as_id(value) for value in table.columns[found["user"]]]
        self._items = [as_id(value) for value in table.columns[found["item"]]]
        self._ts_ms = ts_ms
        plain = reading.positive is not None
        self._types = None if plain or "type" not in found else table.columns[found["type"]]
        self._values = None if plain or "value" not in found else table.columns[found["value"]]
        graded = reading.targets is not None and self._values is not None
        self._type = reading.type or ("rating" if graded else "click")
        self._targets = None if reading.targets is None else targets

    def fault(self, row: int) -> str:
        """Return why a row is no event, "" if it is one."""
        if self._users[row] is None:
            return "no usable user"
        if self._items[row] is None:
            return "no usable item"
        if self._ts_ms[row] is None:
            return "no usable ts"
        type_ = self._type if self._types is None else self._types[row]
        if type_ not in TYPE_CODES:
            return f"the type {str(type_)[:40]!r}"
        if type_ == "rating" and (self._values is None or as_number(self._values[row]) is None):
            return "a rating without a number"
        return ""

    def events(self, name: str, rows: Sequence[int]) -> EventTable:
        """Return rows without fault, in this order."""
        values, targets = self._values, self._targets
        return EventTable(
            name=name,
            users=[str(self._users[row]) for row in rows],
            items=[str(self._items[row]) for row in rows],
            ts_ms=[self._ts_ms[row] or 0 for row in rows],
            types=[self._type if self._types is None else str(self._types[row]) for row in rows],
            values=[0.0 if values is None else as_number(values[row]) or 0.0 for row in rows],
            targets=None if targets is None else [row in targets for row in rows],
        )


def _ts_ms(table: Table, column: str, unit: TsUnit | None, say: Say) -> list[int | None]:
    """Return ms since the epoch per row; numbers by `unit` or by their magnitude."""
    values = table.columns[column]
    numbers = [None if isinstance(value, Moment) else as_number(value) for value in values]
    if unit is None and any(number is not None for number in numbers):
        unit = _guess_unit(table, column, numbers)
        say(f"{table.path.name}: {column} is read as {UNIT_NAMES[unit]}; --ts-unit says otherwise")
    factor = MS_PER[unit or "ms"]
    return [_one_ts(value, number, factor) for value, number in zip(values, numbers, strict=True)]


def _one_ts(value: object, number: float | None, factor: float) -> int | None:
    if isinstance(value, Moment):
        return int(value)
    if number is not None:
        # Whole numbers stay exact: a float holds no nanosecond of this century.
        if isinstance(value, int | str) and factor <= 1:
            whole = int(value) if str(value).lstrip("-").isdigit() else None
            if whole is not None:
                return whole // round(1 / factor)
        return round(number * factor)
    return iso_ms(value) if isinstance(value, str) else None


def _guess_unit(table: Table, column: str, numbers: Sequence[float | None]) -> TsUnit:
    """Return the unit by magnitude: 1e11 is 1973 in ms and 5138 in seconds, and so on."""
    present = [abs(number) for number in numbers if number is not None]
    low, high = min(present), max(present)
    units = {_unit_of(low), _unit_of(high)}
    if len(units) > 1 and low > 0:
        raise BadUsage(
            f"{table.path}: {column} goes from {low:.0f} to {high:.0f}, which are of different "
            "units by their size; say which it is with --ts-unit"
        )
    return _unit_of(high)


def _unit_of(number: float) -> TsUnit:
    if number < 1e11:
        return "s"
    if number < 1e14:
        return "ms"
    return "us" if number < 1e17 else "ns"
