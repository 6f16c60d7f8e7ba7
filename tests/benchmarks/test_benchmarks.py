"""The benchmarks run, on few events, and say what the documentation says that they print."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from benchmarks.orders import in_order, part, positives
from benchmarks.rig import BenchmarkFailed, patiently

from millstream.exporters.errors import StoreUnavailable


def quickly(script: str, root: Path, events: Path, kafka: str, redis: str) -> dict[str, Any]:
    """Run a script as a file, with --quick on the shared stack, and return its JSON."""
    command = [sys.executable, str(root / "benchmarks" / script), "--quick", "--json"]
    command += ["--order", "spread", "--events", str(events), "--kafka", kafka, "--redis", redis]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    answer = json.loads(line)
    assert answer["machine"]
    assert answer["date"]
    found: dict[str, Any] = answer["orders"]["spread"]
    return found


def test_spread_gives_every_500_events_in_a_row_to_500_people(
    events_file: Path, tmp_path: Path
) -> None:
    table = positives(str(events_file), tmp_path)
    spread = in_order("spread", table, 20_000)
    for start in range(0, len(spread) - 500, 500):
        assert len(set(part(spread, start, start + 500).users)) == 500


def test_spread_keeps_each_persons_own_order_and_time_runs_forward(
    events_file: Path, tmp_path: Path
) -> None:
    table = positives(str(events_file), tmp_path)
    spread = in_order("spread", table, 60_000)
    busiest, _ = Counter(spread.users).most_common(1)[0]
    theirs = [i for u, i in zip(table.users, table.items, strict=True) if f"{u}.0" == busiest]
    ours = [i for u, i in zip(spread.users, spread.items, strict=True) if u == busiest]
    assert len(ours) > 5
    assert ours == theirs[: len(ours)]
    assert spread.ts_ms == sorted(spread.ts_ms)


def test_the_order_of_time_is_the_data_sets_own(events_file: Path, tmp_path: Path) -> None:
    table = positives(str(events_file), tmp_path)
    assert in_order("ml100k", table, 1_000) == part(table, 0, 1_000)


class Flaky:
    """Answers when it has been asked so many times."""

    def __init__(self, faults: int) -> None:
        self.asked = 0
        self._faults = faults

    def __call__(self) -> int:
        self.asked += 1
        if self.asked <= self._faults:
            raise StoreUnavailable("Redis does not answer", 0.001)
        return self.asked


def test_a_server_that_is_away_is_asked_again_within_a_budget() -> None:
    assert patiently(Flaky(2)) == 3
    with pytest.raises(BenchmarkFailed, match="away for 0 s: Redis does not answer"):
        patiently(Flaky(1_000_000), away_s=0.05)


def test_latency_sees_every_event_it_follows(
    root: Path, events_file: Path, kafka_address: str, redis_url: str
) -> None:
    found = quickly("latency.py", root, events_file, kafka_address, redis_url)
    at_100 = found["rates"]["100"]
    assert at_100["followed"] == 200
    assert at_100["unanswered"] == 0
    assert 0 < at_100["p50_ms"] <= at_100["p90_ms"] <= at_100["p99_ms"] <= at_100["max_ms"]


def test_throughput_counts_events_lists_stages_and_faust_alone(
    root: Path, events_file: Path, kafka_address: str, redis_url: str
) -> None:
    found = quickly("throughput.py", root, events_file, kafka_address, redis_url)
    assert found["lists_per_event"] > 0.5
    wall_us = 1e6 / found["events_per_second"]
    assert sum(found["stages_us_per_event"].values()) == pytest.approx(wall_us, rel=0.01)
    assert found["processes"]["recommend"]["peak_mb"] > 50
    assert found["faust_alone"]["events_per_second"] > 0


def test_live_lists_and_evaluate_score_the_same_events(
    root: Path, events_file: Path, kafka_address: str, redis_url: str
) -> None:
    command = [sys.executable, str(root / "benchmarks/live_equals_replay.py"), "--json"]
    # Slowly enough that what one person teaches is learnt before others are done.
    command += ["--limit", "400", "--rate", "40", "--events", str(events_file)]
    command += ["--kafka", kafka_address, "--redis", redis_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    live, replayed, apart = found["live"], found["evaluate"], found["live_minus_evaluate"]
    assert found["events"] == 400
    assert 0 < found["scored"] < 400
    assert live["unanswered"] == live["without_list"] == 0
    assert live["recall@10"] > 0.02
    hits = apart["only_b_hit"] - apart["only_a_hit"]
    assert live["recall@10"] - replayed["recall@10"] == pytest.approx(
        hits / found["scored"], abs=1e-4
    )
    assert live["list_age_events"]["p50"] >= 0
    assert 0 <= live["model_behind_events"]["p50"] < 400


def test_new_items_are_embedded_and_then_listed(
    root: Path, kafka_address: str, redis_url: str
) -> None:
    command = [sys.executable, str(root / "benchmarks/new_items.py"), "--quick", "--json"]
    command += ["--kafka", kafka_address, "--redis", redis_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert found["machine"]
    assert "text" in found["kinds"]
    for figures in found["kinds"].values():
        assert figures["items"] == 5
        assert 0 < figures["embedded"]["p50_ms"] <= figures["embedded"]["max_ms"]
        assert 0 < figures["listed"]["p50_ms"] <= figures["listed"]["max_ms"]
