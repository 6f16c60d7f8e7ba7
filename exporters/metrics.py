"""What a worker counts, as typed methods: callers know no metric names."""

import math
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from prometheus_client import (
    Counter,
    Gauge,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.registry import CollectorRegistry

from millstream.exporters.histogram import BatchHistogram
from millstream.exporters.metric_names import METRICS, OTHER, MetricName

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_RECORDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_BYTES: Final = (128, 256, 512, 1024, 2048, 3072, 4096, 8192)


class WorkerMetrics:
    """The metrics of one worker in a registry of its own. Cheap per batch, not per event.

    Every series exists from the start and none is added: a value outside a label's closed set
    is counted under "other", so that no id can ever become a series.
    """

    def __init__(
        self, registry: CollectorRegistry, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # else two series a counter
        self.registry = registry
        self._clock_s = clock_s
        self._age_s = math.nan
        self._age_set_s = 0.0
        self._events = _Counters(registry, "millstream_events_total")
        self._rejects = _Counters(registry, "millstream_rejects_total")
        self._items = _Counters(registry, "millstream_items_total")
        self._item_rejects = _Counters(registry, "millstream_item_rejects_total")
        self._embeddings = _Counters(registry, "millstream_embeddings_total")
        self._embeddings_old = _Gauges(registry, "millstream_embeddings_old_items")
        self._embed_seconds = _histogram(registry, "millstream_embed_seconds", _SECONDS)
        self._media_rejects = _Counters(registry, "millstream_media_rejects_total")
        self._interactions = _Counters(registry, "millstream_interactions_total")
        self._described = _Counters(registry, "millstream_described_items_total")
        self._latency = _histogram(registry, "millstream_list_latency_seconds", _SECONDS)
        self._stages = frozenset(METRICS["millstream_list_latency_seconds"].labels["stage"])
        self._lag = _Gauges(registry, "millstream_lag_records")
        self._batch_size = _histogram(registry, "millstream_batch_size_records", _RECORDS)
        self._lists_written = _Counters(registry, "millstream_lists_written_total")
        self._lists_renewed = _Counters(registry, "millstream_lists_renewed_total")
        self._conflicts = _Counters(registry, "millstream_conflicts_total")
        self._profile_bytes = _histogram(registry, "millstream_profile_size_bytes", _BYTES)
        self._frames = _Counters(registry, "millstream_frames_total")
        self._model_offset = _Gauges(registry, "millstream_model_offset")
        self._learner_offset = _Gauges(registry, "millstream_learner_offset")
        self._hit_ratio = _Gauges(registry, "millstream_learn_hit_ratio")
        self._drifts = _Counters(registry, "millstream_learn_drifts_total")
        self._gaps = _Counters(registry, "millstream_gaps_total")
        self._removed = _Counters(registry, "millstream_removed_total")
        self._progress_moved = _Counters(registry, "millstream_progress_moved_total")
        self._store_errors = _Counters(registry, "millstream_store_errors_total")
        self._snapshots = _Counters(registry, "millstream_snapshots_total")
        self._catalogue = _Gauges(registry, "millstream_catalogue_items")
        self._cache = _Counters(registry, "millstream_cache_lookups_total")
        age: MetricName = "millstream_model_age_seconds"
        Gauge(age, METRICS[age].help, registry=registry).set_function(self._model_age_now)
        build = Info("millstream_build", METRICS["millstream_build_info"].help, registry=registry)
        build.info({"version": _version()})
        ProcessCollector(registry=registry)

    def events(self, type_: str, outcome: str, n: int = 1) -> None:
        """Count events: applied, duplicate, late, rejected or skipped."""
        self._events.add(n, type_, outcome)

    def rejects(self, reason: str, n: int = 1) -> None:
        """Count records that are no events, and them as rejected events of unknown type."""
        self._rejects.add(n, reason)
        self._events.add(n, "unknown", "rejected")

    def items(self, outcome: str, n: int = 1) -> None:
        """Count catalogue records: accepted, deleted or rejected."""
        self._items.add(n, outcome)

    def item_rejects(self, reason: str, n: int = 1) -> None:
        """Count records that are no items, and them as rejected catalogue records."""
        self._item_rejects.add(n, reason)
        self._items.add(n, "rejected")

    def embeddings(self, modality: str, outcome: str, n: int = 1) -> None:
        """Count inputs of items: encoded, cached (equal content was), kept, empty or failed."""
        self._embeddings.add(n, modality, outcome)

    def embeddings_old(self, items: int) -> None:
        """Set how many items have vectors of an older encoder."""
        self._embeddings_old.set(items)

    def embed_seconds(self, stage: str, seconds: float) -> None:
        """Note the time of one stage of a batch: read, load, encode or publish."""
        self._embed_seconds.observe(stage, (seconds,))

    def media_rejects(self, reason: str, n: int = 1) -> None:
        """Count inputs that could not be used."""
        self._media_rejects.add(n, reason)

    def interactions(self, outcome: str, n: int = 1) -> None:
        """Count interactions: learnt, weightless, repeat or unreadable."""
        self._interactions.add(n, outcome)

    def described(self, items: int) -> None:
        """Count items that LEARN was told the looks of, or that they are gone."""
        self._described.add(items)

    def list_latency(self, stage: str, seconds: float, n: int = 1) -> None:
        """Note the time of one stage, for n events or batches that share it."""
        self._latency.observe(stage if stage in self._stages else OTHER, (seconds,), n)

    def list_latencies(self, stage: str, seconds: Sequence[float]) -> None:
        """Note many times of one stage in one step."""
        self._latency.observe(stage if stage in self._stages else OTHER, seconds)

    def lag(self, topic_alias: str, records: int) -> None:
        """Set how many records of a topic wait; topics by our names, not a team's."""
        self._lag.set(records, topic_alias)

    def batch_size(self, n: int) -> None:
        """Note how many records one batch held."""
        self._batch_size.observe("", (n,))

    def lists_written(self, n: int = 1) -> None:
        """Count lists written for events."""
        self._lists_written.add(n)

    def lists_renewed(self, n: int = 1) -> None:
        """Count lists made again in idle time."""
        self._lists_renewed.add(n)

    def conflicts(self, n: int = 1) -> None:
        """Count writes refused because the profile had changed."""
        self._conflicts.add(n)

    def profile_bytes(self, size: float, n: int = 1) -> None:
        """Note the size of n profiles, their mean if they are told together."""
        self._profile_bytes.observe("", (size,), n)

    def frames(self, outcome: str, n: int = 1) -> None:
        """Count frames: applied, dropped, emitted or foreign."""
        self._frames.add(n, outcome)

    def model_age(self, seconds: float) -> None:
        """Set how old the item model is now; it goes on ageing until told otherwise."""
        self._age_s, self._age_set_s = seconds, self._clock_s()

    def model_offset(self, offset: int) -> None:
        """Set how many interactions this worker's replica holds."""
        self._model_offset.set(offset)

    def learner_offset(self, offset: int) -> None:
        """Set how many interactions LEARN has folded."""
        self._learner_offset.set(offset)

    def hit_ratio(self, by: str, ratio: float) -> None:
        """Set how often the choice stood among the first ten, by fused or pop."""
        self._hit_ratio.set(ratio, by)

    def drifts(self, to: str, n: int = 1) -> None:
        """Count changes of the lists' lead over popularity: better or worse."""
        self._drifts.add(n, to)

    def gaps(self, records: int) -> None:
        """Count records that nobody delivered and that were read again."""
        self._gaps.add(records)

    def removed(self, records: int) -> None:
        """Count records lost to retention."""
        self._removed.add(records)

    def progress_moved(self, n: int = 1) -> None:
        """Count times that progress in the store was not ours."""
        self._progress_moved.add(n)

    def store_errors(self, n: int = 1) -> None:
        """Count calls to the store that failed."""
        self._store_errors.add(n)

    def snapshots(self, outcome: str, n: int = 1) -> None:
        """Count snapshots: written, failed, loaded or refused."""
        self._snapshots.add(n, outcome)

    def catalogue(self, state: str, items: int) -> None:
        """Set how many items are known, hidden or expired."""
        self._catalogue.set(items, state)

    def cache(self, hits: int, misses: int) -> None:
        """Count profiles found in the cache and not found there."""
        self._cache.add(hits, "hit")
        self._cache.add(misses, "miss")

    def _model_age_now(self) -> float:
        return self._age_s + self._clock_s() - self._age_set_s


class _Counters:
    """One counter with a child for every value of its closed labels."""

    def __init__(self, registry: CollectorRegistry, name: MetricName) -> None:
        metric = METRICS[name]
        family = Counter(name, metric.help, list(metric.labels), registry=registry)
        self._labels = [frozenset(values) for values in metric.labels.values()]
        self._children = {key: family.labels(*key) if key else family for key in _series(name)}

    def add(self, n: float, *labels: str) -> None:
        self._children[_closed(labels, self._labels)].inc(n)


class _Gauges:
    """One gauge with a child for every value of its closed labels."""

    def __init__(self, registry: CollectorRegistry, name: MetricName) -> None:
        metric = METRICS[name]
        family = Gauge(name, metric.help, list(metric.labels), registry=registry)
        self._labels = [frozenset(values) for values in metric.labels.values()]
        self._children = {key: family.labels(*key) if key else family for key in _series(name)}

    def set(self, value: float, *labels: str) -> None:
        self._children[_closed(labels, self._labels)].set(value)


def _histogram(
    registry: CollectorRegistry, name: MetricName, bounds: Sequence[float]
) -> BatchHistogram:
    metric = METRICS[name]
    label = next(iter(metric.labels), "")
    values = (*metric.labels[label], OTHER) if label else ("",)
    return BatchHistogram(name, metric.help, label, values, bounds, registry)


def _series(name: MetricName) -> list[tuple[str, ...]]:
    """Return every combination of a metric's label values; with labels, each also as "other"."""
    found: list[tuple[str, ...]] = [()]
    for values in METRICS[name].labels.values():
        found = [(*key, value) for key in found for value in (*values, OTHER)]
    return found


def _closed(labels: tuple[str, ...], sets: Sequence[frozenset[str]]) -> tuple[str, ...]:
    return tuple(
        label if label in known else OTHER for label, known in zip(labels, sets, strict=True)
    )


def _version() -> str:
    try:
        return version("millstream")
    except PackageNotFoundError:
        return "unknown"
