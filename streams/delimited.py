"""Columns out of CSV and its kin, by Arrow: part by part, texts by their distinct values."""

import csv
import io
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.csv as pa_csv

from millstream.streams.columns import Column
from millstream.streams.errors import BadUsage
from millstream.streams.origins import Head

BLOCK_BYTES: Final = 8 * 1024 * 1024
FIELD_CHARACTERS_MAX: Final = 10_000_000
_WHOLE_FLOAT: Final = re.compile(r"-?\d+\.0+", re.ASCII)
_CODED: Final = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True, slots=True)
class Dialect:
    """How rows are written; what is empty is found out."""

    names: tuple[str, ...] = ()  # of the columns, where the first line is a row already
    delimiter: str = ""
    quoted: bool = True


def read_delimited(
    head: Head,
    dialect: Dialect,
    wanted: Collection[str],
    reshape: Callable[[pa.Table], pa.Table] | None,
    diverse: str,
    tell: Callable[[int], None],
) -> dict[str, Column]:
    """Return columns as texts, empty ones as nothing; BadUsage says which line is wrong."""
    names = dialect.names or head.names
    delimiter = dialect.delimiter or head.delimiter
    odd: list[object] = []

    def note(row: object) -> str:
        odd.append(row)
        return "skip"

    read = pa_csv.ReadOptions(
        column_names=names, skip_rows=0 if dialect.names else 1, block_size=BLOCK_BYTES
    )
    parse = pa_csv.ParseOptions(
        delimiter=delimiter,
        quote_char='"' if dialect.quoted else False,
        newlines_in_values=dialect.quoted,
        invalid_row_handler=note,
    )
    kept = list(names) if reshape else [name for name in names if name in set(wanted)]
    convert = pa_csv.ConvertOptions(
        include_columns=kept,
        column_types={name: pa.string() if reshape or name == diverse else _CODED for name in kept},
        strings_can_be_null=True,
        null_values=[""],
    )
    parts: list[pa.Table] = []
    rows = 0
    try:
        with head.origin.open() as file:
            for batch in pa_csv.open_csv(file, read, parse, convert):
                part = pa.Table.from_batches([batch])
                rows += part.num_rows
                tell(rows)
                parts.append(reshape(part) if reshape else part)
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error):
            raise _refused(head, error) from error
    if odd:
        raise _odd_row(head, delimiter, len(names), dialect)
    if not parts:
        return {name: [] for name in wanted}
    whole = pa.concat_tables(parts)
    return {name: _whole_numbers(whole.column(name)) for name in wanted}


def _whole_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as it is, or, where all of it is whole numbers as floats, without `.0`."""
    if not pa.types.is_dictionary(column.type):
        return column
    column = column.unify_dictionaries()
    if not column.num_chunks:
        return column
    values = column.chunk(0).dictionary.to_pylist()
    if not values or not all(_WHOLE_FLOAT.fullmatch(value) for value in values):
        return column
    short = pa.array([value.partition(".")[0] for value in values], pa.string())
    return pa.chunked_array(
        [pa.DictionaryArray.from_arrays(chunk.indices, short) for chunk in column.chunks]
    )


def _refused(head: Head, error: pa.ArrowInvalid) -> BadUsage:
    if "UTF8" in str(error):
        return BadUsage(f"{head.origin} is not UTF-8 text; convert it first (iconv -t UTF-8)")
    return BadUsage(f"{head.origin} cannot be read as CSV: {str(error).splitlines()[0]}")


def _odd_row(head: Head, delimiter: str, count: int, dialect: Dialect) -> BadUsage:
    """Return which line it is, looked up slowly: Arrow counts neither empty lines nor breaks."""
    csv.field_size_limit(FIELD_CHARACTERS_MAX)
    whose = "there should be" if dialect.names else "the first line names"
    with head.origin.open() as file:
        text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
        rows = csv.reader(
            text,
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if dialect.quoted else csv.QUOTE_NONE,
        )
        for row in rows:
            if row and len(row) != count:
                return BadUsage(
                    f"{head.origin} line {rows.line_num}: {len(row)} fields where {whose} {count}"
                )
    return BadUsage(f"{head.origin}: not every row has {count} fields")
