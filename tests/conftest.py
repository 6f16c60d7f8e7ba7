"""What all tests may stand on: one real Kafka and one real Redis, begun once, ended at the end."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from millstream.streams.errors import WorldMissing
from millstream.streams.kafka_log import KafkaLog
from millstream.streams.settings_reader import cache_dir
from millstream.streams.stack import Stack, StackStatus

ROOT: Final = Path(__file__).resolve().parent.parent


@contextmanager
def local_stack(folder: Path) -> Iterator[tuple[Stack, StackStatus]]:
    """A stack in a folder; where there can be none, skip on a laptop and fail under CI=true."""
    local = Stack(folder, cache_dir())
    try:
        try:
            status = local.start(lambda _: None)
        except WorldMissing as error:
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI must have the stack: {error}")
            pytest.skip(str(error))
        yield local, status
    finally:
        local.stop(lambda _: None)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackStatus]:
    """A real stack for the whole run: `.kafka`, `.redis`, `.data_dir`."""
    with local_stack(tmp_path_factory.mktemp("stack")) as (_, status):
        yield status


@pytest.fixture(scope="module")
def broken_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of one module's own, for tests that kill and stop its parts."""
    with local_stack(tmp_path_factory.mktemp("broken")) as (local, _):
        yield local


@pytest.fixture(scope="session")
def kafka_address(stack: StackStatus) -> str:
    """The broker's host:port."""
    assert stack.kafka is not None
    return stack.kafka


@pytest.fixture(scope="session")
def redis_url(stack: StackStatus) -> str:
    """The server's URL. All tests share its database: take `namespace` as the prefix of keys."""
    assert stack.redis is not None
    return stack.redis


@pytest.fixture(scope="session")
def kafka_log(kafka_address: str) -> Iterator[KafkaLog]:
    """A log on the real broker. All tests share it: take `namespace` for the names of topics."""
    log = KafkaLog(kafka_address)
    yield log
    log.close()


@pytest.fixture
def namespace() -> str:
    """A name that no other test has: for topics, groups and keys on the shared servers."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT
