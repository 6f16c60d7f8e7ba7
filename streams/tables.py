"""Columns out of CSV, JSONL and Parquet files, packed or not."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from millstream.streams.columns import Column
from millstream.streams.delimited import Dialect, read_delimited
from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.json_rows import read_json_rows
from millstream.streams.origins import TORN, Head, Origin

Say = Callable[[str], None]
Reshape = Callable[[pa.Table], pa.Table]
LARGE_BYTES: Final = 20_000_000
TOLD_EVERY: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class Table:
    """A file's columns by name, all of one length; what is not there is None."""

    origin: Origin
    columns: Mapping[str, Column]
    first_row: int  # the number of the first row as an editor counts lines, 0 in Parquet
    rows: int

    def place(self, row: int) -> str:
        """Return where a row stands: `events.csv line 7`."""
        word = "line" if self.first_row else "row"
        return f"{self.origin.name} {word} {row + self.first_row}"


def read_table(
    head: Head,
    wanted: Collection[str] | None = None,
    dialect: Dialect | None = None,
    reshape: Reshape | None = None,
    diverse: str = "",
    say: Say = lambda _: None,
) -> Table:
    """Return a file's columns: those `wanted`, else all.

    `reshape` is given the rows of a delimited file part by part, and what it returns is the
    table. `diverse` names a column whose texts hardly repeat. Raises WorldMissing, or BadUsage
    for what cannot be understood.
    """
    origin = head.origin
    tell = _teller(head, say)
    names = column_names(head, dialect)
    names = names if wanted is None else tuple(wanted)
    try:
        if head.kind == "parquet":
            columns = _parquet(origin, names)
            return _table(origin, columns, 0)
        if head.kind == "json":
            return _table(origin, read_json_rows(origin, names, tell), 1)
        dialect = dialect or Dialect()
        columns = read_delimited(head, dialect, names, reshape, diverse, tell)
        return _table(origin, columns, 1 if dialect.names else 2)
    except TORN as error:
        raise WorldMissing(f"the file {origin} cannot be read: {error}") from error


def column_names(head: Head, dialect: Dialect | None = None) -> tuple[str, ...]:
    """Return the names of a file's columns; BadUsage if it is no table or they are not clear."""
    if dialect and dialect.names:
        return dialect.names
    if head.kind == "unknown" and dialect is None:
        raise BadUsage(
            f"{head.origin}: what kind of file is it? Name it .csv, .jsonl or .parquet; "
            "millstream data list shows what else is known"
        )
    if head.fault:
        raise BadUsage(f"{head.origin} {head.fault}")
    if len(set(head.names)) != len(head.names) or "" in head.names:
        raise BadUsage(f"{head.origin}: its first line must name each column once")
    return head.names


def _table(origin: Origin, columns: Mapping[str, Column], first_row: int) -> Table:
    return Table(origin, columns, first_row, len(next(iter(columns.values()), [])))


def _parquet(origin: Origin, names: Collection[str]) -> dict[str, Column]:
    try:
        table = pq.read_table(origin.path, columns=list(names))
    except pa.ArrowException as error:
        raise BadUsage(f"{origin} cannot be read as Parquet: {error}") from error
    return {name: table.column(name) for name in table.column_names}


def _teller(head: Head, say: Say) -> Callable[[int], None]:
    """Return what is told how many rows there are so far; it speaks of large files only."""
    size = head.origin.bytes()
    if size >= LARGE_BYTES:
        say(f"reading {head.origin}, {size / 1e6:,.0f} MB")
    told = 0

    def tell(rows: int) -> None:
        nonlocal told
        if rows >= told + TOLD_EVERY:
            told = rows
            say(f"{rows:,} rows read")

    return tell
