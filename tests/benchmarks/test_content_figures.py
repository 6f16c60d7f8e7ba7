"""The benchmark of content runs, on few events, and says where its data are to be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.content import ROWS, crowded
from PIL import Image

from millstream.models.catalogue import Item
from millstream.models.embedding import Embedding, Part, unit_vector
from millstream.streams.described import DescribedItem, DescribedItems

ITEMS = 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A made-up folder of the same columns: people who walk in circles through thirty films."""
    (tmp_path / "images").mkdir()
    for item in range(ITEMS):
        grey = np.full((8, 8, 3), 8 * item, np.uint8)
        Image.fromarray(grey).save(tmp_path / f"images/{item}.png")
    at = np.random.default_rng(1).integers(ITEMS, size=300)
    events = {
        "user_id": [int(n % 9) for n in range(300)],
        "item_id": at.tolist(),
        "value": [5.0] * 300,
        "ts": [1_700_000_000 + n for n in range(300)],
    }
    items = {
        "item_id": list(range(ITEMS)),
        "title": [f"Film {n}" for n in range(ITEMS)],
        "text": [f"A plot of {n % 7}" for n in range(ITEMS)],
        "genres": [f"genre {n % 5}" for n in range(ITEMS)],
        "year": [1950 + n for n in range(ITEMS)],
        "image": [f"images/{n}.png" for n in range(ITEMS)],
    }
    pq.write_table(pa.table(events), tmp_path / "events.parquet")
    pq.write_table(pa.table(items), tmp_path / "items.parquet")
    return tmp_path


def run(root: Path, data: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(root / "benchmarks/content.py"), *arguments]
    environment = {
        **os.environ,
        "MILLSTREAM_DATA_DIR": str(data),
        "MILLSTREAM_ENCODERS_TEXT": "hashing",
        "MILLSTREAM_ENCODERS_IMAGE": "off",
    }
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=environment
    )


def test_every_row_is_measured_over_the_same_events(
    folder: Path, root: Path, tmp_path: Path
) -> None:
    done = run(root, tmp_path / "data", "--folder", str(folder), "--limit", "200", "--json")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert found["machine"]
    assert list(found["rows"]) == [row.name for row in ROWS["contents"]]
    assert len({row["scored"] for row in found["rows"].values()}) == 1
    assert found["rows"]["none"]["first_event@50"] == 0
    assert found["rows"]["categories, years"]["first_event@50"] > 0
    assert found["items"]["described"] == {"text": ITEMS, "categories": ITEMS, "numbers": ITEMS}


def test_where_the_data_are_not_it_says_so(root: Path, tmp_path: Path) -> None:
    done = run(root, tmp_path / "data", "--folder", str(tmp_path))
    assert done.returncode == 3
    assert "MovieLens 100K with plots and posters; --folder says where" in done.stderr


def test_a_crowd_lies_between_items_of_the_catalogue_and_behind_them() -> None:
    vectors = np.eye(8, dtype=np.float32)[:3]
    entries = [
        DescribedItem(f"m{n}", Item(), Embedding({"text": Part(unit_vector(v), "1", bytes(16))}))
        for n, v in enumerate(vectors)
    ]
    crowd = crowded(DescribedItems("file", entries, {}, 0, {}), 20)
    assert crowd.entries[:3] == entries
    assert len({one.item for one in crowd.entries}) == 23
    for one in crowd.entries[3:]:
        like = vectors @ one.embedding.parts["text"].vector.astype(np.float32)
        assert like.max() == pytest.approx(1.0, abs=0.01) or like == pytest.approx(
            np.where(like > 0.1, 0.5**0.5, 0.0), abs=0.01
        )


def test_the_price_of_the_bonus_is_measured_without_newcomers(
    folder: Path, root: Path, tmp_path: Path
) -> None:
    rows = "--rows", "bonus", "--limit", "100", "--json"
    done = run(root, tmp_path / "data", "--folder", str(folder), *rows)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["rows"]
    assert list(found) == [row.name for row in ROWS["bonus"]]
    assert {row["first_event@50"] for row in found.values()} == {0.0}
