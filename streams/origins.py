"""Where a table's bytes come from: a file, packed or not, or a member of a zip archive."""

import csv
import gzip
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Literal, cast

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.json_text import decode_json

Kind = Literal["parquet", "json", "delimited", "unknown"]

HEAD_BYTES: Final = 256 * 1024
DELIMITERS: Final = ",\t;|"
BOM: Final = b"\xef\xbb\xbf"
UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
TORN: Final = (OSError, EOFError, zlib.error, zipfile.BadZipFile)
"""What reading a file raises that is not there, not whole or not what its name says."""
_JSON: Final = (".jsonl", ".ndjson", ".json")
_DELIMITED: Final = (".csv", ".tsv", ".txt", ".inter", ".dat", ".data", ".item")


@dataclass(frozen=True, slots=True)
class Origin:
    """A file that holds one table."""

    path: Path
    member: str = ""  # of the archive that `path` is

    def __str__(self) -> str:
        """Return how a person would name it."""
        return f"{self.path}: {self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """Return the file's own name, without its folder and without .gz."""
        return PurePosixPath(self.member or self.path.name).name.removesuffix(".gz")

    def bytes(self) -> int:
        """Return its size as it lies on disk."""
        return self.path.stat().st_size

    def open(self) -> BinaryIO:
        """Return its bytes, unpacked. Raises OSError."""
        if self.member:
            with zipfile.ZipFile(self.path) as archive:
                return cast(BinaryIO, archive.open(self.member))
        if self.path.suffix == ".gz":
            return cast(BinaryIO, gzip.open(self.path))
        return self.path.open("rb")


@dataclass(frozen=True, slots=True)
class Head:
    """What the beginning of a file tells of it."""

    origin: Origin
    kind: Kind
    names: tuple[str, ...]  # of its columns, as the first rows have them
    lines: tuple[str, ...]  # the first whole lines; none of a Parquet file
    delimiter: str = ""
    fault: str = ""  # why no table begins so

    @property
    def first(self) -> str:
        """Return the first line."""
        return self.lines[0] if self.lines else ""


def read_head(origin: Origin) -> Head:
    """Return what a file's beginning tells. Raises WorldMissing, and BadUsage if it is empty."""
    try:
        with origin.open() as file:
            start = file.read(HEAD_BYTES)
            if start.removeprefix(BOM).lstrip()[:1] == b"[":  # one array: it is read as a whole
                start += file.read()
    except FileNotFoundError as error:
        raise WorldMissing(f"the file {origin} is not there") from error
    except TORN as error:
        raise WorldMissing(f"the file {origin} cannot be read: {error}") from error
    if start.startswith(UTF_16):
        raise BadUsage(f"{origin} is UTF-16 text; save it as UTF-8")
    if not start.strip():
        raise BadUsage(f"{origin} is empty")
    if start.startswith(b"PAR1"):
        return Head(origin, "parquet", _parquet_names(origin), ())
    text = start.removeprefix(BOM).decode(errors="replace")
    whole = text.splitlines()
    lines = tuple(line for line in (whole if len(start) < HEAD_BYTES else whole[:-1]) if line)
    suffix = PurePosixPath(origin.name).suffix.lower()
    kind: Kind = "json" if suffix in _JSON else "delimited" if suffix in _DELIMITED else "unknown"
    if kind == "json" or (kind == "unknown" and text.startswith("{")):
        names, fault = _json_names(text, lines)
        return Head(origin, kind, names, lines, fault=fault)
    first = lines[0] if lines else ""
    delimiter = max(DELIMITERS, key=first.count)
    fields = next(csv.reader([first], delimiter=delimiter), [])
    return Head(origin, kind, tuple(name.strip() for name in fields), lines, delimiter)


def _parquet_names(origin: Origin) -> tuple[str, ...]:
    try:
        return tuple(pq.read_schema(origin.path).names)
    except pa.ArrowException as error:
        raise BadUsage(f"{origin} cannot be read as Parquet: {error}") from error


def _json_names(text: str, lines: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the names in the first rows, in the order in which they come, and what is wrong."""
    names: dict[str, None] = {}
    for number, line in enumerate([text] if text.lstrip().startswith("[") else lines, 1):
        try:
            found = decode_json(line.encode(), msgspec.json.decode)
        except (msgspec.DecodeError, RecursionError) as error:
            return tuple(names), f"line {number}: not JSON: {error}"
        for row in found if isinstance(found, list) else [found]:
            if not isinstance(row, dict):
                return tuple(names), f"line {number}: not a JSON object"
            names.update(dict.fromkeys(row))
    return tuple(names), ""
