"""replay, items, list, watch, data and doctor, on a real Kafka and a real Redis."""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.streams.conftest import Clock, System

from millstream.exporters.store import Store, UserWrite
from millstream.models.event import Event
from millstream.streams.cli import run
from millstream.streams.decode import record_decoder
from millstream.streams.doctor import Finding, examine
from millstream.streams.listing import Entry, Listing, encode_listing
from millstream.streams.log import Log, Record
from millstream.streams.settings import EncoderSettings, Settings
from millstream.streams.settings_reader import load_settings
from millstream.streams.stack import StackStatus
from millstream.streams.world import addresses, open_log, open_store

S = 1_700_000_000
Run = Callable[..., Any]


@pytest.fixture
def settings(
    kafka_address: str,
    redis_url: str,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    """Settings by the environment alone: a namespace of its own on the shared stack."""
    for name in [name for name in os.environ if name.startswith("MILLSTREAM_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "KAFKA": kafka_address,
        "REDIS": redis_url,
        "DATA_DIR": str(tmp_path),
        "TOPICS_NAMESPACE": namespace,
        "REDIS_PREFIX": namespace,
        "TOPICS_EVENT_PARTITIONS": "2",
        "TOPICS_ITEM_PARTITIONS": "1",
    }.items():
        monkeypatch.setenv(f"MILLSTREAM_{name}", value)
    return load_settings()


@pytest.fixture
def answer(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command with --json; return its answer, checked to be one line."""

    def ask(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert run([*arguments, "--json"]) == code
        (line,) = capsys.readouterr().out.splitlines()
        return json.loads(line)

    return ask


def records(log: Log, settings: Settings, role: str) -> list[Record]:
    topic = settings.topics.name(role)
    found: list[Record] = []
    for partition in range(log.partitions(topic)):
        found += log.read(topic, partition, *log.bounds(topic, partition))
    return found


def test_a_file_is_replayed_once_however_often_the_same_run_is_published(
    settings: Settings, answer: Run, tmp_path: Path
) -> None:
    file = tmp_path / "events.csv"
    rows = [f"u{n % 7},i{n},{S + n},{n % 5 + 1}" for n in range(100)]
    file.write_text("\n".join(["customer,item,ts,stars", *rows]))
    columns = ["--columns", "user=customer,value=stars"]
    missing = answer("replay", str(file), *columns, code=3)
    assert "millstream topics create" in missing["error"]
    answer("topics", "create")
    first = answer("replay", str(file), *columns, "--positive", "stars>=4", "--limit", "30")
    assert first["published"] == 30
    again = answer("replay", str(file), *columns, "--positive", "value>=4", "--run", first["run"])
    assert (again["published"], again["run"]) == (40, first["run"])
    log = open_log(settings)
    try:
        decode = record_decoder(settings)
        events = [decode(record) for record in records(log, settings, "clicks")]
    finally:
        log.close()
    assert len(events) == 70
    assert all(isinstance(event, Event) for event in events)
    assert len({event.id for event in events if isinstance(event, Event)}) == 40


def test_a_catalogue_is_published_and_items_deleted(
    settings: Settings, answer: Run, tmp_path: Path
) -> None:
    answer("topics", "create")
    file = tmp_path / "items.csv"
    file.write_text("sku,title\n1,Lamp\n2,Chair\n")
    loaded = answer("items", "load", str(file), "--columns", "item=sku", "--delete", "3")
    assert (loaded["items"], loaded["deleted"]) == (2, 1)
    log = open_log(settings)
    try:
        found = records(log, settings, "items")
    finally:
        log.close()
    assert [(record.key, record.value) for record in found] == [
        (b"1", b'{"title":"Lamp"}'),
        (b"2", b'{"title":"Chair"}'),
        (b"3", None),
    ]


def test_a_catalogue_with_pictures_comes_out_of_a_file_or_a_database(
    settings: Settings, answer: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer("topics", "create")
    (tmp_path / "1.png").write_bytes(b"\x89PNG")
    file = tmp_path / "items.csv"
    file.write_text("sku,title,tags,image\n1,Lamp,a|b,1.png\n2,Chair,,2.png\n")
    assert run(["items", "load", str(file), "--columns", "item=sku"]) == 0
    assert "1 media are not there; the first left out is 2.png of item 2" in " ".join(
        capsys.readouterr().err.split()
    )
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
        shop.execute("create table products (id text, name text, price real)")
        shop.executemany("insert into products values (?, ?, ?)", [("3", "Bed", 9.5), ("4", "", 1)])
        shop.commit()
    database = f"sqlite:///{tmp_path / 'shop.db'}"
    query = ["--query", "select * from products where id like '%3'"]
    loaded = answer("items", "load", database, *query, "--columns", "item=id,title=name")
    assert (loaded["items"], loaded["deleted"]) == (1, 0)
    assert "--query" in answer("items", "load", database, code=2)["error"]
    assert "--query" in answer("items", "load", str(file), *query, code=2)["error"]
    wrong = answer("items", "load", "postgresql://u:secret@127.0.0.1:1/x", *query, code=3)
    assert "secret" not in wrong["error"]
    log = open_log(settings)
    try:
        found = {record.key: record.value for record in records(log, settings, "items")}
    finally:
        log.close()
    assert found == {
        b"1": b'{"title":"Lamp","tags":["a","b"],"image":{"base64":"iVBORw=="}}',
        b"2": b'{"title":"Chair"}',
        b"3": b'{"title":"Bed","price":9.5}',
    }


def put(store: Store, user: str, *items: str) -> None:
    entries = [Entry(item, 1.0, "co", "9") for item in items]
    listing = Listing(f"l-{'-'.join(items)}", user, S, {"clicks-0": 1}, 3, "9f3c", [], entries)
    (old,) = store.profiles([user])
    write = UserWrite(
        user, (old or b"")[:8], f"{len(items):08d}-".encode(), encode_listing(listing)
    )
    assert store.write_users([write]) == [True]


def test_a_list_is_shown_and_a_stranger_gets_trending(
    settings: Settings, answer: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_store(settings)
    try:
        assert answer("list", "nobody")["items"] == []
        put(store, "u", "1", "2")
        store.write_items({"1": b'{"title": "A [bold] lamp"}'})
        store.hide(["2"])
        shown = answer("list", "u")
        assert (shown["user"], shown["fallback"], shown["model"]) == ("u", None, 3)
        assert [entry["title"] for entry in shown["items"]] == ["A [bold] lamp"]
        assert run(["list", "u"]) == 0
        assert "A [bold] lamp" in capsys.readouterr().out
        trending = Listing("l-t", "", S, {}, 3, "9f3c", [], [Entry("7", 2.0, "trending")])
        store.write_shared("trending", encode_listing(trending))
        assert answer("list", "nobody")["fallback"] == "trending"
    finally:
        store.close()


def test_a_list_is_watched_for_a_while(settings: Settings, answer: Run) -> None:
    store = open_store(settings)
    try:
        put(store, "u", "1")
        watched = answer("watch", "u", "--for", "0.3")
    finally:
        store.close()
    assert watched["changes"] == 0
    assert [entry["item"] for entry in watched["list"]["items"]] == ["1"]


def test_why_says_why_an_item_is_listed_and_why_not(
    settings: Settings, answer: Run, capsys: pytest.CaptureFixture[str], warm: None
) -> None:
    log, store = open_log(settings), open_store(settings)
    try:
        system = System(settings, log, store, Clock())
        for n in range(40):
            system.event(f"u{n % 4}", f"m{n // 4 + n % 4}")
        system.event("ann", "m3")
        system.item("m5", title="A [bold] lamp", hidden=True)
        system.work()
        system.encode().apply(system.records("items"))
        (first, *_) = system.listed("ann")
    finally:
        store.close()
        log.close()
    listed = answer("why", "ann", first)
    assert (listed["why"]["verdict"], listed["why"]["place"]) == ("listed", 1)
    assert (listed["known"], listed["stored_place"]) == (True, 1)
    assert listed["sentence"] == f"{first} is number 1 of 20: people took it after m3"
    hidden = answer("why", "ann", "m5", code=1)
    assert (hidden["why"]["verdict"], hidden["sentence"]) == (
        "hidden",
        "A [bold] lamp is hidden in the catalogue, so it is shown to nobody",
    )
    assert answer("why", "ann", "m3", code=1)["why"]["verdict"] == "met"
    assert answer("why", "ann", "m99", code=1)["why"]["verdict"] == "unknown"
    assert not answer("why", "nobody", first)["known"]
    assert "no item id" in answer("why", "ann", "", code=2)["error"]
    assert (
        "redis" in answer("why", "ann", first, "--redis", "redis://127.0.0.1:1/0", code=3)["error"]
    )
    assert run(["why", "ann", first]) == 0
    shown = capsys.readouterr().out
    assert "co_short" in shown
    assert "(number 1)" in shown


def test_data_sets_are_listed(settings: Settings, answer: Run) -> None:
    held = answer("data", "list")["datasets"]
    assert (held[0]["name"], held[0]["here"]) == ("movielens-100k", False)
    assert "no redistribution" in held[0]["terms"]


def test_odd_files_are_replayed_whole(settings: Settings, answer: Run, tmp_path: Path) -> None:
    answer("topics", "create")
    file = tmp_path / "odd.csv"
    for rows, published in (
        ([f"u{n % 3},i{n % 4},{S}" for n in range(12)], 12),  # all ties
        ([f"u,i{n},{S - n}" for n in range(12)], 12),  # one user, backwards
        ([f"u{n},i,{S + n}" for n in range(12)], 12),  # one item
        ([f"u,i,{S}"] * 12, 12),  # the same row again and again
        ([f"u,i{n},{S if n % 3 else 'nan'}" for n in range(12)], 8),
    ):
        file.write_text("\n".join(["user,item,ts", *rows]))
        assert answer("replay", str(file))["published"] == published
    file.write_text("user,item,ts\nu,i,1\nu,j,2\n")
    assert "is --ts-unit right?" in answer("replay", str(file), code=2)["error"]


def test_the_doctor_finds_what_is_here_and_what_is_not(settings: Settings, answer: Run) -> None:
    found = {one["name"]: one for one in answer("doctor")["findings"]}
    assert found["kafka"]["state"] == "ok"
    assert found["redis"]["found"].startswith(("redis ", "valkey "))
    assert found["topics"] == {
        "name": "topics",
        "state": "could be",
        "found": "9 are missing",
        "todo": "millstream topics create",
    }
    answer("topics", "create")
    after = {one["name"]: one for one in answer("doctor")["findings"]}
    assert after["topics"]["state"] == "ok"
    gone = answer("doctor", "--redis", "redis://127.0.0.1:1/0", code=3)
    assert not gone["ok"]
    assert [one["name"] for one in gone["findings"] if one["state"] == "missing"] == ["redis"]


def test_the_doctor_says_which_encoders_the_settings_choose_and_which_are_not_here(
    settings: Settings, tmp_path: Path
) -> None:
    chosen = EncoderSettings(text="hashing", image="auto", audio="aisfx")
    found = examine(msgspec.structs.replace(settings, encoders=chosen), tmp_path)
    encoders = [one for one in found if one.name.startswith("encoder of ")]
    assert encoders == [
        Finding("encoder of text", "ok", "hashed words: spelling only"),
        Finding(
            "encoder of image", "could be", "off", "millstream encoders fetch efficientnet-lite0"
        ),
        Finding(
            "encoder of audio",
            "missing",
            "aisfx is not fetched",
            "millstream encoders fetch aisfx",
        ),
    ]


def test_a_running_stack_is_found_in_the_data_folder_and_what_is_given_wins(
    stack: StackStatus,
) -> None:
    environ = {"MILLSTREAM_DATA_DIR": stack.data_dir}
    found = addresses(load_settings(environ=environ))
    assert (found.kafka, found.redis) == (stack.kafka, stack.redis)
    given = addresses(load_settings(environ=environ | {"MILLSTREAM_KAFKA": "elsewhere:1"}))
    assert (given.kafka, given.redis) == ("elsewhere:1", stack.redis)
    nothing = addresses(load_settings(environ={"MILLSTREAM_DATA_DIR": "/nonexistent"}))
    assert (nothing.kafka, nothing.redis) == (None, None)
