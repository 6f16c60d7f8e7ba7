"""Reading events: formats, ids, units of time, what is left out, and sentences that help."""

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.streams.datasets import (
    EventTable,
    Reading,
    TsUnit,
    as_id,
    parse_columns,
    read_events,
)
from millstream.streams.errors import BadUsage, WorldMissing

S = 1_700_000_000
CSV = f"user,item,ts,value\nu1,a,{S},5\nu2,b,{S + 1},3\nu1,b,{S + 2},4\n"


class Reader:
    """Reads files below a folder and keeps what was said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []

    def text(self, name: str, content: str, reading: Reading | None = None) -> EventTable:
        (self.folder / name).write_text(content, encoding="utf-8")
        return self.read(name, reading)

    def read(self, name: str, reading: Reading | None = None) -> EventTable:
        return read_events(
            str(self.folder / name), reading or Reading(), self.folder, self.said.append
        )


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def parquet(folder: Path, **columns: object) -> str:
    pq.write_table(pa.table(columns), folder / "events.parquet")
    return "events.parquet"


def test_the_same_events_come_out_of_csv_jsonl_json_gz_and_parquet(reader: Reader) -> None:
    expected = EventTable(
        "events",
        ["u1", "u2", "u1"],
        ["a", "b", "b"],
        [S * 1000, S * 1000 + 1000, S * 1000 + 2000],
        ["click"] * 3,
        [5.0, 3.0, 4.0],
    )
    rows = [
        {"user": u, "item": i, "ts": S + n, "value": v}
        for n, (u, i, v) in enumerate([("u1", "a", 5), ("u2", "b", 3), ("u1", "b", 4)])
    ]
    assert reader.text("events.csv", CSV) == expected
    assert reader.text("events.tsv", CSV.replace(",", "\t")) == expected
    assert reader.text("events.csv", "\ufeff" + CSV.replace("\n", "\r\n")) == expected
    assert reader.text("events.jsonl", "\n".join(map(json.dumps, rows))) == expected
    assert reader.text("events.json", json.dumps(rows, indent=1)) == expected
    pq.write_table(pa.Table.from_pylist(rows), reader.folder / "events.parquet")
    assert reader.read("events.parquet") == expected
    with gzip.open(reader.folder / "events.csv.gz", "wt") as file:
        file.write(CSV)
    assert reader.read("events.csv.gz").ts_ms == expected.ts_ms


def test_rows_come_in_the_order_of_time_and_ties_in_that_of_the_file(reader: Reader) -> None:
    table = reader.text("e.csv", f"user,item,ts\nx,3,{S + 1}\nx,1,{S}\ny,2,{S}\nx,2,{S}\n")
    assert list(zip(table.users, table.items, strict=True)) == [
        ("x", "1"),
        ("y", "2"),
        ("x", "2"),
        ("x", "3"),
    ]


def test_equal_rows_are_events_of_their_own(reader: Reader) -> None:
    assert len(reader.text("e.csv", f"user,item,ts\nx,1,{S}\nx,1,{S}\n")) == 2


@pytest.mark.parametrize(
    ("value", "id_"),
    [
        (7, "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (-3, "-3"),
        (2**63, "9223372036854775808"),
        ("007", "007"),
        ("7.0", "7.0"),
        (b"ab", "ab"),
        ("cafe\u0301", "caf\u00e9"),
        (date(2020, 1, 2), "2020-01-02"),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        ("", None),
        ("a\nb", None),
        (b"\xff", None),
        ("x" * 129, None),
        ([1], None),
    ],
)
def test_ids_of_any_type_become_strings(value: object, id_: str | None) -> None:
    assert as_id(value) == id_


@given(st.one_of(st.integers(), st.floats(), st.text(), st.binary(), st.none(), st.booleans()))
def test_no_value_raises_as_an_id(value: object) -> None:
    as_id(value)


def test_leading_zeros_stay_and_a_whole_column_of_floats_loses_its_points(reader: Reader) -> None:
    table = reader.text("e.csv", f"user,item,ts\n001,7.0,{S}\n002,8.0,{S}\n")
    assert table.users == ["001", "002"]
    assert table.items == ["7", "8"]


@pytest.mark.parametrize(
    ("unit", "factor", "word"),
    [
        ("s", 1, "seconds"),
        ("ms", 1000, "milliseconds"),
        ("us", 10**6, "microseconds"),
        ("ns", 10**9, "nanoseconds"),
    ],
)
def test_the_unit_of_time_is_seen_by_its_size_and_said(
    reader: Reader, unit: TsUnit, factor: int, word: str
) -> None:
    table = reader.text("e.csv", f"user,item,ts\nx,1,{S * factor}\n")
    assert table.ts_ms == [S * 1000]
    assert f"ts is read as {word}" in reader.said[0]
    reader.said.clear()
    assert reader.read("e.csv", Reading(ts_unit=unit)).ts_ms == [S * 1000]
    assert reader.said == []


def test_fractions_of_seconds_are_kept_and_nanoseconds_are_exact(reader: Reader) -> None:
    assert reader.text("e.csv", "user,item,ts\nx,1,1396314141.719\n").ts_ms == [1396314141719]
    ns = S * 10**9 + 123_999_999
    assert reader.text("e.csv", f"user,item,ts\nx,1,{ns}\n").ts_ms == [S * 1000 + 123]


def test_times_of_different_sizes_are_refused_until_the_unit_is_said(reader: Reader) -> None:
    content = f"user,item,ts\nx,1,{S}\nx,2,{S * 1000}\n"
    with pytest.raises(BadUsage, match="say which it is with --ts-unit"):
        reader.text("e.csv", content)
    assert reader.text("e.csv", content, Reading(ts_unit="ms")).ts_ms == [S, S * 1000]


def test_moments_need_no_unit(reader: Reader) -> None:
    moment = datetime(2020, 1, 2, 3, 4, 5, 678_000, UTC)
    ms = 1577934245678
    for unit in ("s", "ms", "us", "ns"):
        name = parquet(
            reader.folder, user=["x"], item=["1"], ts=pa.array([moment], pa.timestamp(unit, "UTC"))
        )
        assert reader.read(name).ts_ms == [ms if unit != "s" else ms - 678]
    assert reader.text("e.csv", "user,item,ts\nx,1,2020-01-02T03:04:05.678Z\n").ts_ms == [ms]
    assert reader.text("e.csv", "user,item,ts\nx,1,2020-01-02 03:04:05.678\n").ts_ms == [ms]
    name = parquet(reader.folder, user=["x"], item=["1"], ts=[date(2020, 1, 2)])
    assert reader.read(name).ts_ms == [1577923200000]
    assert reader.said == []


def test_rows_without_what_an_event_needs_are_left_out_and_counted(reader: Reader) -> None:
    name = parquet(
        reader.folder,
        user=["x", None, "y", "z"],
        item=pa.array([1.0, 2.0, float("nan"), 4.0]),
        ts=[S, S, S, None],
    )
    table = reader.read(name)
    assert (table.users, table.items) == (["x"], ["1"])
    assert reader.said[-1] == (
        "3 rows left out: 1 with no usable user, 1 with no usable item, 1 with no usable ts; "
        "the first is events.parquet row 1"
    )


def test_a_type_column_is_read_only_when_it_is_named(reader: Reader) -> None:
    content = f"user,item,ts,type\nx,1,{S},purchase\nx,2,{S},wave\n"
    assert reader.text("e.csv", content).types == ["click", "click"]
    table = reader.read("e.csv", Reading(columns={"type": "type"}))
    assert table.types == ["purchase"]
    assert "1 with the type 'wave'; the first is e.csv line 3" in reader.said[-1]


def test_positive_keeps_matching_rows_as_plain_events(reader: Reader) -> None:
    table = reader.text("e.csv", CSV, Reading(positive="value>=4", columns={"value": "value"}))
    assert table.items == ["a", "b"]
    assert (table.types, table.values) == (["click", "click"], [0.0, 0.0])
    liked = reader.read("e.csv", Reading(positive="value>=4", type="like"))
    assert liked.types == ["like", "like"]


def test_positive_knows_our_names_and_the_files(reader: Reader) -> None:
    content = f"who,item,ts,stars\nx,1,{S},5\nx,2,{S},1\n"
    columns = {"user": "who", "value": "stars"}
    for expression in ("value>=4", "stars>=4", "user==x and value==5"):
        table = reader.text("e.csv", content, Reading(columns=columns, positive=expression))
        assert table.items == ["1"]
    with pytest.raises(BadUsage, match="has no column 'rank'; it has who, item, ts, stars"):
        reader.read("e.csv", Reading(columns=columns, positive="rank>1"))
    with pytest.raises(BadUsage, match="no row is left by --positive"):
        reader.read("e.csv", Reading(columns=columns, positive="value>9"))


def test_the_limit_counts_what_is_kept_from_the_earliest_on(reader: Reader) -> None:
    table = reader.text("e.csv", CSV, Reading(positive="value>=4", limit=1))
    assert table.items == ["a"]


def test_a_rating_needs_its_number(reader: Reader) -> None:
    content = f"user,item,ts,value\nx,1,{S},5\nx,2,{S},\nx,3,{S},nan\n"
    table = reader.text("e.csv", content, Reading(type="rating"))
    assert (table.items, table.values) == (["1"], [5.0])
    assert "2 with a rating without a number" in reader.said[-1]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("e.csv", "", "is empty"),
        ("e.csv", "user,item,ts\n", "has no rows"),
        ("e.csv", "user,user,ts\nx,1,2\n", "must name each column once"),
        ("e.csv", f"user,item,ts\nx,1,{S},9\n", "line 2: 4 fields where the first line names 3"),
        ("e.csv", f"user,item,at\nx,1,{S}\n", "no column ts; it has user, item, at: say which"),
        ("e.csv", "user,item,ts\n,,\n", "no row is left"),
        ("e.jsonl", '{"user": 1}\n{"user"', "line 2: not JSON"),
        ("e.jsonl", "[1]", "line 1: not a JSON object"),
        ("e.jsonl", "17\n", "line 1: not a JSON object"),
        ("e.parquet", "PAR1 and no more", "cannot be read as Parquet"),
        ("e.xls", "what is this", "Name it .csv, .jsonl or .parquet"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_with_a_sentence(
    reader: Reader, name: str, content: str, sentence: str
) -> None:
    with pytest.raises(BadUsage) as raised:
        reader.text(name, content)
    assert sentence in str(raised.value)


def test_bytes_that_are_no_text_are_refused(reader: Reader) -> None:
    (reader.folder / "e.csv").write_bytes(b"user,item,ts\n\xff\xfe,1,2\n")
    with pytest.raises(BadUsage, match="is not UTF-8 text"):
        reader.read("e.csv")


def test_a_file_that_is_not_there_is_the_worlds_fault(reader: Reader) -> None:
    with pytest.raises(WorldMissing, match="is not there"):
        reader.read("none.csv")
    with pytest.raises(BadUsage, match="is a folder"):
        reader.read(".")


def test_columns_are_given_as_pairs() -> None:
    assert parse_columns("user=user_id, item=i,ts=t") == {"user": "user_id", "item": "i", "ts": "t"}
    assert parse_columns(None) == {}
    with pytest.raises(BadUsage, match="write OURS=THEIRS"):
        parse_columns("user")
    with pytest.raises(BadUsage, match="colour is none of user, item, ts, value, type"):
        parse_columns("colour=red")


def test_a_named_column_that_is_not_there_is_refused(reader: Reader) -> None:
    with pytest.raises(BadUsage, match="has no column 'uid' for user; it has user, item, ts, val"):
        reader.text("e.csv", CSV, Reading(columns={"user": "uid"}))


def test_an_unknown_type_is_refused(reader: Reader) -> None:
    with pytest.raises(BadUsage, match="must be one of view, click"):
        reader.text("e.csv", CSV, Reading(type="wave"))
