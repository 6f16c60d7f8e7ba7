"""The learner folds the log, replicas fold its frames: the same bits at every frame's end."""

import random
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from millstream.models.errors import FrameRefused, StateRefused
from millstream.models.fism import FismParams
from millstream.models.frame import Array, Frame, decode_frame, encode_frame
from millstream.models.fusion import FusionParams
from millstream.models.interaction import FORMAT, Interaction, InteractionBatch
from millstream.models.learned_model import Folded, LearnedModel
from millstream.models.mf import MfParams
from millstream.models.model_replica import ModelReplica
from millstream.models.pairs import PairsParams
from millstream.models.pop import PopParams
from millstream.models.registry import new_source
from millstream.models.river_mf import RiverMfParams
from millstream.models.source import Source

HASH = "0f0f0f0f"
FUSION = FusionParams(candidates_max=25, top=10, hidden=8)
PARAMS = {
    "pairs": PairsParams(width=8),
    "pop": PopParams(half_life=30.0, trending_half_life=5.0, head=16),
    "mf": MfParams(factors=8, users_max=16, item_users=4),
    "fism": FismParams(factors=8, negatives=4),
    "river_mf": RiverMfParams(factors=8, users_max=16, negatives=2),
}


def sources() -> list[tuple[Source, int]]:
    """All sources, of which two propose."""
    proposals = {"pairs": 20, "pop": 10}
    return [(new_source(name, p, 7), proposals.get(name, 0)) for name, p in PARAMS.items()]


def learner(items_max: int = 1000, fusion: FusionParams = FUSION) -> LearnedModel:
    return LearnedModel(sources(), fusion, items_max, 7)


def replica(items_max: int = 1000) -> ModelReplica:
    return ModelReplica(sources(), FUSION, items_max, 7)


def click(offset: int, item: str, *history: str, user: int = 1, weight: float = 1.0) -> Interaction:
    ages = [1000 * (n + 1) for n in range(len(history))]
    worth = [1.0] * len(history)
    return Interaction(
        0, 0, offset, user, offset, item, weight, 10**12 + offset, list(history), worth, ages
    )


def batch(*interactions: Interaction) -> InteractionBatch:
    return InteractionBatch(FORMAT, ["topic-id"], list(interactions))


def stream(seed: int, records: int, items: int = 40) -> Iterator[InteractionBatch | None]:
    """Yield records of a few interactions each: repeats, weightless and unreadable ones too."""
    chance = random.Random(seed)
    histories: dict[int, list[str]] = {}
    offset = 0
    for _ in range(records):
        if chance.random() < 0.03:
            yield None
            continue
        some = []
        for _ in range(chance.randint(1, 5)):
            user = chance.randrange(12)
            item = f"m{min(int(chance.paretovariate(0.6)), items)}"
            history = histories.setdefault(user, [])
            weight = chance.choice((0.0, 0.3, 1.0, 2.0))
            some.append(click(offset, item, *history, user=user + 2**40, weight=weight))
            if weight:
                histories[user] = [item, *(i for i in history if i != item)][:6]
            offset += chance.random() < 0.95
        yield batch(*some)


def take_in(model: LearnedModel, record: InteractionBatch | None) -> Folded:
    return model.fold(model.offset, record, 10**12 + model.offset)


def emit(model: LearnedModel) -> Frame:
    """Return the pending frame as it comes out of the log."""
    frame = model.frame("w", HASH)
    assert frame is not None
    return decode_frame(encode_frame(frame))


def frames(
    model: LearnedModel, records: Sequence[InteractionBatch | None], seed: int
) -> Iterator[Frame]:
    """Fold records; yield a frame now and then, and whenever the model asks for one."""
    chance = random.Random(seed)
    for record in records:
        if record is not None and model.needs_frame(len(record.interactions)):
            yield emit(model)
        take_in(model, record)
        if chance.random() < 0.2:
            yield emit(model)
    last = model.frame("w", HASH)
    if last is not None:
        yield last


@pytest.mark.parametrize("items_max", [1000, 12], ids=["with room", "forgetting"])
@pytest.mark.parametrize("seed", range(3))
def test_learner_and_replica_are_equal_at_every_frames_end(seed: int, items_max: int) -> None:
    model, copy = learner(items_max), replica(items_max)
    forgotten = 0
    for frame in frames(model, list(stream(seed, 90)), seed):
        copy.apply(frame, HASH)
        forgotten += len(frame.forgotten)
        assert (copy.offset, copy.newest_ts) == (model.offset, model.newest_ts)
        assert copy.rows.ids() == model.rows.ids()
        assert copy.digest() == model.digest()
    assert (forgotten > 0) == (items_max == 12)


@pytest.mark.parametrize("items_max", [1000, 12], ids=["with room", "forgetting"])
def test_the_state_does_not_depend_on_where_frames_end(items_max: int) -> None:
    records = list(stream(1, 90))
    models = []
    for seed in (1, 2):
        models.append(learner(items_max))
        list(frames(models[-1], records, seed))
    assert models[0].digest() == models[1].digest()


@pytest.mark.parametrize("items_max", [1000, 12], ids=["with room", "forgetting"])
@pytest.mark.parametrize("cut", [0, 40, 89])
def test_a_snapshot_goes_on_to_the_same_digest_for_learner_and_replica(
    items_max: int, cut: int
) -> None:
    records = list(stream(2, 90))
    whole, first, second = learner(items_max), learner(items_max), learner(items_max)
    list(frames(whole, records, 0))
    list(frames(first, records[:cut], 0))
    saved: dict[str, Array] = {name: array.copy() for name, array in first.arrays().items()}
    second.load(saved)
    copy = replica(items_max)
    copy.load(saved)
    assert copy.digest() == second.digest() == first.digest()
    for frame in frames(second, records[cut:], 3):
        copy.apply(frame, HASH)
        assert copy.digest() == second.digest()
    assert second.digest() == whole.digest()
    assert second.offset == whole.offset == len(records)
    assert state(second) == state(whole)


def state(model: LearnedModel) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in model.arrays().items()}


def test_the_fusion_learns_in_the_fold_from_a_sample_that_is_the_same_each_time() -> None:
    records = list(stream(4, 60))
    samples = (1.0, 0.5, 1e-9)
    models = [
        learner(fusion=FusionParams(candidates_max=25, hidden=8, sample=s, sampled_from=0))
        for s in samples
    ]
    models.append(learner(fusion=FusionParams(candidates_max=25, hidden=8, learn=False)))
    again = learner(fusion=models[1].fusion.params)
    for model in (*models, again):
        list(frames(model, records, 0))
    taken = [int(model.fusion.steps[0]) for model in models]
    assert taken[0] > 20
    assert 0.3 * taken[0] < taken[1] < 0.7 * taken[0]
    assert taken[2:] == [0, 0]
    assert state(again) == state(models[1])
    sources_of = [{n: v for n, v in state(m).items() if not n.startswith("fusion")} for m in models]
    assert sources_of == [sources_of[0]] * 4, "what the fusion learns changes no source"
    assert not models[3].fusion.own.any()


def test_reading_changes_no_byte() -> None:
    model = learner()
    list(frames(model, list(stream(3, 50)), 0))
    before = state(model)
    for _ in range(2):
        model.digest()
        model.arrays()
    assert state(model) == before


def test_a_frame_is_refused_twice_and_out_of_order() -> None:
    model, copy = learner(), replica()
    take_in(model, batch(click(0, "a")))
    first = emit(model)
    take_in(model, batch(click(1, "b", "a")))
    second = emit(model)
    with pytest.raises(FrameRefused, match="begins at 1, the replica is at 0"):
        copy.apply(second, HASH)
    copy.apply(first, HASH)
    before = copy.digest()
    with pytest.raises(FrameRefused, match="begins at 0, the replica is at 1"):
        copy.apply(first, HASH)
    assert copy.digest() == before
    copy.apply(second, HASH)
    assert copy.digest() == model.digest()


def test_a_frame_of_other_settings_is_refused_with_what_to_do() -> None:
    model, copy = learner(), replica()
    take_in(model, batch(click(0, "a")))
    with pytest.raises(FrameRefused, match="start LEARN and RECOMMEND with the same settings"):
        copy.apply(emit(model), "11111111")
    assert copy.offset == 0


def test_repeats_are_skipped_by_source_offset_and_by_id_and_the_rest_is_counted() -> None:
    model, once = learner(), learner()
    first = batch(click(0, "a"), click(1, "b", "a"), click(2, "a", weight=0.0))
    assert take_in(model, first) == Folded(learnt=2, weightless=1)
    assert take_in(model, first) == Folded(repeats=3)
    same_id = Interaction(0, 1, 9, 1, 1, "b", 1.0, 10**12, [], [], [])
    assert take_in(model, batch(same_id)) == Folded(repeats=1)
    take_in(once, first)
    assert model.digest() == once.digest()
    assert model.offset == 3


def test_an_unreadable_record_only_moves_the_offset() -> None:
    model = learner()
    take_in(model, batch(click(0, "a")))
    before = model.digest()
    assert take_in(model, None) == Folded()
    assert (model.offset, model.digest()) == (2, before)


def test_items_of_the_history_that_are_unknown_are_left_out() -> None:
    known, unknown = learner(), learner()
    take_in(known, batch(click(0, "a")))
    take_in(unknown, batch(click(0, "a")))
    take_in(known, batch(click(1, "b", "a")))
    take_in(unknown, batch(click(1, "b", "never-met", "a")))
    ids = known.sources["pairs"].read_arrays()["ids"]
    assert np.array_equal(ids, unknown.sources["pairs"].read_arrays()["ids"])


def test_rows_are_bounded_and_the_least_recently_used_are_given_up() -> None:
    model = learner(items_max=5)
    take_in(model, batch(*(click(offset, item) for offset, item in enumerate("abcde"))))
    emit(model)
    take_in(model, batch(click(5, "a"), click(6, "f")))
    assert model.rows.row("b") == -1, "the oldest"
    assert model.rows.rows(["a", "f"]) == [0, 1], "a was met again, f took the row of b"
    assert len(model.rows) == 5


def test_rows_are_given_up_only_where_a_frame_begins() -> None:
    model = learner(items_max=2)
    take_in(model, batch(click(0, "a"), click(1, "b")))
    assert model.needs_frame(1)
    with pytest.raises(FrameRefused, match="emit the frame first"):
        take_in(model, batch(click(2, "c")))
    emit(model)
    assert not model.needs_frame(1)
    take_in(model, batch(click(2, "c")))
    assert emit(model).forgotten == [0]


def test_there_is_no_frame_where_nothing_was_read() -> None:
    model = learner()
    assert model.frame("w", HASH) is None
    take_in(model, None)
    assert emit(model).stop == 1
    assert model.frame("w", HASH) is None


def test_settling_begins_a_frame_at_the_offset_reached() -> None:
    model = learner()
    take_in(model, batch(click(0, "a")))
    model.settle()
    assert model.frame("w", HASH) is None
    take_in(model, batch(click(1, "b")))
    frame = emit(model)
    assert (frame.start, frame.stop, frame.items) == (1, 2, [(1, "b")])


def test_what_was_touched_is_told_once() -> None:
    model = learner()
    take_in(model, batch(click(0, "a"), click(1, "b"), click(2, "a")))
    assert model.take_touched() == [0, 1]
    assert model.take_touched() == []


@pytest.mark.parametrize(
    "part", ["fold.offset", "fold.items", "fold.highest", "pairs.ids", "fusion.own"]
)
def test_a_snapshot_that_lacks_a_part_is_refused(part: str) -> None:
    arrays = learner().arrays()
    del arrays[part]
    with pytest.raises(StateRefused):
        learner().load(arrays)
