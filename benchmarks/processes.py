"""What a process costs, by /proc, and what a worker says of itself, by /metrics."""

import os
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
STAGES: Final = ("model", "decode", "load", "merge", "publish", "rank", "write", "progress")
"""The stages of a batch, in their order; together they are the core's share of the time."""


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far, resident memory now and at its highest, in MB of 10^6 bytes."""

    cpu_s: float
    rss_mb: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read at one moment: usage by process, and the metrics of RECOMMEND and LEARN."""

    at_s: float
    usage: Mapping[str, Usage]
    recommend: Mapping[str, float]
    learn: Mapping[str, float]


def usage_of(pid: int) -> Usage:
    """Return what a process has used; raises OSError when it is gone."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    kb = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "VmHWM"):
            kb[name] = int(value.split()[0])
    cpu_s = (int(stat[11]) + int(stat[12])) / TICKS_PER_S
    return Usage(cpu_s, round(kb["VmRSS"] * 1.024e-3, 1), round(kb["VmHWM"] * 1.024e-3, 1))


def scrape(port: int) -> dict[str, float]:
    """Return a worker's series: `name{label="value",…}` without empty braces -> value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{sample.labels[name]}"' for name in sorted(sample.labels))
            series[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return series


def is_ready(port: int) -> bool:
    """Return whether /readyz says so."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def applied(metrics: Mapping[str, float]) -> float:
    """Return how many events a RECOMMEND worker has applied."""
    return sum(
        value
        for name, value in metrics.items()
        if name.startswith("millstream_events_total{") and 'outcome="applied"' in name
    )


def stage_sums(metrics: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Return (seconds, batches) of each stage of a RECOMMEND worker."""
    name = "millstream_list_latency_seconds"
    return {
        stage: (
            metrics.get(f'{name}_sum{{stage="{stage}"}}', 0.0),
            metrics.get(f'{name}_count{{stage="{stage}"}}', 0.0),
        )
        for stage in STAGES
    }


def between(first: Reading, last: Reading) -> dict[str, object]:
    """Return rates, the stages of RECOMMEND and every process's costs from one reading to another.

    `us_per_event` of the stages and of `elsewhere` (Faust, the event loop, waiting for a core)
    add up to the wall time of one event.
    """
    seconds = last.at_s - first.at_s
    events = applied(last.recommend) - applied(first.recommend)
    lists_name = "millstream_lists_written_total"
    lists = last.recommend[lists_name] - first.recommend[lists_name]
    batches_name = "millstream_batch_size_records_count"
    batches = last.recommend[batches_name] - first.recommend[batches_name]
    before, after = stage_sums(first.recommend), stage_sums(last.recommend)
    spent = {stage: after[stage][0] - before[stage][0] for stage in STAGES}
    each = 1e6 / max(events, 1)
    us = {stage: round(value * each, 1) for stage, value in spent.items()}
    us["elsewhere"] = round((seconds - sum(spent.values())) * each, 1)
    learnt = 'millstream_interactions_total{outcome="learnt"}'
    return {
        "seconds": round(seconds, 2),
        "events_per_second": round(events / seconds, 1),
        "lists_per_second": round(lists / seconds, 1),
        "events_per_batch": round(events / max(batches, 1), 1),
        "lists_per_event": round(lists / max(events, 1), 3),
        "learnt_per_second": round((last.learn[learnt] - first.learn[learnt]) / seconds, 1),
        "stages_us_per_event": us,
        "processes": {
            name: {
                "cpu_us_per_event": round((usage.cpu_s - first.usage[name].cpu_s) * each, 1),
                "cores": round((usage.cpu_s - first.usage[name].cpu_s) / seconds, 2),
                "rss_mb": usage.rss_mb,
                "peak_mb": usage.peak_mb,
            }
            for name, usage in last.usage.items()
            if name in first.usage
        },
    }


def monotonic_s() -> float:
    """Return the clock by which readings are told apart; the same in every process."""
    return time.monotonic()
