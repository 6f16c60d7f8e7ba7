"""The built-in encoders, fetched once for all tests."""

import os
from pathlib import Path

import pytest

from millstream.streams.encoders.builtin import BUILT_INS
from millstream.streams.encoders.kept import ensure_encoder
from millstream.streams.errors import WorldMissing
from millstream.streams.settings_reader import cache_dir


@pytest.fixture(scope="session")
def built_ins() -> dict[str, Path]:
    """Their folders by name; where they cannot be had, skip on a laptop, fail under CI=true."""
    try:
        return {name: ensure_encoder(name, cache_dir(), lambda _: None) for name in BUILT_INS}
    except WorldMissing as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have the encoders: {error}")
        pytest.skip(str(error))
