"""Reading events: formats, ids, units of time, what is left out, and sentences that help."""

import gzip
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millstream.streams import delimited, json_rows
from millstream.streams.columns import TsUnit, as_id
from millstream.streams.datasets import EventTable, Reading, read_events
from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.guesses import parse_columns, parse_types

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


def test_a_type_column_without_being_named_is_read_if_all_its_words_are_ours(
    reader: Reader,
) -> None:
    content = f"user,item,ts,event\nx,1,{S},View\nx,2,{S},PURCHASE\n"
    assert reader.text("e.csv", content).types == ["view", "purchase"]
    assert reader.read("e.csv", Reading(type="like")).types == ["like", "like"]
    assert reader.read("e.csv", Reading(positive="item>=1")).types == ["click", "click"]


def test_words_of_a_type_column_are_ours_once_it_is_said_what_they_mean(reader: Reader) -> None:
    content = f"user,item,ts,event\nx,1,{S},view\nx,2,{S},addtocart\nx,3,{S},buy\n"
    assert reader.text("e.csv", content).types == ["click"] * 3
    assert reader.said[0] == (
        "e.csv: event has words of its own and all rows are taken for clicks; to read it: "
        "--columns type=event --types view=view,addtocart=cart,buy=purchase"
    )
    reader.said.clear()
    types = {"addtocart": "cart", "buy": "purchase"}
    for columns in ({}, {"type": "event"}):
        table = reader.read("e.csv", Reading(columns=columns, types=types))
        assert table.types == ["view", "cart", "purchase"]
    some = reader.read("e.csv", Reading(types={"buy": "purchase"}))
    assert some.types == ["view", "purchase"]
    assert "1 with the type 'addtocart'; the first is e.csv line 3" in " ".join(reader.said)
    with pytest.raises(BadUsage, match="which column do --types speak of"):
        reader.text("f.csv", CSV, Reading(types=types))


def test_words_may_be_numbers(reader: Reader) -> None:
    name = parquet(reader.folder, user=["x", "x"], item=[1, 2], ts=[S, S], clicked=[0, 1])
    reading = Reading(columns={"type": "clicked"}, types={"0": "impression", "1": "click"})
    assert reader.read(name, reading).types == ["impression", "click"]


def test_types_are_given_as_pairs() -> None:
    assert parse_types("pv=view, buy=purchase") == {"pv": "view", "buy": "purchase"}
    with pytest.raises(BadUsage, match="write THEIRS=OURS"):
        parse_types("pv")
    with pytest.raises(BadUsage, match="look is none of view, click"):
        parse_types("pv=look")


@pytest.mark.parametrize(
    "header",
    [
        "userId,itemId,timestamp,rating",
        "USER_ID,Product-ID,Time,Stars",
        "session_id,sku,date,overall",
        "user_id:token,item_id:token,timestamp:float,rating:float",
        "visitorid,movieId,event time,value",
    ],
)
def test_columns_are_known_by_the_names_that_people_use(reader: Reader, header: str) -> None:
    table = reader.text("e.csv", f"{header}\nx,1,{S},5\n")
    assert (table.users, table.items, table.values) == (["x"], ["1"], [5.0])


def test_what_was_guessed_boldly_is_said(reader: Reader) -> None:
    reader.text("e.csv", f"session_id,sku,ts\nx,1,{S}\n")
    assert reader.said[0] == "e.csv: read session_id as user, sku as item; --columns says otherwise"


def test_the_better_name_wins(reader: Reader) -> None:
    table = reader.text("e.csv", f"session_id,user_id,date,ts,item\ns,u,1999-01-01,{S},1\n")
    assert (table.users, table.ts_ms) == (["u"], [S * 1000])


def test_a_file_without_a_header_is_read_by_numbers(reader: Reader) -> None:
    content = f"{S},x,7,5\n{S},y,8,3\n"
    reading = Reading(columns={"user": "2", "item": "3", "ts": "1", "value": "4"})
    table = reader.text("e.csv", content, reading)
    assert (table.users, table.items, table.values) == (["x", "y"], ["7", "8"], [5.0, 3.0])
    with pytest.raises(BadUsage, match="or, if that is a row, by number: --columns user=1"):
        reader.read("e.csv")


def test_targets_are_chosen_among_rows_that_all_teach(reader: Reader) -> None:
    table = reader.text("e.csv", CSV, Reading(targets="value>=4"))
    assert (table.types, table.targets) == (["rating"] * 3, [True, False, True])
    assert reader.read("e.csv", Reading(targets="value>=4", type="click")).types == ["click"] * 3
    assert reader.read("e.csv").targets is None


def test_a_folder_of_parts_is_one_table(reader: Reader) -> None:
    for number, user in enumerate("xy"):
        (reader.folder / "parts").mkdir(exist_ok=True)
        reader.text(f"parts/part-{number}.csv", f"user,item,ts\n{user},{number},{S - number}\n")
    (reader.folder / "parts/_SUCCESS").write_text("")
    table = reader.read("parts")
    assert (table.name, table.users, table.items) == ("parts", ["y", "x"], ["1", "0"])
    reader.text("parts/users.csv", f"user,item,ts,age\nx,1,{S},20\n")
    with pytest.raises(BadUsage, match=r"of no known data set; name a CSV.*part-0\.csv"):
        reader.read("parts")


def test_what_is_odd_about_a_file_is_said_and_it_is_read(reader: Reader) -> None:
    reader.text("e.csv", f"user,item,ts\nx,1,{S}\nx,1,{S}\n")
    assert reader.said[1:] == [
        "all 2 events have one ts: the order of the rows is taken for that of time",
        "all 2 events are of one user: there is nobody else to learn from",
        "all 2 events are of one item: there is nothing to rank",
        "rows with the user, item, type and ts of another: 1; each counts",
    ]
    reader.said.clear()
    reader.text("e.csv", f"user,item,ts\nx,1,{S}\ny,2,{S}\nx,2,{S + 1}\n")
    assert len(reader.said) == 1


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["u", "v", ""]),
            st.sampled_from(["1", "2", "\u00e9"]),
            st.one_of(st.integers(S, S + 3).map(str), st.just("nan")),
        ),
        min_size=1,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_file_is_read_as_a_stable_sort_of_its_good_rows(
    reader: Reader, rows: list[tuple[str, str, str]]
) -> None:
    content = "user,item,ts\n" + "".join(f"{','.join(row)}\n" for row in rows)
    good = sorted((row for row in rows if row[0] and row[2] != "nan"), key=lambda row: int(row[2]))
    if not good:
        with pytest.raises(BadUsage, match="no row is left"):
            reader.text("e.csv", content)
        return
    table = reader.text("e.csv", content)
    read = zip(table.users, table.items, table.ts_ms, strict=True)
    assert list(read) == [(user, item, int(ts) * 1000) for user, item, ts in good]


def test_json_of_many_rows_and_mixed_values_is_read_whole(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_rows, "CHUNK_ROWS", 2)
    users: list[object] = [1, 2, None, "3", "4", True, 2**70, 1.0, {"a": 1}]
    rows = [{"user": user, "item": "i", "ts": S + n, "text": "x"} for n, user in enumerate(users)]
    table = reader.text("e.jsonl", "\n".join(map(json.dumps, rows)))
    assert table.users == ["1", "2", "3", "4", str(2**70), "1"]
    assert "3 with no usable user; the first is e.jsonl line 3" in reader.said[-2]


def test_a_csv_of_many_blocks_is_read_whole(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 200)
    rows = [(f"u{n}", f"{n % 7}.0", S + n, f'"a ""quoted"" text,\n{n}"') for n in range(100)]
    content = "user,item,ts,note\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)
    table = reader.text("e.csv", content)
    assert table.users == [row[0] for row in rows]
    assert table.items == [str(n % 7) for n in range(100)]


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


def test_a_file_that_is_torn_is_the_worlds_fault(reader: Reader) -> None:
    rows = "".join(f"u{n * 7919 % 1009},{n * 104729 % 1013},{S + n}\n" for n in range(100_000))
    packed = gzip.compress(f"user,item,ts\n{rows}".encode())
    broken = bytearray(packed)
    broken[len(packed) // 2] ^= 0xFF
    for content in (packed[: len(packed) // 2], bytes(broken), b"no gzip at all"):
        (reader.folder / "e.csv.gz").write_bytes(content)
        with pytest.raises(WorldMissing, match=r"e\.csv\.gz cannot be read"):
            reader.read("e.csv.gz")
    (reader.folder / "e.zip").write_bytes(b"PK and no more")
    with pytest.raises(WorldMissing, match=r"e\.zip cannot be read"):
        reader.read("e.zip")


def test_utf_16_is_told_from_utf_8(reader: Reader) -> None:
    (reader.folder / "e.csv").write_bytes(CSV.encode("utf-16"))
    with pytest.raises(BadUsage, match="is UTF-16 text; save it as UTF-8"):
        reader.read("e.csv")


def test_a_quote_that_is_never_closed_is_found(reader: Reader) -> None:
    with pytest.raises(BadUsage, match=r"e\.csv line 4: 1 fields"):
        reader.text("e.csv", f'user,item,ts\nx,1,{S}\n"y,2,{S}\nz,3,{S}\n')


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
