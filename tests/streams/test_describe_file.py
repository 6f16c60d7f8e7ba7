"""A catalogue's file becomes described items; what was encoded before is not encoded again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image
from tests.models.encoders.folders import clip_in_two_files

from millstream.models.attributes import VERSION
from millstream.streams.describe import BATCH
from millstream.streams.describe_file import MANY, describe_file
from millstream.streams.described import DescribedItems, met_sentence
from millstream.streams.errors import BadUsage
from millstream.streams.settings import EncoderSettings, ModelSettings, Settings

GOODS = """sku,name,groups,photo,year,price,available_from
1,Red lamp,home|light,photos/1.png,1999,10,
2,Blue lamp,home|light,photos/2.png,2001,12,2030-01-01T00:00:00Z
3,Chair,home,photos/none.png,,,
4,Table,home,photos/torn.png,,,
5,,,../outside.png,,,
"""
NAMES = {"item": "sku", "title": "name", "categories": "groups", "image": "photo"}


@contextmanager
def no_bar(_what: str, _total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


@pytest.fixture
def goods(tmp_path: Path) -> Path:
    (tmp_path / "shop/photos").mkdir(parents=True)
    for name, colour in (("1.png", (250, 10, 10)), ("2.png", (10, 10, 250))):
        Image.fromarray(np.full((8, 8, 3), colour, np.uint8)).save(tmp_path / "shop/photos" / name)
    (tmp_path / "shop/photos/torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    (tmp_path / "outside.png").write_bytes((tmp_path / "shop/photos/1.png").read_bytes())
    (tmp_path / "shop/goods.csv").write_text(GOODS)
    return tmp_path / "shop/goods.csv"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    clip_in_two_files(tmp_path / "clip")
    return Settings(
        data_dir=str(tmp_path / "data"),
        encoders=EncoderSettings(text="hashing", image=str(tmp_path / "clip"), audio="off"),
    )


def described(
    file: Path, settings: Settings, said: list[str] | None = None, columns: dict[str, str] = NAMES
) -> DescribedItems:
    said = [] if said is None else said
    return describe_file(str(file), columns, settings, file.parent / "none", said.append, no_bar)


def test_each_item_has_what_it_has_and_a_bad_picture_costs_only_the_picture(
    goods: Path, settings: Settings
) -> None:
    said: list[str] = []
    items = described(goods, settings, said)
    assert [sorted(one.embedding.parts) for one in items.entries] == [
        ["categories", "image", "numbers", "text"],
        ["categories", "image", "numbers", "text"],
        ["categories", "text"],
        ["categories", "text"],
        [],
    ]
    assert items.failed == {"media-missing": 1, "bad-image": 1, "media-forbidden": 1}
    assert said[1:] == [
        "image of item 3, photos/none.png, is not used: media-missing (FileNotFoundError)",
        *[one for one in said if one.startswith("image of item 4, photos/torn.png, is not used")],
        "image of item 5, ../outside.png, is not used: media-forbidden "
        "(not a path below the media folder)",
        "3 media are not used; their items go on without",
        f"paths of media are looked for below {goods.parent}",
    ]
    assert items.entries[1].gate.available_from == 1_893_456_000_000
    found = items.found()
    assert found.described == {"text": 4, "image": 2, "categories": 4, "numbers": 2}
    assert found.encoders["text"].name == "hashing"
    assert found.encoders["categories"].version == VERSION
    assert found.encoded == 6


def test_the_second_time_nothing_is_encoded_and_the_vectors_are_the_same(
    goods: Path, settings: Settings
) -> None:
    first, second = described(goods, settings), described(goods, settings)
    assert (first.encoded, second.encoded) == (6, 0)
    assert first.entries == second.entries
    text = goods.read_text()
    goods.write_text(text.replace("Chair", "Stool"))
    assert described(goods, settings).encoded == 1
    goods.write_text(text)
    assert described(goods, settings).encoded == 0  # what was kept before is kept still
    off = msgspec.structs.replace(settings, encoders=EncoderSettings(text="hashing", image="off"))
    assert described(goods, off).found().described == {"text": 4, "categories": 4, "numbers": 2}


def test_vectors_that_cannot_be_kept_are_told_and_cost_nothing_else(
    goods: Path, settings: Settings
) -> None:
    settings.data_path.mkdir()
    (settings.data_path / "vectors").write_text("in the way")
    said: list[str] = []
    assert described(goods, settings, said).encoded == 6
    assert any("cannot be kept for the next run" in sentence for sentence in said)


def test_no_encoder_is_opened_that_has_nothing_to_read(goods: Path, settings: Settings) -> None:
    goods.write_text("item,genres\n1,a|b\n2,b\n")
    missing = msgspec.structs.replace(
        settings, encoders=EncoderSettings(text="hashing", image="nowhere", audio="nowhere")
    )
    items = described(goods, missing, columns={})
    assert items.found().described == {"text": 2, "categories": 2}


def test_of_a_large_catalogue_it_is_told_that_it_takes_long(
    goods: Path, settings: Settings
) -> None:
    goods.write_text("\n".join(["item,year", *(f"{n},1995" for n in range(MANY))]))
    said: list[str] = []
    assert described(goods, settings, said, columns={}).modalities() == {"numbers": MANY}
    assert said == ["describing 5,000 items; their vectors are kept for the next run"]


def test_what_no_encoder_reads_is_told(goods: Path, settings: Settings) -> None:
    goods.write_text("item,title\n1,Lamp\n")
    off = msgspec.structs.replace(settings, encoders=EncoderSettings(text="off"))
    said: list[str] = []
    assert described(goods, off, said, columns={}).modalities() == {}
    assert said == [f"no encoder of text is open: that of {goods} is not read"]


def test_only_some_modalities(goods: Path, settings: Settings) -> None:
    some = described(goods, settings).only(["categories", "numbers"])
    assert some.modalities() == {"categories": 4, "numbers": 2}
    assert set(some.found().encoders) == {"categories", "numbers"}
    assert len(some.entries) == 5


def test_a_column_that_is_not_there_is_told_with_those_that_are(
    goods: Path, settings: Settings
) -> None:
    with pytest.raises(BadUsage, match=r"no column 'poster' for image; it has sku, name, groups"):
        described(goods, settings, columns={"item": "sku", "image": "poster"})
    goods.write_text("code,title\n1,a\n")
    with pytest.raises(BadUsage, match="say which it is with --item-columns item=NAME"):
        described(goods, settings, columns={})


def test_without_the_source_that_reads_them_items_are_refused(
    goods: Path, settings: Settings
) -> None:
    deaf = msgspec.structs.replace(settings, model=ModelSettings(sources=("pairs", "pop")))
    with pytest.raises(BadUsage, match="the source content"):
        described(goods, deaf)


def test_equal_content_is_encoded_once_however_far_apart(goods: Path, settings: Settings) -> None:
    rows = [f"{n},{'Lamp' if n % 40 else 'Chair'},photos/1.png" for n in range(BATCH * 3)]
    goods.write_text("\n".join(["item,title,image", *rows]))
    found = described(goods, settings, columns={})
    assert found.modalities() == {"text": BATCH * 3, "image": BATCH * 3}
    assert found.encoded == 3


def test_a_picture_may_be_named_by_its_whole_path(goods: Path, settings: Settings) -> None:
    goods.write_text(f"item,image\n1,{goods.parent / 'photos/1.png'}\n")
    assert described(goods, settings, columns={}).modalities() == {"image": 1}


def test_how_many_items_of_the_events_it_has_is_told(goods: Path, settings: Settings) -> None:
    found = described(goods, settings)
    assert met_sentence(found, ["1", "9", "1", "2"]) == (
        f"2 of the 3 items of the events are in {goods}"
    )
    assert met_sentence(found, ["0001", "0002"]) == (
        f"no item of the events is in {goods}: theirs are such as '0001', its own such as '1'; "
        "is the right column the item?"
    )
