"""Small files in the formats of those who made the data sets, written by hand."""

import gzip
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from millstream.streams.catalogue_table import read_items
from millstream.streams.datasets import EventTable, Reading, read_events


class Desk:
    """A folder to put files in and to read them from; keeps what was said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.said: list[str] = []

    def put(self, name: str, text: str, encoding: str = "utf-8") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".gz":
            path.write_bytes(gzip.compress(text.encode(encoding)))
        else:
            path.write_bytes(text.encode(encoding))
        return path

    def zipped(self, name: str, **members: str) -> Path:
        path = self.folder / name
        with zipfile.ZipFile(path, "w") as archive:
            for member, text in members.items():
                archive.writestr(member.replace("__", "/").replace("_dot_", "."), text)
        return path

    def read(self, source: Path | str, **reading: Any) -> EventTable:
        return read_events(str(source), Reading(**reading), self.data_dir, self.said.append)

    def rows(self, source: Path | str, **reading: Any) -> list[tuple[object, ...]]:
        """Each event as (user, item, ts, type, value)."""
        table = self.read(source, **reading)
        return list(
            zip(table.users, table.items, table.ts_ms, table.types, table.values, strict=True)
        )

    def items(self, source: Path | str, **columns: str) -> dict[str, dict[str, object]]:
        found = read_items(str(source), columns, self.data_dir, self.said.append)
        return {one.item: msgspec.json.decode(one.value) for one in found}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
