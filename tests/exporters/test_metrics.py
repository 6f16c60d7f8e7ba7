"""What a worker counts, read back as Prometheus would read it."""

import math
import time
from pathlib import Path
from typing import get_args

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from millstream.exporters.metric_names import METRICS, MetricName
from millstream.exporters.metrics import WorkerMetrics
from millstream.models.event import EVENT_TYPES, MERGE
from millstream.streams.decode import REASONS
from millstream.streams.item_message import ItemReason


def scrape(registry: CollectorRegistry) -> dict[str, float]:
    """Return the value of each series of ours as "name{label="value"}"."""
    found = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            labels = ",".join(f'{k}="{v}"' for k, v in sorted(sample.labels.items()))
            found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


def test_every_method_moves_its_metric() -> None:
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    metrics.events("click", "applied", 3)
    metrics.rejects("not-json", 2)
    metrics.items("accepted", 4)
    metrics.item_rejects("bad-item")
    metrics.interactions("learnt", 5)
    metrics.described(12)
    metrics.embeddings("numbers", "empty", 13)
    metrics.list_latency("rank", 0.004, 2)
    metrics.list_latencies("total", [0.004, 0.02, 99.0])
    metrics.lag("clicks", 17)
    metrics.batch_size(500)
    metrics.lists_written(6)
    metrics.conflicts(1)
    metrics.profile_bytes(2000.0, 3)
    metrics.frames("applied", 7)
    metrics.model_age(0.25)
    metrics.model_offset(88)
    metrics.learner_offset(99)
    metrics.hit_ratio("fused", 0.25)
    metrics.drifts("worse", 2)
    metrics.gaps(8)
    metrics.removed(9)
    metrics.progress_moved()
    metrics.store_errors()
    metrics.snapshots("written")
    metrics.catalogue("known", 1682)
    metrics.cache(10, 11)
    seen = scrape(registry)
    expected = {
        "millstream_described_items_total": 12,
        'millstream_embeddings_total{modality="numbers",outcome="empty"}': 13,
        'millstream_events_total{outcome="applied",type="click"}': 3,
        'millstream_rejects_total{reason="not-json"}': 2,
        'millstream_events_total{outcome="rejected",type="unknown"}': 2,
        'millstream_items_total{outcome="accepted"}': 4,
        'millstream_item_rejects_total{reason="bad-item"}': 1,
        'millstream_items_total{outcome="rejected"}': 1,
        'millstream_interactions_total{outcome="learnt"}': 5,
        'millstream_list_latency_seconds_count{stage="rank"}': 2,
        'millstream_list_latency_seconds_sum{stage="rank"}': 0.008,
        'millstream_list_latency_seconds_bucket{le="0.002",stage="total"}': 0,
        'millstream_list_latency_seconds_bucket{le="0.005",stage="total"}': 1,
        'millstream_list_latency_seconds_bucket{le="0.02",stage="total"}': 2,
        'millstream_list_latency_seconds_bucket{le="10.0",stage="total"}': 2,
        'millstream_list_latency_seconds_bucket{le="+Inf",stage="total"}': 3,
        'millstream_lag_records{topic="clicks"}': 17,
        'millstream_batch_size_records_bucket{le="500.0"}': 1,
        'millstream_batch_size_records_bucket{le="200.0"}': 0,
        "millstream_lists_written_total": 6,
        "millstream_conflicts_total": 1,
        "millstream_profile_size_bytes_sum": 6000,
        "millstream_profile_size_bytes_count": 3,
        'millstream_frames_total{outcome="applied"}': 7,
        "millstream_model_offset": 88,
        "millstream_learner_offset": 99,
        'millstream_learn_hit_ratio{by="fused"}': 0.25,
        'millstream_learn_drifts_total{to="worse"}': 2,
        "millstream_gaps_total": 8,
        "millstream_removed_total": 9,
        "millstream_progress_moved_total": 1,
        "millstream_store_errors_total": 1,
        'millstream_snapshots_total{outcome="written"}': 1,
        'millstream_catalogue_items{state="known"}': 1682,
        'millstream_cache_lookups_total{outcome="hit"}': 10,
        'millstream_cache_lookups_total{outcome="miss"}': 11,
    }
    assert {name: seen.get(name) for name in expected} == expected
    assert 0.25 <= seen["millstream_model_age_seconds"] < 5


def test_the_process_and_the_version_are_told() -> None:
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    seen = scrape(registry)
    assert seen["process_resident_memory_bytes"] > 1_000_000
    assert any(name.startswith('millstream_build_info{version="') for name in seen)


def test_the_model_ages_while_nobody_reports() -> None:
    registry = CollectorRegistry()
    now = [100.0]
    metrics = WorkerMetrics(registry, clock_s=lambda: now[0])
    assert math.isnan(scrape(registry)["millstream_model_age_seconds"])
    metrics.model_age(2.0)
    now[0] = 160.0
    assert scrape(registry)["millstream_model_age_seconds"] == 62.0


def test_no_value_makes_a_new_series() -> None:
    registry = CollectorRegistry()
    metrics = WorkerMetrics(registry)
    before = set(scrape(registry))
    for number in range(100_000):
        metrics.events(f"type-{number}", f"outcome-{number}")
        metrics.rejects(f"reason-{number}")
        metrics.lag(f"topic-{number}", 1)
        metrics.list_latency(f"stage-{number}", 0.1)
    assert set(scrape(registry)) == before
    assert len(before) < 600
    seen = scrape(registry)
    assert seen['millstream_events_total{outcome="other",type="other"}'] == 100_000


def test_labels_are_those_of_events_and_of_rejections() -> None:
    assert METRICS["millstream_events_total"].labels["type"] == (*EVENT_TYPES, MERGE, "unknown")
    assert METRICS["millstream_rejects_total"].labels["reason"] == REASONS
    reasons = METRICS["millstream_item_rejects_total"].labels["reason"]
    assert reasons == get_args(ItemReason)


def test_names_are_in_base_units_and_each_stands_in_the_table() -> None:
    assert list(METRICS) == list(get_args(MetricName))
    for name, metric in METRICS.items():
        assert name.startswith("millstream_")
        assert name.endswith("_total") == (metric.kind == "counter")
        assert not name.endswith(("_ms", "_milliseconds", "_kb"))
        assert metric.help.endswith(".")


def test_what_is_scraped_is_what_the_table_says() -> None:
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    families = {family.name: family for family in registry.collect()}
    for name, metric in METRICS.items():
        if name in ("millstream_alive", "millstream_ready"):
            continue  # the health server tells these
        family = families[name.removesuffix("_total").removesuffix("_info")]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        labels = {frozenset(s.labels) - {"le", "version"} for s in family.samples}
        assert labels == {frozenset(metric.labels)}
    others = [n for n in families if not n.startswith(("process_", "millstream_"))]
    assert others == []


def test_a_batch_is_counted_in_well_under_a_millisecond() -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    seconds = [0.001 * number for number in range(500)]
    best = math.inf
    for _ in range(20):
        began = time.thread_time()
        metrics.list_latencies("total", seconds)
        metrics.events("click", "applied", 400)
        metrics.events("view", "applied", 100)
        metrics.batch_size(500)
        for stage in ("queue", "decode", "load", "publish", "rank", "write", "progress"):
            metrics.list_latency(stage, 0.01)
        best = min(best, time.thread_time() - began)
    assert best < 0.001


def test_the_docs_hold_every_metric_and_no_other() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `millstream_")]
    expected = []
    for name, metric in METRICS.items():
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        expected.append(f"| `{name}` | {metric.kind} | {labels} | {metric.help} |")
    for name, metric in METRICS.items():
        for label, values in metric.labels.items():
            expected.append(f"| `{name}` | `{label}` | {', '.join(f'`{v}`' for v in values)} |")
    assert rows == expected
