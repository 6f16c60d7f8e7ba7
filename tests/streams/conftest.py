"""Whole systems that a test drives step by step: nothing moves unless the test says so."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from millstream.exporters.memory_store import MemoryStore
from millstream.exporters.metrics import WorkerMetrics
from millstream.exporters.redis_store import RedisStore
from millstream.exporters.store import Store
from millstream.models.encoders import Encoders
from millstream.models.event_set import ProfileParams
from millstream.models.fism import FismParams
from millstream.models.mf import MfParams
from millstream.models.pairs import PairsParams
from millstream.models.pop import PopParams
from millstream.models.profile import Profile
from millstream.streams.assembly import (
    Assembly,
    new_learned_model,
    new_recommender,
    new_replica_model,
    warm_up,
)
from millstream.streams.audit import Audit, audit
from millstream.streams.decode import record_decoder
from millstream.streams.embed import Embedder
from millstream.streams.encode import EncodeCore
from millstream.streams.kafka_log import KafkaLog
from millstream.streams.learn import LearnCore
from millstream.streams.listing import Listing, decode_listing
from millstream.streams.log import Log, Message, Record
from millstream.streams.media_decoders import DECODERS, MediaDecoders
from millstream.streams.memory_log import MemoryLog, choose_partition
from millstream.streams.patience import Patience
from millstream.streams.positions import Partition
from millstream.streams.recommend import RecommendCore
from millstream.streams.replica import Replica
from millstream.streams.settings import (
    EVENT_ROLES,
    ModelSettings,
    RedisSettings,
    Settings,
    TopicSettings,
    WorkerSettings,
)
from millstream.streams.snapshots import Snapshots
from millstream.streams.topics import ensure_topics, topic_specs

START_MS: Final = 1_700_000_000_000


class Crash(Exception):
    """Stands for kill -9: what the worker had in memory is gone."""


class Failpoints:
    """Where something may happen to a worker: by default nothing does."""

    Crash: Final = Crash

    def __init__(self) -> None:
        self.passed: list[str] = []
        self._armed: dict[str, tuple[int, Callable[[], object]]] = {}

    def arm(self, name: str, nth: int = 1) -> None:
        """Crash at the nth passing from now on, once."""

        def crash() -> None:
            raise Crash(name)

        self.at(name, crash, nth)

    def at(self, name: str, action: Callable[[], object], nth: int = 1) -> None:
        """Let something happen at the nth passing from now on, once."""
        self._armed[name] = (nth, action)

    def disarm(self) -> None:
        """Let everything pass."""
        self._armed.clear()

    def __call__(self, name: str) -> None:
        self.passed.append(name)
        left, action = self._armed.pop(name, (0, None))
        if action is None:
            return
        if left > 1:
            self._armed[name] = (left - 1, action)
        else:
            action()


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.ms = START_MS

    def __call__(self) -> int:
        return self.ms


class FragileStore(MemoryStore):
    """A store that can lose what it holds, as Redis does when it is flushed, restored or full."""

    def flush(self) -> None:
        """Forget everything, as FLUSHALL."""
        MemoryStore.__init__(self)

    def copy(self) -> "FragileStore":
        """Return a store that holds the same, as a dump of this moment."""
        other = FragileStore()
        other.take_over(self)
        return other

    def take_over(self, dump: "FragileStore") -> None:
        """Hold what a dump holds."""
        self._users = dict(dump._users)
        self._progress = dict(dump._progress)

    def lose_user(self, user: str) -> None:
        """Evict a user's profile and list."""
        del self._users[user]

    def lose_list(self, user: str) -> None:
        """Delete a user's list, leave the profile."""
        self._users[user] = (self._users[user][0], b"")

    def listings(self, users: Iterable[str]) -> list[bytes | None]:
        return [listing or None for listing in super().listings(list(users))]


class System:
    """Cores and jobs over one log and one store, a clock that stands still, and failpoints."""

    def __init__(self, settings: Settings, log: Log, store: Store, clock: Clock) -> None:
        self.settings = settings
        self.log = log
        self.store = store
        self.clock = clock
        self.failpoints = Failpoints()
        self.waited: list[str] = []
        self.stopping = threading.Event()
        self.snapshots = Snapshots(
            settings.data_path / "snapshots", settings.learn.snapshots_kept, self.failpoints
        )
        self._events = 0
        ensure_topics(log, settings)

    @property
    def fragile(self) -> FragileStore:
        """The store, where it is one that can lose what it holds."""
        assert isinstance(self.store, FragileStore)
        return self.store

    def assembly(
        self,
        worker: str = "w",
        encoders: Encoders | None = None,
        decoders: MediaDecoders = DECODERS,
    ) -> Assembly:
        """What puts together the jobs of a worker process."""
        return Assembly(
            self.settings,
            self.log,
            self.store,
            WorkerMetrics(CollectorRegistry()),
            worker,
            self.waited.append,
            self.clock,
            self.failpoints,
            snapshots=self.snapshots,
            encoders=encoders,
            decoders=decoders,
            clock_s=lambda: self.clock.ms / 1000,
        )

    def embed(
        self, encoders: Encoders | None = None, decoders: MediaDecoders = DECODERS
    ) -> Embedder:
        """Let a new embedder of the whole catalogue do all that waits; return it, ended."""
        embedder = self.assembly("encode", encoders, decoders).embedder()
        embedder.assign(self.partitions("items"))
        wait_s = 0.0 if isinstance(self.log, MemoryLog) else 1.0
        while embedder.step(wait_s) or embedder.old or embedder.behind():
            pass
        embedder.close()
        return embedder

    def topic(self, role: str) -> str:
        return self.settings.topics.name(role)

    def partitions(self, *roles: str) -> list[Partition]:
        """Every partition of these topics, of the event topics if none are named."""
        topics = [self.topic(role) for role in roles or EVENT_ROLES]
        return [(topic, p) for topic in topics for p in range(self.log.partitions(topic))]

    def records(self, role: str, partition: int = 0) -> list[Record]:
        """All that a partition holds."""
        topic = self.topic(role)
        return list(self.log.read(topic, partition, *self.log.bounds(topic, partition)))

    def waiting(self, starts: dict[Partition, int]) -> list[Record]:
        """All that the log holds from these offsets on, interleaved as consumers deliver it."""
        found: list[Record] = []
        for (topic, p), start in starts.items():
            _, end = self.log.bounds(topic, p)
            if start < end:
                found += self.log.read(topic, p, start, end)
        return sorted(found, key=lambda r: (r.timestamp_ms, r.topic, r.partition, r.offset))

    def event(
        self,
        user: str,
        item: str,
        *,
        role: str = "clicks",
        partition: int | None = None,
        **fields: object,
    ) -> Record:
        """Publish an event; ids count up and time passes unless the fields say otherwise."""
        self._events += 1
        self.clock.ms += 10
        event = {"id": f"e{self._events:05d}", "ts": self.clock.ms, "user": user, "item": item}
        return self.raw(msgspec.json.encode(event | fields), user.encode(), role, partition)

    def raw(
        self,
        value: bytes | None,
        key: bytes | None = b"k",
        role: str = "clicks",
        partition: int | None = None,
    ) -> Record:
        """Publish whatever; return it as the log holds it."""
        topic = self.topic(role)
        if partition is None:
            partition = choose_partition(key, self.log.partitions(topic))
        (offset,) = self.log.append(topic, [Message(key, value, (), partition)])
        return Record(topic, partition, offset, self.clock.ms, key, value)

    def item(self, item: str, **fields: object) -> Record:
        """Publish a catalogue entry; without fields it is a deletion."""
        return self.raw(msgspec.json.encode(fields) if fields else None, item.encode(), "items")

    def rewrite(self, role: str, values: Iterable[bytes | Message | None]) -> None:
        """Re-create a topic with other records: what no honest worker ever does."""
        topic = self.topic(role)
        self.log.delete([topic])
        self.log.create([spec for spec in topic_specs(self.settings) if spec.name == topic])
        messages = [v if isinstance(v, Message) else Message(None, v) for v in values]
        if messages:
            self.log.append(topic, messages)

    def patience(self) -> Patience:
        return Patience(self.stopping, self.waited.append)

    def new_replica(self) -> Replica:
        """A replica that has not been opened."""
        model = new_replica_model(self.settings)
        return Replica(self.settings, self.log, self.snapshots, model, self.clock)

    def replica(self) -> Replica:
        """A replica that has caught up as far as it can."""
        replica = self.new_replica()
        replica.open()
        self.catch_up(replica)
        return replica

    def catch_up(self, replica: Replica) -> None:
        # A follower of real Kafka needs a moment to fetch; one in memory has all at once.
        wait_s = 0.0 if isinstance(self.log, MemoryLog) else 0.3
        while replica.catch_up(wait_s):
            pass

    def recommend(self, own: Iterable[Partition] | None = None) -> RecommendCore:
        """A core that owns these partitions, all if none are named."""
        replica = self.replica()
        core = RecommendCore(
            self.settings,
            self.log,
            self.store,
            replica,
            new_recommender(self.settings, replica.model),
            record_decoder(self.settings),
            self.patience(),
            self.clock,
            self.failpoints,
        )
        core.assign(self.partitions() if own is None else own)
        return core

    def learn(self, writer: str = "learn-1") -> LearnCore:
        """A learner that has begun where the last frame ends."""
        core = LearnCore(
            self.settings,
            self.log,
            self.snapshots,
            new_learned_model(self.settings),
            writer,
            self.patience(),
            self.clock,
            self.failpoints,
        )
        core.begin()
        return core

    def encode(self) -> EncodeCore:
        """A core that owns the whole catalogue."""
        core = EncodeCore(self.settings, self.log, self.store, self.patience(), self.clock)
        core.assign(self.partitions("items"))
        return core

    def work(self, worker: str = "w") -> None:
        """Let new workers do all that waits, and end as on SIGTERM.

        First LEARN, so that lists are of what was learnt before these events; then RECOMMEND,
        then LEARN again. The replica's digest and a snapshot are left behind.
        """
        assembly = self.assembly(worker)
        learn, recommend = assembly.learn(), assembly.recommend()
        learn.open()
        starts = learn.assign(self.partitions("interactions"))
        learn.apply(self.waiting(starts))
        self.clock.ms += 60_000
        learn.idle()
        recommend.open()
        recommend.apply(self.waiting(recommend.assign(self.partitions())))
        learn.apply(self.waiting(starts))
        self.clock.ms += 60_000
        learn.idle()
        learn.close()
        for _ in range(3):
            recommend.idle()
        recommend.close()

    def settle(self, core: RecommendCore, learner: LearnCore) -> None:
        """Let both do all that waits."""
        while core.sweep().batches:
            pass
        learner.sweep()
        self.clock.ms += 60_000
        learner.tick()
        self.catch_up(core.replica)

    def audit(self) -> Audit:
        return audit(self.settings, self.log, self.store, self.snapshots)

    def profile(self, user: str) -> Profile:
        return Profile.unpack(self.store.profiles([user])[0])

    def listing(self, user: str) -> Listing:
        value = self.store.listings([user])[0]
        assert value is not None
        return decode_listing(value)

    def listed(self, user: str) -> list[str]:
        return [entry.item for entry in self.listing(user).items]

    def lists(self) -> dict[str, object]:
        """What every list says, without how it came to be."""
        return {user: self.listing(user).items for user in sorted(self.store.users())}

    def histories(self) -> dict[str, object]:
        """What every profile holds, without how it came to be."""
        found: dict[str, object] = {}
        for user in sorted(self.store.users()):
            profile = self.profile(user)
            profile.as_of = {}
            found[user] = profile.pack()
        return found

    def append_ends(self) -> Counter[str]:
        """How many records each topic holds."""
        ends: Counter[str] = Counter()
        for role in self.settings.topics.roles:
            for tp in self.partitions(role):
                ends[role] += self.log.bounds(*tp)[1]
        return ends


MakeSystem = Callable[..., System]


def small_settings(folder: Path, namespace: str = "", **sections: msgspec.Struct) -> Settings:
    """Settings with narrow bounds; whole sections may be given."""
    given: dict[str, msgspec.Struct | dict[str, msgspec.Struct]] = {
        "topics": TopicSettings(namespace=namespace, event_partitions=2, item_partitions=2),
        "profile": ProfileParams(events_max=20, seen_max=64),
        "model": ModelSettings(history_max=10),
        "sources": {
            "pairs": PairsParams(width=32),
            "pop": PopParams(head=64),
            "mf": MfParams(factors=8, users_max=64, item_users=8),
            "fism": FismParams(factors=8),
        },
        "worker": WorkerSettings(batch_max=10),
        **sections,
    }
    return Settings(data_dir=str(folder), **given)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def warm() -> None:
    """Compile the kernels before anything is timed."""
    warm_up(Settings())


@pytest.fixture
def make_system(warm: None, tmp_path: Path) -> MakeSystem:
    """Make systems in memory, each of its own, with whole sections of settings given."""
    made = count()

    def make(**sections: msgspec.Struct) -> System:
        settings = small_settings(tmp_path / str(next(made)), "", **sections)
        clock = Clock()
        return System(settings, MemoryLog(clock), FragileStore(), clock)

    return make


@pytest.fixture
def system(make_system: MakeSystem) -> System:
    """A system in memory."""
    return make_system()


@pytest.fixture
def real_system(
    warm: None, kafka_log: KafkaLog, redis_url: str, namespace: str, tmp_path: Path
) -> Iterator[System]:
    """The same on real Kafka and real Redis, under names of its own."""
    settings = small_settings(
        tmp_path, namespace, redis=RedisSettings(url=redis_url, prefix=namespace)
    )
    store = RedisStore(redis_url, namespace)
    yield System(settings, kafka_log, store, Clock())
    store.close()
