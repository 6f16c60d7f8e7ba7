"""LEARN says what its ranking is worth, and in one line when that becomes worse."""

import logging
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.registry import CollectorRegistry

from millstream.exporters.memory_store import MemoryStore
from millstream.exporters.metrics import WorkerMetrics
from millstream.models.histories import Rows
from millstream.streams.assembly import Assembly
from millstream.streams.learn import LearnCore
from millstream.streams.memory_log import MemoryLog
from millstream.streams.settings import ModelSettings, Settings
from millstream.streams.topics import ensure_topics


def choices(n: int, hit_share: float) -> Rows:
    """By the fusion so many hits, by popularity none."""
    hits = np.random.default_rng(0).random(n) < hit_share
    return np.array([np.where(hits, 0, 50), np.full(n, 50)], np.int32)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def learn(tmp_path: Path, registry: CollectorRegistry) -> LearnCore:
    """The core of a job that owns the model and tells its metrics."""
    settings = Settings(data_dir=str(tmp_path), model=ModelSettings(sources=("pop",)))
    log = MemoryLog()
    ensure_topics(log, settings)
    metrics = WorkerMetrics(registry)
    job = Assembly(settings, log, MemoryStore(), metrics, "w", lambda _: None).learn()
    job.open()
    job.assign([(settings.topics.name("interactions"), 0)])
    core = job._core
    assert core is not None
    core.model.choices.watch(choices(2000, 0.3))
    core.model.choices.watch(choices(1000, 0.1))
    job.idle()
    return core


def test_a_loss_is_logged_once_and_counted(
    caplog: pytest.LogCaptureFixture, learn: LearnCore, registry: CollectorRegistry
) -> None:
    lines = [r for r in caplog.get_records("setup") if "lists became worse" in r.getMessage()]
    assert len(lines) == learn.learnt.drifts_worse >= 1
    assert lines[0].levelno == logging.WARNING
    worse = registry.get_sample_value("millstream_learn_drifts_total", {"to": "worse"})
    assert worse == learn.learnt.drifts_worse
    ratio = registry.get_sample_value("millstream_learn_hit_ratio", {"by": "fused"})
    assert ratio == pytest.approx(0.7 / 3, abs=0.03)
    assert registry.get_sample_value("millstream_learn_hit_ratio", {"by": "pop"}) == 0
