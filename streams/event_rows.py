"""The rows of one file as events, in numbers: who, what, when, which type, which value."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.event import TYPE_CODES
from millstream.streams.columns import (
    UNIT_NAMES,
    Coded,
    Codes,
    Floats,
    MixedUnits,
    coded,
    ids,
    moments,
    numbers,
    words,
)
from millstream.streams.errors import BadUsage
from millstream.streams.event_columns import event_columns
from millstream.streams.guesses import listed, proposed
from millstream.streams.loaders.format import Layout
from millstream.streams.origins import Head
from millstream.streams.positive import parse_positive
from millstream.streams.reading import Reading
from millstream.streams.tables import Say, Table, column_names, read_table

RATING: Final = TYPE_CODES["rating"]
RATING_FAULT: Final = "a rating without a number"
WORDS_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Part:
    """Events of one file in its order; `left_out` says how many rows are none, and why."""

    users: Codes
    user_names: list[str]
    items: Codes
    item_names: list[str]
    ts_ms: npt.NDArray[np.int64]
    types: npt.NDArray[np.int8]
    values: Floats
    targets: npt.NDArray[np.bool_]
    matching: int
    left_out: Mapping[str, int]
    first_left_out: str = ""


def read_part(head: Head, layout: Layout | None, reading: Reading, say: Say) -> Part:
    """Return the events of a file. Raises WorldMissing, or BadUsage with what to do."""
    if layout and layout.remark:
        say(layout.remark)
    columns, dialect = event_columns(head, layout, reading, say)
    reshape = layout.reshape(reading.impressions) if layout and layout.reshape else None
    names = list(columns.values()) if reshape else column_names(head, dialect)
    positive = _Choice(head, columns, names, reading.positive, "--positive")
    targets = _Choice(head, columns, names, reading.targets, "--targets")
    wanted = dict.fromkeys((*columns.values(), *positive.columns, *targets.columns))
    table = read_table(head, list(wanted), dialect, reshape, columns["ts"], say)
    if not table.rows:
        raise BadUsage(f"{head.origin} has no rows" + (" with a click" if reshape else ""))
    # Times are hardly ever equal: to code them would cost more than all else.
    looked_at = {*wanted} - ({columns["ts"]} - {*positive.columns, *targets.columns})
    known = {name: coded(table.columns[name]) for name in looked_at}
    rows = _Rows(table, columns, known, layout, reading, say)
    if "type" in columns and "type" not in reading.columns and not layout:
        _weigh_guess(head, columns, known[columns["type"]], reading, say)
    return rows.part(positive.mask(known, table.rows), targets.mask(known, table.rows))


class _Choice:
    """An expression that chooses rows; its names are ours, then the file's. Without it, all."""

    def __init__(
        self,
        head: Head,
        columns: Mapping[str, str],
        names: Sequence[str],
        text: str | None,
        flag: str,
    ) -> None:
        self._parsed = None if text is None else parse_positive(text, flag)
        self._theirs: dict[str, str] = {}
        for name in self._parsed.columns if self._parsed else ():
            self._theirs[name] = columns.get(name, name)
            if self._theirs[name] not in names:
                raise BadUsage(
                    f"{flag} {text!r}: {head.origin} has no column {name!r}; {listed(names)}"
                )

    @property
    def columns(self) -> Iterable[str]:
        """Return the file's columns that it looks at."""
        return self._theirs.values()

    def mask(self, known: Mapping[str, Coded], rows: int) -> npt.NDArray[np.bool_]:
        """Return which rows it chooses."""
        if self._parsed is None:
            return np.ones(rows, np.bool_)
        return self._parsed.mask({name: known[theirs] for name, theirs in self._theirs.items()})


def _weigh_guess(
    head: Head, columns: dict[str, str], column: Coded, reading: Reading, say: Say
) -> None:
    """Leave out a column that was guessed to have types, unless its words are ours or told."""
    _, names = words(column)
    if not reading.types and not (names and all(_our_type(name, {}) for name in names)):
        theirs = columns.pop("type")
        if 1 < len(names) <= WORDS_SHOWN:
            say(
                f"{head.origin.name}: {theirs} has words of its own and all rows are taken for "
                f"clicks; to read it: --columns type={theirs} {proposed(names)}"
            )


class _Rows:
    """A table's rows, each either an event or left out for a reason."""

    def __init__(
        self,
        table: Table,
        columns: Mapping[str, str],
        known: Mapping[str, Coded],
        layout: Layout | None,
        reading: Reading,
        say: Say,
    ) -> None:
        self._table = table
        self._columns = columns
        self._known = known
        self._layout = layout
        self._reading = reading
        self._say = say
        self._plain = reading.positive is not None

    def part(self, kept: npt.NDArray[np.bool_], targets: npt.NDArray[np.bool_]) -> Part:
        """Return the events among the rows that are kept, and which of them are to be ranked."""
        users, user_names = ids(self._of("user"))
        items, item_names = ids(self._of("item"))
        ts_ms, there = self._moments()
        types, their_words = self._types()
        values = np.full(self._table.rows, np.nan)
        if "value" in self._columns and not self._plain:
            values = numbers(self._of("value"))
        faults: list[tuple[str, npt.NDArray[np.bool_]]] = [
            ("no usable user", users < 0),
            ("no usable item", items < 0),
            ("no usable ts", ~there),
            *their_words,
            (RATING_FAULT, (types == RATING) & np.isnan(values)),
        ]
        good = kept.copy()
        left_out: dict[str, tuple[int, int]] = {}
        for fault, rows in faults:
            wrong = good & rows
            if wrong.any():
                left_out[fault] = (int(wrong.argmax()), int(wrong.sum()))
                good &= ~rows
        by_row = sorted(left_out.items(), key=lambda one: one[1])
        return Part(
            users[good],
            user_names,
            items[good],
            item_names,
            ts_ms[good],
            types[good],
            np.nan_to_num(values[good]),
            targets[good],
            int(kept.sum()),
            {fault: count for fault, (_, count) in by_row},
            self._table.place(by_row[0][1][0]) if by_row else "",
        )

    def _of(self, ours: str) -> Coded:
        return self._known[self._columns[ours]]

    def _moments(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        origin, name = self._table.origin, self._columns["ts"]
        unit = self._reading.ts_unit or (self._layout.ts_unit if self._layout else None)
        try:
            found = moments(self._table.columns[name], unit)
        except MixedUnits as error:
            raise BadUsage(
                f"{origin}: {name} {error}, which are of different units by their size; "
                "say which it is with --ts-unit"
            ) from error
        if found.guessed:
            unit_name = UNIT_NAMES[found.guessed]
            self._say(f"{origin.name}: {name} is read as {unit_name}; --ts-unit says otherwise")
        return found.ms, found.there

    def _types(
        self,
    ) -> tuple[npt.NDArray[np.int8], list[tuple[str, npt.NDArray[np.bool_]]]]:
        """Return each row's type, and the rows whose word for it is none of ours."""
        reading, layout = self._reading, self._layout
        graded = reading.targets is not None and "value" in self._columns and not self._plain
        constant = reading.type or ("rating" if graded else layout.type if layout else "click")
        column = self._columns.get("type")
        if column is None or self._plain or (reading.type and "type" not in reading.columns):
            return np.full(self._table.rows, TYPE_CODES[constant], np.int8), []
        codes, names = words(self._known[column])
        ours = [_our_type(name, reading.types) for name in names]
        table = np.array([*(TYPE_CODES.get(type_, -1) for type_ in ours), -1], np.int8)
        unknown = [number for number, type_ in enumerate(ours) if not type_]
        if unknown and not reading.types:
            other = [names[number] for number in unknown[:WORDS_SHOWN]]
            self._say(
                f"{self._table.origin.name}: say what other words mean with {proposed(other)}"
            )
        faults = [(f"the type {names[number][:40]!r}", codes == number) for number in unknown]
        return table[codes], [*faults, ("no type", codes < 0)]


def _our_type(word: str, types: Mapping[str, str]) -> str:
    """Return our type for their word, "" if there is none."""
    return types.get(word) or (word.lower() if word.lower() in TYPE_CODES else "")
