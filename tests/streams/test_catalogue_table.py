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
        "categories": "Home|Light",
        "hidden": False,
        "colour": "red",
    }
    assert decode_item(items[0].value) == Item("Lamp", ("Home", "Light"))
    second = decode_item(items[1].value)
    assert isinstance(second, Item)
    assert second.hidden
    assert said == []


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
            "tags": "a|b",
            "price": 9.5,
            "language": "en",
            "image": "l.png",
            "image_url": "https://a.example/x.png",
        },
        {"title": "Chair", "description": "Soft"},
    ]
    assert said == []


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
