"""`millstream evaluate --items` and `tune --items` as they are typed."""

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.models.encoders.folders import clip_in_two_files

from millstream.streams.cli import run

S = 1_700_000_000
MODEL = ["--set", "mf.users_max=64", "--set", "pairs.width=32", "--set", "fism.factors=8"]
HASHING = ["--set", "encoders.text=hashing"]
BERT = ["--set", "encoders.text=bert"]
COLUMNS = "item=sku,title=name,categories=groups,image=photo"


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """People who walk in circles through thirty goods; four more that nobody has come to."""
    for name in [name for name in os.environ if name.startswith("MILLSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MILLSTREAM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    clip_in_two_files(tmp_path / "clip")
    Image.fromarray(np.full((8, 8, 3), (250, 10, 10), np.uint8)).save(tmp_path / "1.png")
    Image.fromarray(np.full((8, 8, 3), (10, 10, 250), np.uint8)).save(tmp_path / "2.png")
    chance = random.Random(2)
    at = {f"u{n}": chance.randrange(30) for n in range(12)}
    rows = ["user,item,ts"]
    for n in range(150):
        user = chance.choice(list(at))
        at[user] = (at[user] + 1) % 30
        rows.append(f"{user},i{at[user]},{S + n}")
    (tmp_path / "walks.csv").write_text("\n".join(rows))
    pictures = {0: "1.png", 1: "2.png", 2: "none.png"}
    goods = [f"i{n},thing {n},group {n // 5},{pictures.get(n, '')}" for n in range(34)]
    (tmp_path / "goods.csv").write_text("\n".join(["sku,name,groups,photo", *goods]))
    return tmp_path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == code
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def asked(*more: str) -> list[str]:
    given = ["walks.csv", "--items", "goods.csv", "--item-columns", COLUMNS, *MODEL, *HASHING]
    return [*given, "--set", "encoders.image=clip", *more]


def test_the_answer_says_what_the_items_are_described_by(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "evaluate", *asked())
    items = found["items"]
    assert set(items) == {"file", "items", "described", "encoders", "encoded", "failed"}
    assert (items["file"], items["items"]) == ("goods.csv", 34)
    assert items["described"] == {"text": 34, "image": 2, "categories": 34}
    assert set(items["encoders"]) == {"text", "image", "categories"}
    assert all(set(of) == {"name", "version"} for of in items["encoders"].values())
    assert (items["encoded"], items["failed"]) == (36, {"media-missing": 1})
    assert found["us_per_item"] > 0
    assert {"text", "image", "categories"} <= set(found["sources"])
    silent = {"audio", "numbers", "spread", "fresh", "fresh_spread"}
    assert not silent & set(found["sources"])
    assert found["slices"]["first_event"]["recall@50"] > 0
    assert (found["asked"]["items"], found["asked"]["item_columns"]) == ("goods.csv", COLUMNS)
    again = answer(capsys, "evaluate", *asked())
    assert again["items"]["encoded"] == 0
    assert again["outcome"] == found["outcome"]


def test_without_items_the_answer_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "evaluate", "walks.csv", *MODEL)
    assert (found["items"], found["us_per_item"], found["asked"]["items"]) == (None, None, None)
    assert found["slices"]["first_event"]["recall@50"] == 0
    assert not {"text", "categories", "spread"} & set(found["sources"])


def test_with_and_without_are_compared_and_the_page_names_the_items(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, arguments in (("a", ["walks.csv", *MODEL]), ("b", asked("--report", "r.html"))):
        capsys.readouterr()
        assert run(["evaluate", *arguments, "--no-sources", "--json"]) == 0
        (shop / f"{name}.json").write_text(capsys.readouterr().out)
    found = answer(capsys, "evaluate", "--compare", "a.json", "b.json")
    assert found["scored"] > 0
    page = (shop / "r.html").read_text()
    assert "34 items of goods.csv: 34 with text, 2 with image, 34 with categories" in page


def test_a_person_reads_of_items_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", *asked("--no-sources")]) == 0
    said = capsys.readouterr()
    assert "34 items of goods.csv" in said.out
    assert "µs an item" in said.out
    assert "image of item i2, none.png, is not used: media-missing" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--item-columns", "item=sku"], 2, "--item-columns goes with --items"),
        (["--items", "none.csv"], 3, "none.csv is not there"),
        (["--items", "goods.csv", "--item-columns", "poster=photo"], 2, "poster is none of item,"),
        (["--items", "goods.csv", "--item-columns", "image"], 2, "--item-columns 'image': write"),
        (
            ["--items", "goods.csv", "--item-columns", "image=poster"],
            2,
            "goods.csv has no column 'poster' for image; it has sku, name, groups, photo",
        ),
        (["--items", "goods.csv", "--item-columns", COLUMNS, *BERT], 3, "encoders.text is 'bert'"),
        (["--items", "goods.csv", "--set", "model.sources=pairs,pop"], 2, "the source content"),
    ],
)
def test_what_cannot_be_is_said_at_once(
    arguments: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in answer(capsys, "evaluate", "walks.csv", *arguments, code=code)["error"]


def test_a_catalogue_that_says_nothing_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "walks.csv", "--items", "walks.csv", *MODEL]) == 0
    assert "walks.csv says nothing of what its items are like" in capsys.readouterr().err


def test_settings_are_tuned_with_items(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "tune", *asked("--trials", "2", "--share", "0.5"))
    assert found["trials"] == 2
