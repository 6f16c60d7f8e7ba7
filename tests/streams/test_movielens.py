"""Data sets by name: both origins of MovieLens 100K, its checks, and fetching it once."""

import hashlib
import os
import zipfile
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from millstream.streams import movielens
from millstream.streams.catalogue_table import read_items
from millstream.streams.datasets import Reading, read_events
from millstream.streams.errors import BadUsage, FoundWrong, WorldMissing

U_DATA = b"196\t242\t3\t881250949\n186\t302\t3\t891717742\n"
U_ITEM = (
    "1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "267|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "543|Mis\u00e9rables, Les (1995)|x||x|0|0|0|0|0|0|0|0|1|0|0|0|1|0|0|0|0|0|0\n"
    "1412|Land Before Time III: The Time of the Great Giving (1995) (V)|x||x"
    "|0|0|0|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
)
INTER = b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n" + U_DATA
ITEM = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "1\tToy Story\t1995\tAnimation Children's Comedy\n"
    "267\tunkonwn\tunkonwn\tunknown\n"
    "543\tMis\u00e9rables, Les\t1995\tDrama Musical\n"
    "1412\tLand Before Time III: The Time of the Great Giving (1995)\tV\tAnimation Children's\n"
)


def archive(files: dict[str, bytes]) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return content.getvalue()


def test_both_origins_end_as_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movielens, "EVENTS_SHA256", hashlib.sha256(U_DATA).hexdigest())
    grouplens = movielens.from_grouplens(
        archive({"ml-100k/u.data": U_DATA, "ml-100k/u.item": U_ITEM.encode("latin-1")})
    )
    wheel = movielens.from_wheel(
        archive(
            {
                f"{movielens.WHEEL_FOLDER}/ml-100k.inter": INTER,
                f"{movielens.WHEEL_FOLDER}/ml-100k.item": ITEM.encode(),
            }
        )
    )
    assert grouplens[0].equals(wheel[0])
    assert grouplens[1].to_pylist() == wheel[1].to_pylist()
    assert wheel[1].to_pylist() == [
        {
            "item": "1",
            "title": "Toy Story",
            "year": 1995,
            "categories": ["Animation", "Children's", "Comedy"],
        },
        {"item": "267", "title": "unknown", "year": None, "categories": []},
        {
            "item": "543",
            "title": "Mis\u00e9rables, Les",
            "year": 1995,
            "categories": ["Drama", "Musical"],
        },
        {
            "item": "1412",
            "title": "Land Before Time III: The Time of the Great Giving",
            "year": 1995,
            "categories": ["Animation", "Children's"],
        },
    ]


def test_rows_that_are_not_those_of_1998_are_refused() -> None:
    with pytest.raises(FoundWrong, match=r"u\.data is not what it was"):
        movielens.from_grouplens(archive({"ml-100k/u.data": U_DATA, "ml-100k/u.item": b""}))


def test_an_unknown_name_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="known: movielens-100k"):
        movielens.ensure_dataset("netflix", tmp_path, print)


def test_movielens_is_fetched_whole_once_and_says_its_terms(tmp_path: Path) -> None:
    said: list[str] = []
    try:
        table = read_events("movielens-100k", Reading(positive="value>=4"), tmp_path, said.append)
    except WorldMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must reach GroupLens or the package index: {error}")
        pytest.skip(str(error))
    assert said[0] == movielens.TERMS
    assert len(table) == 55_375
    assert table.ts_ms == sorted(table.ts_ms)
    folder = movielens.dataset_folder("movielens-100k", tmp_path)
    assert {file.name for file in folder.parent.iterdir()} == {"movielens-100k"}
    assert {file.name for file in folder.iterdir()} == {
        "events.parquet",
        "items.parquet",
        "TERMS.txt",
    }
    # The order of u.data, so that ties in time keep it.
    first = pq.read_table(folder / "events.parquet").slice(0, 2).to_pylist()
    assert [(row["user"], row["item"]) for row in first] == [("196", "242"), ("186", "302")]
    said.clear()
    assert len(read_items("movielens-100k", {}, tmp_path, said.append)) == 1682
    assert said == []
