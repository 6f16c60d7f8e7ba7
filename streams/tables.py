"""Columns out of CSV, JSONL and Parquet files, as plain Python values."""

import csv
import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from millstream.streams.errors import BadUsage, WorldMissing

Column = list[object]
_DELIMITERS: Final = ",\t;|"
_WHOLE_FLOAT: Final = re.compile(r"-?\d+\.0+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Table:
    """A file's columns by name, all of one length; what is not there is None."""

    path: Path
    columns: Mapping[str, Column]
    first_row: int  # the number of the first row as an editor counts lines, 0 in Parquet
    rows: int

    def place(self, row: int) -> str:
        """Return where a row stands: `events.csv line 7`."""
        word = "line" if self.first_row else "row"
        return f"{self.path.name} {word} {row + self.first_row}"


def read_table(path: Path) -> Table:
    """Return a file's columns. Raises WorldMissing, or BadUsage for what cannot be understood."""
    if path.is_dir():
        raise BadUsage(f"{path} is a folder; name a CSV, JSONL or Parquet file")
    try:
        with path.open("rb") as file:
            start = file.read(4)
        return _reader(path, start)(path)
    except FileNotFoundError as error:
        raise WorldMissing(f"the file {path} is not there") from error
    except (OSError, EOFError) as error:
        raise WorldMissing(f"the file {path} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise BadUsage(f"{path} is not UTF-8 text: byte {error.start}") from error


def _reader(path: Path, start: bytes) -> Callable[[Path], Table]:
    if not start:
        raise BadUsage(f"{path} is empty")
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if start == b"PAR1":
        return _read_parquet
    if suffix in (".jsonl", ".ndjson", ".json"):
        return _read_jsonl
    if suffix in (".csv", ".tsv", ".txt", ".inter"):
        return _read_csv
    raise BadUsage(f"{path}: what kind of file is it? Name it .csv, .jsonl or .parquet")


def _text(path: Path) -> TextIO:
    """Return an open file of text, unpacked; closing it closes what is below."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _read_csv(path: Path) -> Table:
    with _text(path) as text:
        head = text.readline()
        delimiter = max(_DELIMITERS, key=head.count)
        text.seek(0)
        rows = csv.reader(text, delimiter=delimiter)
        try:
            names = [name.strip() for name in next(rows, [])]
            columns: dict[str, list[str]] = {name: [] for name in names}
            if len(columns) != len(names) or "" in columns:
                raise BadUsage(f"{path}: its first line must name each column once")
            for row in rows:
                if not row:
                    continue
                if len(row) != len(names):
                    raise BadUsage(
                        f"{path} line {rows.line_num}: {len(row)} fields where the first line "
                        f"names {len(names)}"
                    )
                for column, field in zip(columns.values(), row, strict=True):
                    column.append(field)
        except csv.Error as error:
            raise BadUsage(f"{path} line {rows.line_num}: {error}") from error
    count = len(next(iter(columns.values()), []))
    return Table(path, {name: _from_text(column) for name, column in columns.items()}, 2, count)


def _from_text(column: Sequence[str]) -> Column:
    """Return a CSV column: empty is None, and whole numbers written as floats lose their `.0`."""
    if all(not field or _WHOLE_FLOAT.fullmatch(field) for field in column):
        return [field.partition(".")[0] if field else None for field in column]
    return [field or None for field in column]


def _read_jsonl(path: Path) -> Table:
    columns: dict[str, Column] = {}
    count = 0
    with _text(path) as text:
        for line, row in _json_rows(path, text):
            if not isinstance(row, dict):
                raise BadUsage(f"{path} line {line}: not a JSON object")
            for name, value in row.items():
                if name not in columns:
                    columns[name] = [None] * count
                columns[name].append(value)
            count += 1
            for column in columns.values():
                if len(column) < count:
                    column.append(None)
    return Table(path, columns, 1, count)


def _json_rows(path: Path, text: TextIO) -> Iterator[tuple[int, object]]:
    """Yield line numbers and values: one JSON a line, or one array of them all."""
    decode = msgspec.json.Decoder().decode
    number = 0
    try:
        for number, line in enumerate(text, 1):
            if number == 1 and line.lstrip().startswith("["):
                rows: object = decode(line + text.read())
                if not isinstance(rows, list):
                    raise BadUsage(f"{path}: not an array of JSON objects")
                yield from enumerate(rows, 1)
                return
            if not line.isspace():
                yield number, decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadUsage(f"{path} line {number}: not JSON: {error}") from error


def _read_parquet(path: Path) -> Table:
    try:
        table = pq.read_table(path)
        columns = {
            name: _plain(table.column(number)) for number, name in enumerate(table.column_names)
        }
    except pa.ArrowException as error:
        raise BadUsage(f"{path} cannot be read as Parquet: {error}") from error
    return Table(path, columns, 0, table.num_rows)


def _plain(column: pa.ChunkedArray) -> Column:
    """Return Python values; timestamps and dates become Moments."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        whole = column.cast(pa.timestamp("ms"), safe=False).cast(pa.int64())
        return [None if ms is None else Moment(ms) for ms in whole.to_pylist()]
    values: Column = column.to_pylist()
    return values


class Moment(int):
    """A moment in ms since the epoch, from a column that is one of moments: no unit to guess."""
