"""What tests of the benchmarks share: the events they are tried on."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def events_file(root: Path) -> Path:
    data = Path(os.environ.get("MILLSTREAM_TEST_DATA", root.parent / "shared" / "data"))
    file = data / "movielens100k/events.parquet"
    if not file.exists():
        pytest.skip(f"{file} is not here; MILLSTREAM_TEST_DATA says where test data are")
    return file
