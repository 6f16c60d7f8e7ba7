"""Reading catalogues."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millstream.models.catalogue import Item
from millstream.streams.catalogue_table import read_items
from millstream.streams.errors import BadUsage
from millstream.streams.guesses import parse_columns
from millstream.streams.item_fields import ItemMessage
from millstream.streams.item_message import decode_item


@pytest.fixture
def said() -> list[str]:
    return []


def read(path: Path, said: list[str], **columns: str) -> list[ItemMessage]:
    return read_items(str(path), columns, path.parent, said.append)


def test_a_csv_becomes_messages_with_our_names_and_the_rest_goes_along(
    tmp_path: Path, said: list[str]
) -> None:
    file = tmp_path / "c.csv"
    file.write_text("sku,name,groups,hidden,colour\n7,Lamp,Home|Light,false,red\n8,Chair,,1,\n")
    items = read(file, said, item="sku", title="name", categories="groups")
    assert [one.item for one in items] == ["7", "8"]
    assert msgspec.json.decode(items[0].value) == {
        "title": "Lamp",
        "categories": ["Home", "Light"],
        "hidden": False,
        "colour": "red",
    }
    assert decode_item(items[0].value) == Item("Lamp", ("Home", "Light"))
    second = decode_item(items[1].value)
    assert isinstance(second, Item)
    assert second.hidden
    assert said == [
        "c.csv: takes sku as item, name as title, groups as categories",
        "c.csv: not a field of items: colour",
    ]


def test_parquet_keeps_lists_and_moments(tmp_path: Path, said: list[str]) -> None:
    closes = datetime(2030, 1, 1, tzinfo=UTC)
    table = {"item_id": [1], "title": ["A"], "genres": [["x", "y"]], "expires_at": [closes]}
    pq.write_table(pa.table(table), tmp_path / "c.parquet")
    item = decode_item(read(tmp_path / "c.parquet", said)[0].value)
    assert isinstance(item, Item)
    assert item.categories == ("x", "y")
    assert item.expires_at == int(closes.timestamp() * 1000)


def test_the_last_row_of_an_item_counts_and_bad_rows_are_left_out(
    tmp_path: Path, said: list[str]
) -> None:
    file = tmp_path / "c.csv"
    file.write_text("item,title,hidden\n1,old,\n1,new,\n,none,\n2,odd,perhaps\n")
    items = read(file, said)
    assert [(one.item, msgspec.json.decode(one.value)["title"]) for one in items] == [("1", "new")]
    assert "2 rows left out; the first is c.csv line 4 (no usable item)" in said
    assert "1 rows name an item again; the last of each counts" in said


def test_a_file_without_items_is_refused(tmp_path: Path, said: list[str]) -> None:
    file = tmp_path / "c.csv"
    file.write_text("code,title\n1,a\n")
    with pytest.raises(BadUsage, match="say which it is with --columns item=NAME"):
        read(file, said)
    file.write_text("item,hidden\n1,perhaps\n")
    with pytest.raises(BadUsage, match="has no usable item"):
        read(file, said)


def test_a_row_may_say_what_an_item_looks_reads_and_sounds_like(
    tmp_path: Path, said: list[str]
) -> None:
    file = tmp_path / "c.csv"
    file.write_text(
        "sku,name,description,tags,price,lang,poster,image_url,title\n"
        "7,Lamp,Bright,a|b,9.50,en,l.png,https://a.example/x.png,other\n"
        "8,Chair,Soft,,on request,,,,\n"
    )
    items = read(file, said, item="sku", title="name", image="poster")
    assert [msgspec.json.decode(one.value) for one in items] == [
        {
            "title": "Lamp",
            "description": "Bright",
            "tags": ["a", "b"],
            "price": 9.5,
            "language": "en",
            "image": "l.png",
            "image_url": "https://a.example/x.png",
        },
        {"title": "Chair", "description": "Soft"},
    ]
    assert said[2:] == [
        "1 values of price are not understood and left out; "
        "the first is 'on request' (c.csv line 3)"
    ]


def test_years_dates_prices_and_languages_are_found_by_their_usual_names(
    tmp_path: Path,
) -> None:
    for name, field in (
        ("release_date", "released"),
        ("released", "released"),
        ("release_year", "year"),
        ("year", "year"),
    ):
        file = tmp_path / f"{name}.csv"
        file.write_text(
            f"item,title,{name},price,language\n1,a,1995,9.5,en\n2,b,soon,on request,\n"
        )
        first, second = read(file, [])
        assert msgspec.json.decode(first.value) == {
            "title": "a",
            field: "1995",  # the column has a word, so it is one of texts
            "price": 9.5,
            "language": "en",
        }
        assert field not in msgspec.json.decode(second.value)


def table(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_bytes(b"\n".join(map(msgspec.json.encode, rows)))
    return path


def fields(messages: list[ItemMessage], name: str) -> list[object]:
    return [msgspec.json.decode(one.value).get(name) for one in messages]


def test_a_value_that_is_not_understood_costs_its_field_and_is_counted(
    tmp_path: Path, said: list[str]
) -> None:
    rows: list[dict[str, object]] = [
        {"item": 1, "title": ["A", "b"], "price": -5, "language": "Chinese (Simplified)"},
        {"item": 2, "title": {"en": "B"}, "price": "N/A", "year": True, "language": "N/A"},
        {"item": 3, "title": "C", "price": {"of": 5}, "year": [1995], "image": 7},
    ]
    items = read(table(tmp_path / "c.jsonl", rows), said)
    assert [msgspec.json.decode(one.value) for one in items] == [
        {"title": "A b"},
        {"title": "B"},
        {"title": "C"},
    ]
    assert said == [
        "2 values of price are not understood and left out; the first is -5 (c.jsonl line 1)",
        "1 values of language are not understood and left out; the first is "
        "'Chinese (Simplified)' (c.jsonl line 1)",
        "2 values of year are not understood and left out; the first is True (c.jsonl line 2)",
        "1 values of image are not understood and left out; the first is 7 (c.jsonl line 3)",
    ]


def test_a_row_of_which_it_is_not_clear_when_it_is_shown_is_left_out(
    tmp_path: Path, said: list[str]
) -> None:
    given = ["2023-11-14", "1700000000", 1_700_000_000, 1_700_000_000_000, "", "soon"]
    rows: list[dict[str, object]] = [
        {"item": n, "available_from": one} for n, one in enumerate(given)
    ]
    found = [decode_item(one.value) for one in read(table(tmp_path / "c.jsonl", rows), said)]
    opens = [one.available_from for one in found if isinstance(one, Item)]
    assert opens == [1_699_920_000_000, *[1_700_000_000_000] * 3, 0]
    assert said == ["1 rows left out; the first is c.jsonl line 6 (bad-field available_from)"]


def test_a_column_may_be_two_fields_and_a_field_is_named_once(
    tmp_path: Path, said: list[str]
) -> None:
    file = tmp_path / "c.csv"
    file.write_text("sku,name\n1,Lamp\n")
    (item,) = read(file, said, title="name", description="name")
    assert msgspec.json.decode(item.value) == {"title": "Lamp", "description": "Lamp"}
    with pytest.raises(BadUsage, match="names title twice: name and label"):
        parse_columns("title=name,title=label", ["item", "title"])


def test_a_column_that_only_late_rows_have_is_read(tmp_path: Path, said: list[str]) -> None:
    rows: list[dict[str, object]] = [{"item": n, "more": "x" * 1000} for n in range(300)]
    items = read(table(tmp_path / "c.jsonl", [*rows, {"item": "z", "name": "late"}]), said)
    assert fields(items, "title")[-1] == "late"


def test_json_as_python_writes_it_is_read(tmp_path: Path, said: list[str]) -> None:
    file = tmp_path / "c.jsonl"
    file.write_text('{"item": 1, "title": "a\\ud83d", "price": NaN}\n{"item": 2, "title": "b"}\n')
    items = read(file, said)
    assert fields(items, "title") == ["a?", "b"]
    assert fields(items, "price") == [None, None]
    assert said == []
    file.write_text('{"item": 1}\n{"item": 2, "title": nan}\n')
    with pytest.raises(BadUsage, match="line 2: not JSON"):
        read(file, said)


def test_what_a_known_format_does_not_name_is_read_all_the_same(
    tmp_path: Path, said: list[str]
) -> None:
    file = tmp_path / "films.csv"
    file.write_text("movieId,title,genres,story,poster\n1,Heat (1995),Crime|Drama,A cop.,h.jpg\n")
    (item,) = read(file, said, description="story")
    assert msgspec.json.decode(item.value) == {
        "title": "Heat",
        "year": 1995,
        "categories": ["Crime", "Drama"],
        "description": "A cop.",
        "image": "h.jpg",
    }
    assert said == ["films.csv: takes story as description, poster as image"]


def test_pictures_of_parquet_are_bytes_records_or_lists(tmp_path: Path, said: list[str]) -> None:
    table = {
        "id": [1.0, 2.0, 3.0],
        "picture": [
            {"bytes": b"\xff\xd8", "path": "a.jpg"},
            {"bytes": None, "path": "b c.jpg"},
            {"bytes": b"x" * 700_000, "path": None},
        ],
        "genres": pa.array([[{"id": 1, "name": "Crime"}], None, []]),
    }
    pq.write_table(pa.table(table), tmp_path / "c.parquet")
    items = read(tmp_path / "c.parquet", said)
    assert [one.item for one in items] == ["1", "2", "3"]
    assert fields(items, "image") == [{"base64": "/9g="}, "b c.jpg", None]
    assert fields(items, "categories") == [["Crime"], None, []]
    assert any("1 values of image (too-large)" in sentence for sentence in said)


def test_the_year_in_a_title_is_the_items_where_no_column_says_one(
    tmp_path: Path, said: list[str]
) -> None:
    file = tmp_path / "c.csv"
    rows = [
        "item,title,released",
        "1,Heat (1995),",
        "2,Solaris (1972),2002-11-27",
        "3,Set (7531),",
    ]
    file.write_text("\n".join(rows))
    items = read(file, said)
    assert fields(items, "year") == [1995, None, None]
    assert fields(items, "title")[0] == "Heat (1995)"
