"""What items look like, in the fold: replicas, snapshots and pools agree with the learner."""

import numpy as np
import pytest

from millstream.models.content import Content, ContentParams
from millstream.models.embedding import MODALITIES, Embedding, Part, content_digest, unit_vector
from millstream.models.frame import Frame
from millstream.models.fusion import FusionParams
from millstream.models.learned_model import LearnedModel
from millstream.models.model_replica import ModelReplica
from millstream.models.newcomers import NewcomersParams

FREE = FusionParams()


def looks(seed: int, version: str = "a1", width: int = 16) -> Embedding:
    """An item with a random text."""
    vector = np.random.default_rng(seed).standard_normal(width).astype(np.float32)
    vector /= np.linalg.norm(vector)
    digest = content_digest(seed.to_bytes(4, "little"))
    return Embedding({"text": Part(unit_vector(vector), version, digest)})


def learner() -> LearnedModel:
    return LearnedModel([(Content(ContentParams()), 5)], FREE, 64, 0, NewcomersParams())


def replica() -> ModelReplica:
    return ModelReplica([(Content(ContentParams()), 5)], FREE, 64, 0, NewcomersParams())


def content_of(model: LearnedModel | ModelReplica) -> Content:
    assert model.content is not None
    return model.content


def unmet(model: LearnedModel | ModelReplica) -> list[int]:
    return [int(row) for row in content_of(model).unmet.rows()]


def frame_of(model: LearnedModel) -> Frame:
    frame = model.frame("w", "s")
    assert frame is not None
    return frame


@pytest.mark.parametrize("a_frame", [1, 3, 20])
def test_learner_replica_and_snapshot_have_the_same_newcomers(a_frame: int) -> None:
    ours, theirs = learner(), replica()
    for n in range(20):
        ours.describe(n, [(f"m{n}", looks(n))], n)
        if (n + 1) % a_frame == 0:
            theirs.apply(frame_of(ours), "s")
            assert theirs.digest() == ours.digest()
            assert unmet(theirs) == unmet(ours)
    if ours.offset > theirs.offset:
        theirs.apply(frame_of(ours), "s")
    loaded = learner()
    loaded.load(ours.arrays())
    assert unmet(loaded) == unmet(theirs) == unmet(ours) == list(range(20))


def test_one_item_alone_has_no_looks_and_the_second_gives_both_theirs() -> None:
    model = learner()
    model.describe(0, [("m0", looks(0))], 0)
    assert unmet(model) == []
    model.describe(1, [("m1", looks(1))], 0)
    assert unmet(model) == [0, 1]


def test_an_item_that_is_gone_stays_gone_when_axes_are_fitted_anew() -> None:
    model = learner()
    model.describe(0, [(f"m{n}", looks(n)) for n in range(5)], 0)
    model.describe(1, [("m3", Embedding())], 0)
    model.describe(2, [(f"m{n}", looks(n)) for n in range(5, 20)], 0)
    row = model.rows.row("m3")
    assert row not in unmet(model)
    assert not content_of(model).vectors.scales[row].any()
    model.describe(3, [("m3", looks(3))], 0)
    assert row in unmet(model)


def test_nobody_gets_a_row_for_having_gone() -> None:
    model = learner()
    model.describe(0, [("never", Embedding())], 5)
    assert (len(model.rows), model.offset, model.newest_ts) == (0, 1, 5)


def test_a_vector_of_another_length_takes_over_when_nearly_all_have_it() -> None:
    model = learner()
    items = [f"m{n}" for n in range(20)]
    model.describe(0, [(item, looks(n)) for n, item in enumerate(items)], 0)
    before = content_of(model).vectors.codes.copy()
    for n in range(17):
        model.describe(1 + n, [(items[n], looks(n, "b2", 24))], 0)
        assert (content_of(model).vectors.codes == before).all(), n
    model.describe(18, [(items[17], looks(17, "b2", 24))], 0)
    assert (content_of(model).vectors.codes != before).any()
    text = MODALITIES.index("text")
    assert np.count_nonzero(content_of(model).vectors.scales[:, text]) == 18
    assert len(unmet(model)) == 18


@pytest.mark.parametrize("at", [3, 10, 17, 18])
def test_a_snapshot_in_the_middle_of_a_change_of_encoder_goes_on_the_same(at: int) -> None:
    ours, other = learner(), learner()
    for n in range(20):
        ours.describe(n, [(f"m{n}", looks(n))], 0)
    for n in range(20):
        if n == at:
            other.load(ours.arrays())
        for model in (ours, other) if n >= at else (ours,):
            model.describe(20 + n, [(f"m{n}", looks(n, "b2", 24))], 0)
    assert other.digest() == ours.digest()
    kept, again = ours.arrays(), other.arrays()
    assert kept.keys() == again.keys()
    assert all(np.array_equal(kept[name], again[name]) for name in kept)
