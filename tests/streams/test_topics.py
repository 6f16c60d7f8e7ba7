"""The table of topics, made and checked on the log in memory and on real Kafka."""

import json
from collections.abc import Iterator

import msgspec
import pytest

from millstream.streams.cli import run
from millstream.streams.kafka_log import KafkaLog
from millstream.streams.log import Log, TopicSpec
from millstream.streams.memory_log import MemoryLog
from millstream.streams.settings import Settings, TopicSettings
from millstream.streams.topics import (
    TOPICS,
    TopicsWrong,
    check_topics,
    ensure_topics,
    topic_specs,
)


@pytest.fixture(params=["memory", "kafka"])
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    if request.param == "kafka":
        kafka: KafkaLog = request.getfixturevalue("kafka_log")
        yield kafka
    else:
        yield MemoryLog()


@pytest.fixture
def settings(namespace: str) -> Settings:
    return Settings(
        topics=TopicSettings(namespace=namespace, event_partitions=3, item_partitions=2)
    )


def test_every_topic_of_the_settings_is_in_the_table() -> None:
    assert tuple(TOPICS) == Settings().topics.roles


def test_what_is_created_is_what_the_design_says(log: Log, settings: Settings) -> None:
    space = settings.topics.namespace
    made = ensure_topics(log, settings)
    assert made == [f"{space}.{role.replace('_', '-')}" for role in TOPICS]
    counts = {name.removeprefix(f"{space}."): log.partitions(name) for name in made}
    assert counts == {
        "clicks": 3,
        "views": 3,
        "feedback": 3,
        "interactions": 1,
        "item-deltas": 1,
        "items": 2,
        "item-embeddings": 2,
        "erasures": 3,
        "dead-letters": 1,
    }
    compacted = {
        name.removeprefix(f"{space}.")
        for name in made
        if log.config(name)["cleanup.policy"] == "compact"
    }
    assert compacted == {"items", "item-embeddings", "erasures"}
    assert {log.config(name)["message.timestamp.type"] for name in made} == {"LogAppendTime"}


def test_creating_twice_is_harmless(log: Log, settings: Settings) -> None:
    made = ensure_topics(log, settings)
    ids = log.topic_ids(made)
    assert ensure_topics(log, settings) == []
    assert log.topic_ids(made) == ids
    assert check_topics(log, settings) == []


def test_checking_creates_nothing_and_names_what_is_missing(log: Log, settings: Settings) -> None:
    faults = check_topics(log, settings)
    assert [fault.topic for fault in faults] == [spec.name for spec in topic_specs(settings)]
    assert {fault.fault for fault in faults} == {"missing"}
    assert all("millstream topics create" in fault.mend for fault in faults)
    assert check_topics(log, settings) == faults


def test_a_wrong_count_is_refused_with_the_sentence_that_mends_it(
    log: Log, settings: Settings
) -> None:
    ensure_topics(log, settings)
    eight = msgspec.structs.replace(
        settings, topics=msgspec.structs.replace(settings.topics, event_partitions=8)
    )
    with pytest.raises(TopicsWrong, match=r"has 3 partitions .* set topics\.event_partitions to 3"):
        ensure_topics(log, eight)
    assert [fault.fault for fault in check_topics(log, eight)] == ["partitions"] * 4
    assert check_topics(log, settings) == []


def test_interactions_with_two_partitions_are_refused(log: Log, settings: Settings) -> None:
    name = settings.topics.name("interactions")
    log.create([TopicSpec(name, 2, TOPICS["interactions"].config)])
    with pytest.raises(TopicsWrong, match="must have 1") as wrong:
        ensure_topics(log, settings)
    assert [fault.topic for fault in wrong.value.faults] == [name]


def test_a_policy_that_would_lose_events_is_refused_and_a_teams_retention_is_not(
    log: Log, settings: Settings
) -> None:
    clicks, views = settings.topics.name("clicks"), settings.topics.name("views")
    log.create(
        [
            TopicSpec(clicks, 3, {"cleanup.policy": "compact"}),
            TopicSpec(views, 3, {**TOPICS["views"].policy, "retention.ms": "1000000"}),
        ]
    )
    with pytest.raises(TopicsWrong, match=r"kafka-configs\.sh"):
        ensure_topics(log, settings)
    assert [(fault.topic, fault.fault) for fault in check_topics(log, settings)] == [
        (clicks, "policy"),
        (clicks, "policy"),
    ]


def test_the_command_creates_and_checks_and_answers_in_json(
    kafka_address: str,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MILLSTREAM_TOPICS_NAMESPACE", namespace)

    def topics(verb: str) -> tuple[int, dict[str, list[object]]]:
        code = run(["topics", verb, "--json", "--kafka", kafka_address])
        answer: dict[str, list[object]] = json.loads(capsys.readouterr().out)
        return code, answer

    code, answer = topics("check")
    assert (code, len(answer["faults"])) == (1, len(TOPICS))
    code, answer = topics("create")
    assert (code, len(answer["created"]), answer["faults"]) == (0, len(TOPICS), [])
    assert topics("create") == (0, {"created": [], "faults": []})
    code, answer = topics("check")
    assert (code, answer["faults"]) == (0, [])
    monkeypatch.setenv("MILLSTREAM_TOPICS_EVENT_PARTITIONS", "5")
    code, answer = topics("create")
    assert (code, len(answer["faults"])) == (1, 4)
