"""Columns of files as ids, words, numbers and moments; each distinct value is looked at once."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from millstream.streams.event_fields import iso_ms, valid_id

Column: TypeAlias = "pa.ChunkedArray | list[object]"
"""What a reader gives: Arrow's where all values are of one type, else Python's."""
Codes: TypeAlias = npt.NDArray[np.int32]
Floats: TypeAlias = npt.NDArray[np.float64]
TsUnit = Literal["s", "ms", "us", "ns"]

PER_MS: Final[dict[TsUnit, int]] = {"ms": 1, "us": 1_000, "ns": 1_000_000}
UNIT_NAMES: Final[dict[TsUnit, str]] = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}
MS_MAX: Final = 2**62


class Moment(int):
    """A moment in ms since the epoch, from a column that is one of moments: no unit to guess."""


class MixedUnits(ValueError):
    """Times of such different sizes that they cannot all be of one unit."""


@dataclass(frozen=True, slots=True)
class Coded:
    """A column by its distinct values: `values[codes[row]]`; -1 stands for nothing."""

    codes: Codes
    values: "pa.Array | list[object]"

    def distinct(self) -> list[object]:
        """Return the distinct values as Python's; moments as Moments."""
        return self.values if isinstance(self.values, list) else plain(self.values)


def coded(column: Column) -> Coded:
    """Return a column by its distinct values, in the order of their first rows."""
    if isinstance(column, list):
        return _coded_list(column)
    if pa.types.is_dictionary(column.type):
        whole = column.unify_dictionaries()
    else:
        try:
            whole = column.dictionary_encode().unify_dictionaries()
        except pa.ArrowNotImplementedError:  # lists and records: no id, no number
            return _coded_list(column.to_pylist())
    if not whole.num_chunks:
        return Coded(np.empty(0, np.int32), [])
    codes = [pc.fill_null(chunk.indices.cast(pa.int32()), -1).to_numpy() for chunk in whole.chunks]
    return Coded(np.concatenate(codes), whole.chunk(0).dictionary)


def _coded_list(column: Sequence[object]) -> Coded:
    known: dict[object, int] = {None: -1}
    values: list[object] = []
    codes = np.empty(len(column), np.int32)
    for row, value in enumerate(column):
        # 1, 1.0 and True are equal to Python and different ids.
        key = None if value is None else (type(value), _key(value))
        code = known.get(key)
        if code is None:
            code = known[key] = len(values)
            values.append(value)
        codes[row] = code
    return Coded(codes, values)


def _key(value: object) -> object:
    return repr(value) if isinstance(value, list | dict | float) else value


def plain(column: "Column | pa.Array") -> list[object]:
    """Return Python values; timestamps and dates become Moments."""
    if isinstance(column, list):
        return column
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        whole = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
        return [None if ms is None else Moment(ms) for ms in whole.to_pylist()]
    values: list[object] = column.to_pylist()
    return values


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
    if isinstance(value, Moment):
        value = int(value)
    return valid_id(value if isinstance(value, str | int) else str(value))


def as_number(value: object) -> float | None:
    """Return a value as a finite number, None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def ids(column: Coded) -> tuple[Codes, list[str]]:
    """Return each row's id by its number, -1 for none, and the ids by number."""
    values = column.values
    if not isinstance(values, list) and pa.types.is_date(values.type):
        values = [None if day is None else str(day) for day in values.to_pylist()]
    names: dict[str, int] = {}
    table = np.full(len(values) + 1, -1, np.int32)
    for number, value in enumerate(values if isinstance(values, list) else plain(values)):
        name = as_id(value)
        if name is not None:
            table[number] = names.setdefault(name, len(names))
    return table[column.codes], list(names)


def words(column: Coded) -> tuple[Codes, list[str]]:
    """Return each row's text by its number, -1 for none, and the texts by number."""
    names: dict[str, int] = {}
    table = np.full(len(column.values) + 1, -1, np.int32)
    for number, value in enumerate(column.distinct()):
        if value is not None:
            table[number] = names.setdefault(str(value), len(names))
    return table[column.codes], list(names)


def numbers(column: Coded) -> Floats:
    """Return each row's finite number, NaN where there is none."""
    return _by_value(column, as_number)


def _by_value(column: Coded, read: Callable[[object], float | None]) -> Floats:
    table = np.full(len(column.values) + 1, np.nan)
    for number, value in enumerate(column.distinct()):
        found = read(value)
        table[number] = np.nan if found is None else found
    return table[column.codes]


@dataclass(frozen=True, slots=True)
class Moments:
    """ms since the epoch by row, which rows have one, and the unit that was guessed."""

    ms: npt.NDArray[np.int64]
    there: npt.NDArray[np.bool_]
    guessed: TsUnit | None


def moments(column: Column, unit: TsUnit | None) -> Moments:
    """Return each row's moment; numbers by `unit` or by their size. Raises MixedUnits."""
    if isinstance(column, list):
        return _one_by_one(column, unit)
    kind = column.type
    if pa.types.is_dictionary(kind):
        return moments(column.cast(kind.value_type), unit)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _of_timestamps(column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        for target in (pa.int64(), pa.float64(), *_TIMESTAMPS):
            try:
                return moments(column.cast(target), unit)
            except pa.ArrowInvalid:
                continue
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return _of_integers(column.cast(pa.int64()), unit)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _of_floats(column.cast(pa.float64()), unit)
    return _one_by_one(plain(column), unit)


_TIMESTAMPS: Final = (pa.timestamp("us", "UTC"), pa.timestamp("us"))


def _of_timestamps(values: pa.ChunkedArray) -> Moments:
    ms = values.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
    return Moments(_filled(ms), ms.is_valid().to_numpy(), None)


def _filled(values: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    filled: npt.NDArray[np.int64] = pc.fill_null(values, 0).to_numpy()
    return filled


def _of_integers(values: pa.ChunkedArray, unit: TsUnit | None) -> Moments:
    """Whole numbers stay exact: a float holds no nanosecond of this century."""
    there = values.is_valid().to_numpy()
    whole = _filled(values)
    guessed = _unit(whole[there]) if unit is None else None
    unit = unit or guessed
    if unit == "s":
        there = there & (np.abs(whole) < MS_MAX // 1000)
        return Moments(np.where(there, whole, 0) * 1000, there, guessed)
    return Moments(whole // PER_MS[unit or "ms"], there, guessed)


def _of_floats(values: pa.ChunkedArray, unit: TsUnit | None) -> Moments:
    given = pc.fill_null(values, math.nan).to_numpy()
    there = np.isfinite(given)
    guessed = _unit(given[there]) if unit is None else None
    unit = unit or guessed
    ms = np.where(there, given, 0.0)
    ms = ms * 1000 if unit == "s" else ms / PER_MS[unit or "ms"]
    there = there & (np.abs(ms) < MS_MAX)
    return Moments(np.rint(np.where(there, ms, 0.0)).astype(np.int64), there, guessed)


def _one_by_one(values: Sequence[object], unit: TsUnit | None) -> Moments:
    given = [None if isinstance(value, Moment) else as_number(value) for value in values]
    present = np.array([number for number in given if number is not None])
    guessed = _unit(present) if unit is None else None
    unit = unit or guessed or "ms"
    found = [_one_ms(value, number, unit) for value, number in zip(values, given, strict=True)]
    kept = [None if ms is None or abs(ms) >= MS_MAX else ms for ms in found]
    return Moments(
        np.array([ms or 0 for ms in kept], np.int64),
        np.array([ms is not None for ms in kept], np.bool_),
        guessed,
    )


def _one_ms(value: object, number: float | None, unit: TsUnit) -> int | None:
    if isinstance(value, Moment):
        return int(value)
    if isinstance(value, date):
        return iso_ms(value.isoformat())
    if number is None:
        return iso_ms(value) if isinstance(value, str) else None
    if unit == "s":
        return round(number * 1000)
    if isinstance(value, int | str) and str(value).lstrip("-").isdigit():
        return int(value) // PER_MS[unit]
    return round(number / PER_MS[unit])


def _unit(present: npt.NDArray[np.generic]) -> TsUnit | None:
    """Return the unit by size: 1e11 is 1973 in ms and 5138 in seconds, and so on."""
    if not len(present):
        return None
    sizes = np.abs(present.astype(np.float64))
    low, high = float(sizes.min()), float(sizes.max())
    if low > 0 and unit_of(low) != unit_of(high):
        raise MixedUnits(f"goes from {low:.0f} to {high:.0f}")
    return unit_of(high)


def unit_of(number: float) -> TsUnit:
    """Return the unit of a time since the epoch, by its size: at least 0."""
    if number < 1e11:
        return "s"
    if number < 1e14:
        return "ms"
    return "us" if number < 1e17 else "ns"
