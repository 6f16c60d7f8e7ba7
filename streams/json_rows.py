"""Columns out of JSON: one object a line, or one array of them; only what is wanted is kept."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, TypeVar

import msgspec
import pyarrow as pa

from millstream.streams.columns import Column
from millstream.streams.errors import BadUsage
from millstream.streams.json_text import decode_json
from millstream.streams.origins import BOM, Origin

T = TypeVar("T")
CHUNK_ROWS: Final = 65_536


def read_json_rows(
    origin: Origin, wanted: Collection[str], tell: Callable[[int], None]
) -> dict[str, Column]:
    """Return columns; BadUsage says which line is no JSON object."""
    names = list(wanted)
    fields = {f"f{number}": name for number, name in enumerate(names)}
    # A struct of the wanted fields alone: a review's text is passed over, not built.
    row_type = msgspec.defstruct("Row", [(field, Any, None) for field in fields], rename=fields)
    chunks: list[list[pa.Array | list[object]]] = [[] for _ in names]
    waiting: list[list[object]] = [[] for _ in names]
    for count, row in enumerate(_rows(origin, row_type), 1):
        for column, value in zip(waiting, msgspec.structs.astuple(row), strict=True):
            column.append(value)
        if count % CHUNK_ROWS == 0:
            _pack(chunks, waiting)
            tell(count)
    _pack(chunks, waiting)
    return {name: _joined(column) for name, column in zip(names, chunks, strict=True)}


def row_names(origin: Origin) -> tuple[str, ...]:
    """Return the names in all rows, in the order in which they come; BadUsage as above."""
    names: dict[str, None] = {}
    for row in _rows(origin, dict[str, Any]):
        names.update(dict.fromkeys(row))
    return tuple(names)


def _rows(origin: Origin, row_type: type[T]) -> Iterator[T]:
    """Yield the rows of one JSON a line, or of one array of them all."""
    decode = msgspec.json.Decoder(row_type).decode
    number = 0
    try:
        with origin.open() as file:
            for number, raw in enumerate(file, 1):
                line = raw.removeprefix(BOM) if number == 1 else raw
                if number == 1 and line.lstrip().startswith(b"["):
                    whole = msgspec.json.Decoder(list[row_type])  # type: ignore[valid-type]
                    yield from decode_json(line + file.read(), whole.decode)
                    return
                if not line.isspace():
                    yield decode_json(line, decode)
    except msgspec.ValidationError as error:
        raise BadUsage(f"{origin} line {number}: not a JSON object") from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadUsage(f"{origin} line {number}: not JSON: {error}") from error


def _pack(chunks: list[list[pa.Array | list[object]]], waiting: list[list[object]]) -> None:
    """Move what waits into Arrow's arrays, where its values are of one type."""
    for done, column in zip(chunks, waiting, strict=True):
        if column:
            done.append(_packed(column))
            column.clear()


def _packed(column: list[object]) -> pa.Array | list[object]:
    kinds = {type(value) for value in column if value is not None}
    if kinds <= {str}:
        return pa.array(column, pa.string())
    if kinds in ({int}, {float}, {bool}):
        try:
            return pa.array(column)
        except (pa.ArrowException, OverflowError):  # wider than 64 bits
            pass
    return list(column)


def _joined(chunks: list[pa.Array | list[object]]) -> Column:
    if not chunks:
        return []
    arrays = [chunk for chunk in chunks if isinstance(chunk, pa.Array)]
    kinds = {array.type for array in arrays if array.null_count < len(array)}
    if len(arrays) == len(chunks) and len(kinds) <= 1:
        kind = next(iter(kinds), pa.string())
        return pa.chunked_array([array.cast(kind) for array in arrays], kind)
    together: list[object] = []
    for chunk in chunks:
        together += chunk if isinstance(chunk, list) else chunk.to_pylist()
    return together
