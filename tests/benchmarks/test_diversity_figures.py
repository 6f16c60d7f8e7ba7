"""The benchmark of diversity runs, on few events, and its figures agree with one another."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.diversity import Point


def test_a_point_counts_hits_items_and_the_distance_of_pairs() -> None:
    point = Point()
    square = {"mf": np.array([[2, 0], [0, 1], [3, 0]], np.float32)}  # one pair of three is alike
    point.add(["a", "b", "c"], "b", square)
    point.add(["a"], "z", {"mf": np.ones((1, 2), np.float32)})
    point.add([], "z", {"mf": np.ones((0, 2), np.float32)})
    assert point.as_json() == {"recall@10": 0.3333, "distance": {"mf": 0.667}, "items": 3}


def test_the_frontier_begins_at_the_list_as_it_was_and_goes_apart(root: Path) -> None:
    data = Path(os.environ.get("MILLSTREAM_TEST_DATA", root.parent / "shared" / "data"))
    folder = data / "movielens100k"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here; MILLSTREAM_TEST_DATA says where test data are")
    command = [sys.executable, str(root / "benchmarks/diversity.py"), "--quick", "--json"]
    command += [
        "--events",
        str(folder / "events.parquet"),
        "--items",
        str(folder / "items.parquet"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert found["machine"]
    assert min(found["us_per_list"].values()) > 0
    by_mf, by_categories = found["vectors"]["mf"], found["vectors"]["categories"]
    assert by_mf["0.0"] == by_categories["0.0"]
    for name, points in found["vectors"].items():
        apart = [point["distance"][name] for point in points.values()]
        assert apart == sorted(apart)
        assert apart[-1] > apart[0]
    assert by_mf["1.0"]["recall@10"] < by_mf["0.0"]["recall@10"]
