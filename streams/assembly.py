"""Puts the parts together: what every worker, evaluation and audit make from the same settings."""

import threading
import time
from collections.abc import Callable, Collection

from millstream.exporters.metrics import WorkerMetrics
from millstream.exporters.store import Store
from millstream.models.attributes import VERSION, categories_vector
from millstream.models.catalogue import Catalogue
from millstream.models.embedding import Embedding, Modality, Part, content_digest, unit_vector
from millstream.models.encoders import Encoders
from millstream.models.event import Event
from millstream.models.interaction import FORMAT, InteractionBatch
from millstream.models.item_model import ItemModel
from millstream.models.learned_model import LearnedModel
from millstream.models.model_replica import ModelReplica
from millstream.models.profile import Profile
from millstream.models.recommender import Recommender, Request
from millstream.models.registry import new_source, section_of
from millstream.models.source import Source
from millstream.streams.decode import record_decoder
from millstream.streams.descriptions import encode_descriptions
from millstream.streams.embed import Embedded, Embedder
from millstream.streams.embed_inputs import InputReader
from millstream.streams.embed_loop import EmbedLoop
from millstream.streams.encode import EncodeCore
from millstream.streams.encode_job import EncodeJob
from millstream.streams.https_fetch import HttpsFetcher
from millstream.streams.interactions import interaction_of
from millstream.streams.item_parts import makers_of
from millstream.streams.learn import LearnCore
from millstream.streams.learn_job import LearnJob
from millstream.streams.log import Log, Message
from millstream.streams.media import MediaReader
from millstream.streams.media_decoders import DECODERS, MediaDecoders
from millstream.streams.patience import Patience
from millstream.streams.recommend import RecommendCore
from millstream.streams.recommend_job import RecommendJob
from millstream.streams.replica import Replica
from millstream.streams.settings import Settings
from millstream.streams.shared_lists import SharedLists
from millstream.streams.snapshots import Snapshots

ClockMs = Callable[[], int]
Failpoint = Callable[[str], None]


def wall_clock_ms() -> int:
    """Return ms since the epoch."""
    return time.time_ns() // 1_000_000


def no_failpoint(name: str) -> None:
    """Let every failpoint pass."""


def new_sources(settings: Settings) -> list[tuple[Source, int]]:
    """Return the sources that the settings name, empty, with how much each proposes."""
    params = {name: settings.section(section_of(name)) for name in settings.model.sources}
    return [
        (new_source(name, p, settings.model.seed), getattr(p, "proposals", 0))
        for name, p in params.items()
    ]


def new_learned_model(settings: Settings) -> LearnedModel:
    """Return an empty item model that learns."""
    model = settings.model
    return LearnedModel(
        new_sources(settings),
        settings.fusion,
        model.items_max,
        model.seed,
        settings.newcomers,
        repeat=settings.list.repeats,
    )


def new_replica_model(settings: Settings) -> ModelReplica:
    """Return an empty item model that follows frames."""
    model = settings.model
    sources = new_sources(settings)
    return ModelReplica(sources, settings.fusion, model.items_max, model.seed, settings.newcomers)


def new_recommender(settings: Settings, model: ItemModel) -> Recommender:
    """Return what ranks with a model."""
    return Recommender(
        model,
        settings.weights,
        history_max=settings.model.history_max,
        length=settings.list.length,
        repeats=settings.list.repeats,
        diversity=settings.list.diversity,
        user_key=settings.model.user_key.encode(),
        fatigue=settings.fatigue,
    )


def new_snapshots(settings: Settings, failpoint: Failpoint = no_failpoint) -> Snapshots:
    """Return the snapshots in the data folder."""
    folder = settings.data_path / "snapshots"
    if settings.topics.namespace:
        folder = folder / settings.topics.namespace
    return Snapshots(folder, settings.learn.snapshots_kept, failpoint)


def new_input_reader(
    settings: Settings, encoders: Collection[Modality], decoders: MediaDecoders
) -> InputReader:
    """Return what reads items for these encoders, within the bounds of the settings."""
    encode = settings.encode
    fetcher = HttpsFetcher(encode.media_hosts, encode.media_bytes_max, encode.media_timeout_s)
    reader = MediaReader(encode.media_path, encode.media_bytes_max, fetcher)
    return InputReader(reader, encoders, decoders)


def warm_up(settings: Settings) -> None:
    """Compile every kernel before the first event has to wait for it; quick once cached."""
    learned, replica = new_learned_model(settings), new_replica_model(settings)
    learned.describe(0, [(item, _described(item)) for item in "abcde"], 0)  # d and e stay new
    profile = Profile()
    for n in range(3):
        profile = Profile()
        for item in ("a", "b", "c")[: n + 1]:
            event = Event(f"{n}{item}", f"u{n}", item, "click", 1_000_000_000_000 + n)
            taught = profile.taught(settings.weights, settings.model.history_max)
            one = interaction_of(event, profile, taught, settings, n, ord(item))
            profile.add(event, settings.profile)
            learned.fold(learned.offset, InteractionBatch(FORMAT, ["-"], [one]), 0)
    frame = learned.frame("warm-up", "")
    if frame is not None:
        replica.apply(frame, "")
    recommender = new_recommender(settings, replica)
    for history in (profile, Profile()):
        recommender.rank([Request("u", history, 1_000_000_000_100)], Catalogue())
    if replica.content is not None:  # what only a large catalogue asks for
        rows = replica.content.described.rows()
        replica.content.cells.look(rows, replica.content.joint(rows), 1)
    learned.digest()


def _described(word: str) -> Embedding:
    """Return what an item of one category looks like."""
    vector = categories_vector([word])
    assert vector is not None, "a word has a vector"
    return Embedding({"categories": Part(unit_vector(vector), VERSION, content_digest())})


class Assembly:
    """The jobs of one process: they share settings, log, store, metrics and one stop."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        store: Store,
        metrics: WorkerMetrics,
        worker: str,
        on_wait: Callable[[str], None],
        clock_ms: ClockMs = wall_clock_ms,
        failpoint: Failpoint = no_failpoint,
        *,
        snapshots: Snapshots | None = None,
        encoders: Encoders | None = None,
        decoders: MediaDecoders = DECODERS,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`worker` names this process in frames and digests; `on_wait` hears what is waited for.

        Without encoders items are embedded by their attributes alone.
        """
        self._settings = settings
        self._log = log
        self._store = store
        self._metrics = metrics
        self._worker = worker
        self._clock_ms = clock_ms
        self._clock_s = clock_s
        self._failpoint = failpoint
        self._snapshots = snapshots or new_snapshots(settings, failpoint)
        self._encoders: Encoders = encoders or {}
        self._decoders = decoders
        self._on_wait = on_wait
        self.stopping = threading.Event()
        self._patience = Patience(self.stopping, on_wait)

    def recommend(self) -> RecommendJob:
        """Return the job that turns events into lists."""
        settings = self._settings
        replica = Replica(
            settings, self._log, self._snapshots, new_replica_model(settings), self._clock_ms
        )
        core = RecommendCore(
            settings,
            self._log,
            self._store,
            replica,
            new_recommender(settings, replica.model),
            record_decoder(settings),
            self._patience,
            self._clock_ms,
            self._failpoint,
        )
        return RecommendJob(
            settings,
            self._log,
            self._store,
            core,
            self._patience,
            self._metrics,
            self._worker,
            self._clock_ms,
            self._clock_s,
        )

    def learn(self) -> LearnJob:
        """Return the job that keeps the item model."""
        settings = self._settings

        def new_core() -> LearnCore:
            return LearnCore(
                settings,
                self._log,
                self._snapshots,
                new_learned_model(settings),
                self._worker,
                self._patience,
                self._clock_ms,
                self._failpoint,
            )

        shared = SharedLists(settings, self._log, self._store, self._patience, self._clock_ms)
        return LearnJob(
            settings, self._log, new_core, shared, self._patience, self._metrics, self._clock_ms
        )

    def encode(self) -> EncodeJob:
        """Return the job that keeps what readers know of items."""
        core = EncodeCore(self._settings, self._log, self._store, self._patience, self._clock_ms)
        loop = EmbedLoop(self.embedder(), self._metrics, self.stopping)
        return EncodeJob(self._settings, self._log, core, self._patience, self._metrics, loop)

    def embedder(self) -> Embedder:
        """Return what embeds items, and describes them in the log that LEARN folds."""
        # Patience remembers how often it has tried: each thread has its own.
        patience = Patience(self.stopping, self._on_wait)
        topic = self._settings.topics.name("interactions")
        makers = makers_of(self._encoders)

        def describe(embedded: Embedded) -> None:
            # Before item-embeddings has it: after a crash in between it is said again.
            messages = [Message(None, value) for value in encode_descriptions(embedded)]
            patience.call(lambda: self._log.append(topic, messages))

        return Embedder(
            self._settings,
            self._log,
            makers,
            new_input_reader(self._settings, makers, self._decoders),
            patience,
            describe,
        )
