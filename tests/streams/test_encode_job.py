"""The ENCODE worker as a whole: embedding goes on beside it and holds nothing up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from prometheus_client import CollectorRegistry
from tests.streams.embedding import DECODERS, MeanColours, WordHashes, inline, png

from millstream.exporters.metrics import WorkerMetrics
from millstream.models.encoders import Encoders
from millstream.streams.assembly import Assembly
from millstream.streams.descriptions import decode_descriptions
from millstream.streams.encode_job import EncodeJob

if TYPE_CHECKING:
    from tests.streams.conftest import System


class Held(WordHashes):
    """Encodes no text until it is let go, as a slow encoder would."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.let_go = threading.Event()

    def encode(self, items: Sequence[str]) -> npt.NDArray[np.float32]:
        self.begun.set()
        assert self.let_go.wait(60)
        return super().encode(items)


class Broken(WordHashes):
    """Fails as code with a bug does."""

    def encode(self, items: Sequence[str]) -> npt.NDArray[np.float32]:
        raise ZeroDivisionError


@contextmanager
def working(
    system: System, text: WordHashes | None = None, image: MeanColours | None = None
) -> Iterator[tuple[EncodeJob, CollectorRegistry]]:
    """A job as its host has it, that owns the whole catalogue."""
    encoders: Encoders = {}
    if text is not None:
        encoders["text"] = text
    if image is not None:
        encoders["image"] = image
    registry = CollectorRegistry()
    assembly = Assembly(
        system.settings,
        system.log,
        system.store,
        WorkerMetrics(registry),
        "w",
        system.waited.append,
        system.clock,
        encoders=encoders,
        decoders=DECODERS,
    )
    job = assembly.encode()
    job.open()
    job.apply(system.waiting(job.assign(system.partitions("items"))))
    try:
        yield job, registry
    finally:
        job.close()


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does; how long it takes is no matter."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def embeddings(system: System) -> int:
    return system.append_ends()["item_embeddings"]


def counted(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def test_a_slow_encoder_delays_no_deletion(system: System) -> None:
    slow = Held()
    system.item("m1", title="A")
    with working(system, slow) as (job, _):
        assert slow.begun.wait(60)
        record = system.item("m1")
        job.apply([record])
        assert system.store.hidden() == {"m1"}
        assert embeddings(system) == 0
        assert job.health().ready, "being behind with vectors keeps nobody from work"
        slow.let_go.set()
        until(lambda: embeddings(system) == 2)
    newest = system.records("item_embeddings", record.partition)[-1]
    assert (newest.key, newest.value) == (b"m1", None)


def test_what_is_embedded_is_counted_by_modality_outcome_and_stage(system: System) -> None:
    for n in range(4):
        system.item(f"m{n}", title="Same", image=inline(png(n, 0, 0)))
    system.item("m9", title="A", image="nowhere.png")
    with working(system, WordHashes(), MeanColours()) as (job, registry):
        until(lambda: embeddings(system) == 5)
        until(lambda: counted(registry, "millstream_lag_records", topic="items") == 0)
        job.check()
    total = "millstream_embeddings_total"
    assert counted(registry, total, modality="text", outcome="encoded") == 2
    assert counted(registry, total, modality="text", outcome="cached") == 3
    assert counted(registry, total, modality="image", outcome="encoded") == 4
    assert counted(registry, total, modality="image", outcome="failed") == 1
    assert counted(registry, "millstream_media_rejects_total", reason="media-forbidden") == 1
    for stage in ("read", "load", "encode", "publish"):
        found = counted(registry, "millstream_embed_seconds_count", stage=stage)
        assert found, stage
    assert counted(registry, "millstream_embed_seconds_count", stage="other") == 0


def test_a_bug_in_an_encoder_ends_the_worker(system: System) -> None:
    system.item("m1", title="A")
    with working(system, Broken()) as (job, _):

        def ended() -> bool:
            try:
                job.check()
            except ZeroDivisionError:
                return True
            return False

        until(ended)
        assert said_of(system, "m1"), "what readers know of items was written before"


def said_of(system: System, item: str) -> bytes | None:
    return system.store.items([item])[0]


def test_partitions_come_and_go_while_it_works(system: System) -> None:
    for n in range(50):
        system.item(f"m{n}", title=f"word{n}")
    with working(system, WordHashes()) as (job, _):
        job.revoke()
        for n in range(50, 60):
            system.item(f"m{n}", title=f"word{n}")
        job.apply(system.waiting(job.assign(system.partitions("items"))))
        until(lambda: embeddings(system) >= 60)
    assert embeddings(system) <= 110


def test_without_encoders_items_have_their_attributes(system: System) -> None:
    system.item("m1", title="A", image=inline(png(1, 0, 0)))
    system.item("m2", title="A", categories=["crime"], year=1995)
    with working(system) as (job, registry):
        until(lambda: embeddings(system) == 1)
        until(lambda: job.health().details == {"to_embed": 0, "to_renew": 0})
        job.check()
    made = "millstream_embeddings_total"
    assert counted(registry, made, modality="categories", outcome="encoded") == 1
    (record,) = system.records("interactions")
    described = decode_descriptions(record.value) or ()
    assert [(item, list(one.parts)) for item, one in described] == [
        ("m2", ["categories", "numbers"])
    ]


def test_it_ends_when_it_is_told_to_whatever_is_under_way(system: System) -> None:
    system.item("m1", title="A")
    slow = Held()
    with working(system, slow) as (job, _):
        assert slow.begun.wait(60)
        slow.let_go.set()
        job.close()
        before = embeddings(system)
        system.item("m2", title="B")
        assert embeddings(system) == before


@pytest.mark.parametrize("times", [1, 2])
def test_on_real_kafka_and_redis_a_restart_encodes_nothing(real_system: System, times: int) -> None:
    system = real_system
    for n in range(20):
        system.item(f"m{n}", title=f"word{n}")
    for run in range(times):
        encoder = WordHashes()
        with working(system, encoder) as (job, registry):
            until(lambda: counted(registry, "millstream_lag_records", topic="items") == 0)
            until(lambda: embeddings(system) == 20)
            job.check()
            assert not job.health().why
        assert sum(encoder.calls) == (20 if run == 0 else 0)
    assert system.store.hidden() == set()
