"""Everything that can be set, as one frozen tree; settings_reader.py fills it from the world."""

import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

import msgspec

from millstream.models.caps import CapParams
from millstream.models.errors import ModelError
from millstream.models.event import EventWeights
from millstream.models.event_set import ProfileParams
from millstream.models.fusion import FusionParams
from millstream.models.impressions import FatigueParams
from millstream.models.newcomers import NewcomersParams
from millstream.models.registry import SOURCES, check_name, params_type, section_of
from millstream.streams.setting_values import (
    Addresses,
    Count,
    Failpoint,
    FieldName,
    HostName,
    KeyPrefix,
    Namespace,
    Positive,
    RedisUrl,
    Sha256,
    Share,
    SourceName,
    Text,
    TopicName,
)

Role = Literal["clicks", "views", "feedback"]
"""Which of the event topics, whatever a team calls them; one partition count for all three."""

EVENT_ROLES: Final[tuple[Role, ...]] = get_args(Role)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One section of the settings file."""


class KafkaSettings(Section, frozen=True):
    """Where Kafka is; empty means the running stack in the data folder."""

    bootstrap: Addresses = ""


class RedisSettings(Section, frozen=True):
    """Where Redis is, and how long it is waited for; ttl_days is a profile's time to live."""

    url: RedisUrl = ""
    prefix: KeyPrefix = "ms"
    timeout_s: Positive = 2.0
    ttl_days: Count = 400


class TopicSettings(Section, frozen=True):
    """A name for every topic, and the partitions of those that have several."""

    namespace: Namespace = ""
    clicks: TopicName = "clicks"
    views: TopicName = "views"
    feedback: TopicName = "feedback"
    interactions: TopicName = "interactions"
    item_deltas: TopicName = "item-deltas"
    items: TopicName = "items"
    item_embeddings: TopicName = "item-embeddings"
    erasures: TopicName = "erasures"
    dead_letters: TopicName = "dead-letters"
    event_partitions: Count = 8
    item_partitions: Count = 4

    def name(self, role: str) -> str:
        """Return the topic's whole name, with the namespace, for a role such as "item_deltas"."""
        name: str = getattr(self, role)
        return f"{self.namespace}.{name}" if self.namespace else name

    @property
    def roles(self) -> tuple[str, ...]:
        """Return the role of every topic, in the order of this section."""
        return tuple(
            name
            for name in self.__struct_fields__
            if name != "namespace" and not name.endswith("_partitions")
        )


class FieldSettings(Section, frozen=True):
    """What a team's events call our fields."""

    user: FieldName = "user"
    item: FieldName = "item"
    ts: FieldName = "ts"
    type: FieldName = "type"
    value: FieldName = "value"
    id: FieldName = "id"
    session: FieldName = "session"
    list: FieldName = "list"
    surface: FieldName = "surface"
    into: FieldName = "into"
    merged_from: FieldName = "merged_from"


class ModelSettings(Section, frozen=True):
    """The item model: its sources, by name, and the bounds that they share."""

    sources: Annotated[tuple[SourceName, ...], msgspec.Meta(min_length=1)] = (
        "pairs",
        "pop",
        "mf",
        "fism",
        "content",
    )
    items_max: Count = 200_000
    history_max: Count = 100
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = 0
    user_key: Annotated[
        str, msgspec.Meta(max_length=16, description="at most 16 characters, kept secret")
    ] = ""

    def __post_init__(self) -> None:
        """Refuse a source that there is not."""
        for name in self.sources:
            try:
                check_name(name)
            except ModelError as error:
                raise ValueError(error) from error


class ListSettings(Section, frozen=True):
    """The list that a person gets."""

    length: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    repeats: bool = False
    diversity: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    ttl_days: Count = 400
    renew_after_s: Annotated[float, msgspec.Meta(ge=0)] = 3600.0


class WorkerSettings(Section, frozen=True):
    """How RECOMMEND works: batches, memory, and what it bears."""

    batch_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500
    cache_users: Count = 5_000
    reject_ratio: Share = 0.05
    reject_window: Count = 1000
    reject_policy: Literal["stop", "alarm"] = "stop"
    redis_retry_s: Positive = 30.0


class LearnSettings(Section, frozen=True):
    """How LEARN speaks: frames for the replicas, snapshots for itself."""

    frame_interval_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)] = 250
    frame_bytes_max: Annotated[int, msgspec.Meta(ge=1000, le=256_000)] = 200_000
    snapshot_interval_s: Positive = 30.0
    snapshots_kept: Count = 3


class EncoderSettings(Section, frozen=True):
    """What turns content into vectors: `auto`, `off`, a built-in's name, or a folder.

    Text has `hashing` too. `allowed` are the sha256 of model files that folders may hold; none
    given allows any.
    """

    text: Text = "auto"
    image: Text = "auto"
    audio: Text = "auto"
    threads: Count = 1
    allowed: tuple[Sha256, ...] = ()


class EncodeSettings(Section, frozen=True):
    """How ENCODE reads media and keeps vectors."""

    batch_max: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 32
    cache_mb: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 256
    media_dir: str = ""
    media_hosts: tuple[HostName, ...] = ()
    media_bytes_max: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] = 10_000_000
    media_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5.0

    @property
    def media_path(self) -> Path | None:
        """Return the media folder, absolute; None where there is none."""
        return Path(self.media_dir).expanduser().absolute() if self.media_dir else None


class MetricsSettings(Section, frozen=True):
    """Where a worker's metrics and health are served; port 0 takes the first free one."""

    host: Text = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0


class Settings(Section, frozen=True):
    """All settings, valid: what every command and worker is given."""

    data_dir: Text = "~/.local/share/millstream"
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    topics: TopicSettings = TopicSettings()
    fields: FieldSettings = FieldSettings()
    weights: EventWeights = EventWeights()
    caps: CapParams = CapParams()
    profile: ProfileParams = ProfileParams()
    model: ModelSettings = ModelSettings()
    sources: dict[str, msgspec.Struct] = {}  # by name; one that is not here has its defaults
    fusion: FusionParams = FusionParams()
    newcomers: NewcomersParams = NewcomersParams()
    list: ListSettings = ListSettings()
    fatigue: FatigueParams = FatigueParams()
    worker: WorkerSettings = WorkerSettings()
    learn: LearnSettings = LearnSettings()
    encoders: EncoderSettings = EncoderSettings()
    encode: EncodeSettings = EncodeSettings()
    metrics: MetricsSettings = MetricsSettings()
    failpoint: Failpoint = ""

    @property
    def data_path(self) -> Path:
        """Return the data folder, absolute; it need not exist."""
        return Path(self.data_dir).expanduser().absolute()

    def section(self, name: str) -> msgspec.Struct:
        """Return a section, also a source's, by the name that it has in the settings file."""
        if name in SOURCES:
            return self.sources.get(name) or params_type(name)()
        section: msgspec.Struct = getattr(self, name)
        return section

    def with_section(self, name: str, section: msgspec.Struct) -> "Settings":
        """Return settings with one section changed."""
        if name not in SOURCES:
            return msgspec.structs.replace(self, **{name: section})
        sources = {one: params for one, params in self.sources.items() if one != name}
        if section != params_type(name)():
            sources[name] = section
        return msgspec.structs.replace(self, sources=sources)

    def shape_hash(self) -> str:
        """Return 8 hex digits over all that shapes profiles, the model and lists.

        Sources that are not in use do not count. Addresses, names and times to live neither.
        """
        shaping: dict[str, object] = {
            "weights": self.weights,
            "model": self.model,
            "length": self.list.length,
            "repeats": self.list.repeats,
            "diversity": self.list.diversity,
            **{
                name: self.section(name)
                for name in (
                    "caps",
                    "profile",
                    "fusion",
                    "newcomers",
                    "fatigue",
                    *map(section_of, self.model.sources),
                )
            },
        }
        encoded = msgspec.json.encode(shaping, order="sorted")
        return hashlib.sha256(encoded).hexdigest()[:8]
