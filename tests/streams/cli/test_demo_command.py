"""`millstream demo` works where other releases and settings have been, and leaves theirs alone."""

import os
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from millstream.streams.assembly import new_snapshots
from millstream.streams.cli import cli
from millstream.streams.demo_settings import with_own_namespace
from millstream.streams.settings import (
    FieldSettings,
    KafkaSettings,
    ListSettings,
    RedisSettings,
    Settings,
    TopicSettings,
)
from millstream.streams.settings_reader import load_settings
from millstream.streams.world import open_store

EVENTS: Final = 40
START_S: Final = 900_000_000


def demo(*arguments: str) -> dict[str, Any]:
    """What the demonstration prints; it must have ended well."""
    command = ["demo", "--limit", str(EVENTS), "--history", "30", "--rate", "1000", *arguments]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, (result.output, result.exception)
    summary: dict[str, Any] = msgspec.json.decode(result.stdout)
    return summary


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that holds a small table under the data set's name, and no settings."""
    for name in [name for name in os.environ if name.startswith("MILLSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MILLSTREAM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("MILLSTREAM_LEARN_SNAPSHOT_INTERVAL_S", "0.2")
    folder = tmp_path / "datasets" / "movielens-100k"
    folder.mkdir(parents=True)
    rows = range(EVENTS)
    table = {
        "user": [f"{n % 5}" for n in rows],
        "item": [f"{n * n % 13}" for n in rows],
        "value": [5.0 for _ in rows],
        "ts": [START_S + n for n in rows],
    }
    pq.write_table(pa.table(table), folder / "events.parquet")
    items = {"item": [f"{n}" for n in range(13)], "title": [f"Film {n}" for n in range(13)]}
    pq.write_table(pa.table(items), folder / "items.parquet")
    return tmp_path


# --- the names --------------------------------------------------------------------------------


def names(settings: Settings) -> tuple[str, str]:
    own = with_own_namespace(settings)
    return own.topics.namespace, own.redis.prefix


def test_the_same_settings_have_the_same_names_wherever_the_servers_are() -> None:
    here = Settings(kafka=KafkaSettings("h:1"), data_dir="/a")
    assert names(here) == names(Settings())
    assert names(here) != ("", "ms")


@pytest.mark.parametrize(
    "changed",
    [
        Settings(list=ListSettings(length=7)),
        Settings(topics=TopicSettings(event_partitions=4)),
        Settings(topics=TopicSettings(clicks="taps")),
        Settings(fields=FieldSettings(user="customer")),
    ],
    ids=["list", "partitions", "topic", "field"],
)
def test_what_topics_and_snapshots_are_made_with_gives_other_names(changed: Settings) -> None:
    assert names(changed) != names(Settings())


def test_another_release_gives_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    before = names(Settings())
    monkeypatch.setattr("millstream.streams.demo_settings.version", lambda _: "99.0")
    assert names(Settings()) != before


def test_a_namespace_that_is_given_stays() -> None:
    mine = Settings(topics=TopicSettings(namespace="mine"), redis=RedisSettings(prefix="keys"))
    assert with_own_namespace(mine) == mine


# --- the command ------------------------------------------------------------------------------


def test_embedded_it_plays_learns_and_audits(data_dir: Path) -> None:
    summary = demo("--embedded")
    assert (summary["events"], summary["lists"], summary["audit"]["clean"]) == (EVENTS, 5, True)
    assert summary["kafka"] == "embedded"


def test_after_other_settings_it_still_works_and_theirs_stays(
    data_dir: Path,
    kafka_address: str,
    redis_url: str,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Topics are named after the test: the stack is shared, and a demonstration's names are."""
    servers = ("--kafka", kafka_address, "--redis", redis_url)
    monkeypatch.setenv("MILLSTREAM_TOPICS_CLICKS", f"{namespace}-clicks")
    monkeypatch.setenv("MILLSTREAM_LIST_LENGTH", "7")
    assert demo(*servers)["audit"]["events"] == EVENTS
    older = with_own_namespace(load_settings(flags={}))
    kept, lists = snapshots(older), lists_of(older, redis_url)
    assert kept
    assert len(lists) == 5

    monkeypatch.delenv("MILLSTREAM_LIST_LENGTH")
    summary = demo(*servers)
    assert (summary["audit"]["events"], summary["lists"]) == (EVENTS, 5)
    assert (snapshots(older), lists_of(older, redis_url)) == (kept, lists)

    again = demo(*servers)
    assert again["audit"]["events"] == 2 * EVENTS, "one like it goes on where it was"


def snapshots(settings: Settings) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in new_snapshots(settings).paths()}


def lists_of(settings: Settings, redis_url: str) -> dict[str, bytes | None]:
    redis = msgspec.structs.replace(settings.redis, url=redis_url)
    store = open_store(msgspec.structs.replace(settings, redis=redis))
    try:
        users = sorted(store.users())
        return dict(zip(users, store.listings(users), strict=True))
    finally:
        store.close()
