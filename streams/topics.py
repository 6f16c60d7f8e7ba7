"""The topics: one table of what each is, made and held to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from millstream.streams.errors import FoundWrong
from millstream.streams.log import Log, TopicMissing, TopicSpec
from millstream.streams.settings import Settings

DAY_MS: Final = 86_400_000

Count = Literal["event_partitions", "item_partitions", 1]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a topic is cut and kept: the setting that counts its partitions, or 1; its retention."""

    count: Count
    retention_days: int | None  # None: compacted, the newest of each key is kept

    @property
    def policy(self) -> dict[str, str]:
        """Return what is relied on, in Kafka's names: no team may have it otherwise.

        Append time everywhere: events of 1997 would otherwise be past retention on arrival,
        and an event's own time is held against it.
        """
        cleanup = "compact" if self.retention_days is None else "delete"
        return {"cleanup.policy": cleanup, "message.timestamp.type": "LogAppendTime"}

    @property
    def config(self) -> dict[str, str]:
        """Return what the topic is created with; a team may choose its own retention."""
        if self.retention_days is None:
            # A tombstone stays: whoever reads the catalogue anew must still learn of a deletion.
            return {**self.policy, "delete.retention.ms": str(36_500 * DAY_MS)}
        return {**self.policy, "retention.ms": str(self.retention_days * DAY_MS)}


# Events and interactions outlive a profile's horizon (365 days), so that all can be replayed;
# frames need to outlive the oldest snapshot only.
TOPICS: Final[dict[str, Kind]] = {
    "clicks": Kind("event_partitions", 400),
    "views": Kind("event_partitions", 400),
    "feedback": Kind("event_partitions", 400),
    "interactions": Kind(1, 400),
    "item_deltas": Kind(1, 30),
    "items": Kind("item_partitions", None),
    "item_embeddings": Kind("item_partitions", None),
    "erasures": Kind("event_partitions", None),
    "dead_letters": Kind(1, 30),
}

# What a broker takes where a topic says nothing.
BROKER_DEFAULTS: Final = {"cleanup.policy": "delete", "message.timestamp.type": "CreateTime"}


class TopicFault(msgspec.Struct, frozen=True):
    """What is wrong with one topic, and the sentence that mends it."""

    topic: str
    fault: Literal["missing", "partitions", "policy"]
    mend: str


class TopicsWrong(FoundWrong):
    """Topics are not as they must be; `faults` has each."""

    def __init__(self, faults: Sequence[TopicFault]) -> None:
        self.faults = tuple(faults)
        more = len(faults) - 1
        also = f" (and {more} more, see: millstream topics check --json)" if more else ""
        super().__init__(faults[0].mend + also)


def topic_specs(settings: Settings) -> list[TopicSpec]:
    """Return every topic as it is to be created, under its own name, in the table's order."""
    return [
        TopicSpec(settings.topics.name(role), _count(kind, settings), kind.config)
        for role, kind in TOPICS.items()
    ]


def ensure_topics(log: Log, settings: Settings) -> list[str]:
    """Create what is missing and return its names; raises TopicsWrong for what is there."""
    made = log.create(topic_specs(settings))
    faults = check_topics(log, settings)
    if faults:
        raise TopicsWrong(faults)
    return made


def check_topics(log: Log, settings: Settings) -> list[TopicFault]:
    """Return what is wrong with the topics as they are; changes nothing."""
    faults: list[TopicFault] = []
    for role, kind in TOPICS.items():
        name = settings.topics.name(role)
        try:
            found, config = log.partitions(name), log.config(name)
        except TopicMissing:
            mend = f"topic {name} is missing; create it with: millstream topics create"
            faults.append(TopicFault(name, "missing", mend))
            continue
        wanted = _count(kind, settings)
        if found != wanted:
            faults.append(TopicFault(name, "partitions", _mend_count(name, kind, found, wanted)))
        for key, value in kind.policy.items():
            has = config.get(key, BROKER_DEFAULTS[key])
            if has != value:
                mend = (
                    f"topic {name} has {key}={has} and needs {value}; set it with: "
                    f"kafka-configs.sh --alter --topic {name} --add-config {key}={value}"
                )
                faults.append(TopicFault(name, "policy", mend))
    return faults


def _count(kind: Kind, settings: Settings) -> int:
    if kind.count == 1:
        return 1
    if kind.count == "event_partitions":
        return settings.topics.event_partitions
    return settings.topics.item_partitions


def _mend_count(name: str, kind: Kind, found: int, wanted: int) -> str:
    partitions = f"{found} partition{'s' if found != 1 else ''}"
    if kind.count == 1:
        return (
            f"topic {name} has {partitions} and must have 1, for its order is what counts; "
            "delete it, or name another in the settings, then: millstream topics create"
        )
    return (
        f"topic {name} has {partitions} where topics.{kind.count} is {wanted}; "
        f"set topics.{kind.count} to {found} if all of its kind have {found}, "
        "or delete the topic, then: millstream topics create"
    )
