"""Descriptions in `interactions`: there and back, told apart, folded by LEARN and the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from millstream.models.embedding import Embedding, Part, content_digest, unit_vector
from millstream.models.interaction import (
    BATCH_BYTES,
    FORMAT,
    Interaction,
    InteractionBatch,
    decode_batch,
    encode_batch,
)
from millstream.streams.assembly import new_learned_model
from millstream.streams.descriptions import (
    ITEMS_MAX,
    decode_descriptions,
    encode_descriptions,
)
from millstream.streams.embedding_message import encode_embedding
from millstream.streams.folding import NOTHING, said_by
from millstream.streams.settings import LearnSettings

if TYPE_CHECKING:
    from tests.streams.conftest import MakeSystem, System


def looks(seed: int, width: int = 16) -> Embedding:
    """An item with a random text."""
    vector = np.random.default_rng(seed).standard_normal(width).astype(np.float32)
    part = Part(unit_vector(vector / np.linalg.norm(vector)), "a1", content_digest(b"%d" % seed))
    return Embedding({"text": part})


def describe(system: System, *embedded: tuple[str, Embedding | None]) -> None:
    for value in encode_descriptions(embedded):
        system.raw(value, None, "interactions")


def test_what_is_described_comes_back_and_what_is_gone_is_empty() -> None:
    told = [("m1", looks(1)), ("m2", None), ("käse", Embedding())]
    (value,) = encode_descriptions(told)
    assert decode_descriptions(value) == [
        ("m1", looks(1)),
        ("m2", Embedding()),
        ("käse", Embedding()),
    ]
    assert msgspec.msgpack.decode(value) == [
        2,
        [["m1", encode_embedding(looks(1))], ["m2", None], ["käse", None]],
    ]
    assert encode_descriptions([]) == []


def test_the_two_kinds_of_record_are_never_taken_for_each_other() -> None:
    (described,) = encode_descriptions([("m1", looks(1))])
    one = Interaction(0, 0, 7, 1, 2, "m1", 1.0, 1000, [], [], [])
    batch = encode_batch(InteractionBatch(FORMAT, ["t"], [one]))
    assert decode_batch(described) is None
    assert decode_descriptions(batch) is None
    assert said_by(described).described == [("m1", looks(1))]
    assert said_by(batch).batch == InteractionBatch(FORMAT, ["t"], [one])
    assert encode_batch(InteractionBatch(FORMAT, [], [])) != described


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"junk",
        msgspec.msgpack.encode([3, []]),
        msgspec.msgpack.encode([2]),
        msgspec.msgpack.encode([2, [], 0]),
        msgspec.msgpack.encode([2, [["m1", b"junk"]]]),
        msgspec.msgpack.encode([2, [["m1"]]]),
        msgspec.msgpack.encode([2, [[1, None]]]),
        msgspec.msgpack.encode([2, [["m1", None]] * (ITEMS_MAX + 1)]),
    ],
)
def test_what_is_neither_kind_is_unreadable(value: bytes | None) -> None:
    assert said_by(value) == NOTHING
    assert not said_by(value).readable


def test_records_are_cut_by_bytes_and_by_items() -> None:
    heavy = [(f"m{n}", looks(n, 512)) for n in range(300)]
    values = encode_descriptions(heavy)
    assert [one for value in values for one in decode_descriptions(value) or ()] == heavy
    assert len(values) > 2
    assert max(map(len, values)) <= BATCH_BYTES
    light = encode_descriptions([(f"m{n}", None) for n in range(2 * ITEMS_MAX + 1)])
    assert [len(decode_descriptions(value) or ()) for value in light] == [ITEMS_MAX, ITEMS_MAX, 1]


def test_learn_folds_descriptions_in_their_place_and_tells_replicas(system: System) -> None:
    learner, replica = system.learn(), system.replica()
    describe(system, *((f"m{n}", looks(n)) for n in range(4)))
    system.raw(b"junk", None, "interactions")
    describe(system, ("m1", None), ("m2", looks(2)))
    learner.sweep()
    learner.snapshot()
    assert (learner.learnt.described, learner.learnt.unreadable) == (6, 1)
    system.catch_up(replica)
    assert replica.model.offset == learner.model.offset == 3
    assert replica.model.digest() == learner.model.digest()
    assert replica.model.content is not None
    newcomers = [replica.model.rows.ids()[row] for row in replica.model.content.unmet.rows()]
    assert newcomers == ["m0", "m2", "m3"]


def test_a_repeat_changes_nothing(system: System) -> None:
    learner = system.learn()
    describe(system, *((f"m{n}", looks(n)) for n in range(8)))
    learner.sweep()
    before = learner.model.digest()
    describe(system, *((f"m{n}", looks(n)) for n in range(8)))
    learner.sweep()
    assert learner.model.digest() == before


@pytest.mark.parametrize("crash", ["learn.before-frame", "learn.after-frame"])
def test_a_learner_that_fell_folds_descriptions_again_in_silence(
    make_system: MakeSystem, crash: str
) -> None:
    system = make_system(learn=LearnSettings(frame_interval_ms=1))
    learner = system.learn()
    describe(system, *((f"m{n}", looks(n)) for n in range(5)))
    learner.sweep()
    learner.snapshot()
    describe(system, *((f"m{n}", looks(n + 50)) for n in range(3, 9)))
    system.failpoints.arm(crash)
    system.clock.ms += 10
    with pytest.raises(system.failpoints.Crash):
        learner.sweep()
    again = system.learn("learn-2")
    again.sweep()
    system.clock.ms += 10
    again.tick()
    replica = system.replica()
    assert replica.model.offset == again.model.offset == 2
    assert replica.model.digest() == again.model.digest()
    fresh = new_learned_model(system.settings)
    for record in system.records("interactions"):
        fresh.describe(record.offset, said_by(record.value).described or (), record.timestamp_ms)
    assert fresh.digest() == again.model.digest()
    found = system.audit()
    assert found.clean, found.faults


def test_the_frame_of_one_record_stays_small(system: System) -> None:
    learner = system.learn()
    for seed in (0, 1000):  # again, so that no axes are fitted anew: such a frame holds all rows
        names = [f"{n:03d}" + "x" * 125 for n in range(ITEMS_MAX)]
        describe(system, *((name, looks(seed + n)) for n, name in enumerate(names)))
        learner.sweep()
        learner.snapshot()
    newest = system.records("item_deltas")[-1]
    assert 10_000 < len(newest.value or b"") <= system.settings.learn.frame_bytes_max
