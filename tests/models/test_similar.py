"""An item's neighbours: by behaviour, and while few have met it by content."""

from collections.abc import Sequence

import numpy as np
import pytest
from tests.models.test_speakers import NOW, part

from millstream.models import similar
from millstream.models.alike import alike, likeness
from millstream.models.content import Content
from millstream.models.embedding import MODALITIES, Embedding
from millstream.models.fusion import FusionParams
from millstream.models.interaction import FORMAT, Interaction, InteractionBatch
from millstream.models.learned_model import LearnedModel
from millstream.models.likeness_graph import LikenessGraph
from millstream.models.registry import new_source, params_type
from millstream.models.similar import affordable, neighbours

IMAGE = MODALITIES.index("image")
OPEN = np.zeros(0, np.bool_)


def new_model() -> LearnedModel:
    sources = [(new_source(n, params_type(n)(), 3), 9) for n in ("pairs", "pop", "content")]
    return LearnedModel(sources, FusionParams(), 1000, 3)


def content_in(model: LearnedModel) -> Content:
    assert model.content is not None
    return model.content


def look(model: LearnedModel, looks: dict[str, Sequence[int]]) -> None:
    """Give items a row and these codes of a picture."""
    for item in looks:  # what describes them makes rows; their codes are then put by hand
        model.describe(model.offset, [(item, Embedding({"image": part(1.0, 2.0)}))], 0)
    content = content_in(model)
    for item, code in looks.items():
        row = model.rows.row(item)
        codes, scales = content.vectors.codes[[row]] * 0, content.vectors.scales[[row]] * 0
        codes[0, IMAGE, : len(code)] = code
        scales[0, IMAGE] = 1 / np.linalg.norm(code)
        content.apply({"rows": np.array([row]), "codes": codes, "scales": scales})
        content.cells.put([row], content.joint)


def meet(model: LearnedModel, one: str, other: str) -> None:
    """Let somebody meet one item and then the other."""
    offset = model.offset
    first = Interaction(0, 0, 2 * offset, 7, offset, one, 1.0, NOW, [], [], [])
    then = Interaction(0, 0, 2 * offset + 1, 7, -1 - offset, other, 1.0, NOW, [one], [1.0], [0])
    model.fold(offset, InteractionBatch(FORMAT, ["t"], [first, then]), NOW)


def named(model: LearnedModel, item: str, most: int = 5) -> list[tuple[str, float, int]]:
    (found,) = neighbours(model, [model.rows.row(item)], OPEN, NOW, most)
    return [(model.rows.item(row), round(score, 4), modality) for row, score, modality in found]


def test_a_new_item_has_neighbours_by_what_it_looks_like_alone() -> None:
    model = new_model()
    look(model, {"a": [100, 0], "b": [80, 60], "c": [60, 80], "d": [-100, 0]})
    assert named(model, "a") == [("b", 0.8, IMAGE), ("c", 0.6, IMAGE)]
    assert named(model, "a", most=1) == [("b", 0.8, IMAGE)]


def test_behaviour_counts_more_the_more_often_an_item_was_met() -> None:
    model = new_model()
    look(model, {"a": [100, 0], "b": [80, 60], "c": [0, 100]})
    for _ in range(10):
        meet(model, "a", "c")
    # a was met ten times, always with c: half of a cosine of 1, and half of what b looks like.
    found = named(model, "a")
    assert [(item, modality) for item, _, modality in found] == [("c", -1), ("b", IMAGE)]
    assert [score for _, score, _ in found] == pytest.approx([0.5, 0.4], abs=0.02)


def test_items_that_are_not_described_go_by_behaviour_alone() -> None:
    model = new_model()
    look(model, {"x": [100, 0]})
    meet(model, "a", "b")
    assert named(model, "a") == [("b", 1.0, -1)]
    assert named(model, "x") == []


def test_neither_the_item_itself_nor_what_is_closed_is_a_neighbour() -> None:
    model = new_model()
    look(model, {name: [100, n] for n, name in enumerate("abcdef")})
    meet(model, "a", "b")
    closed = np.zeros(len(model.rows), np.bool_)
    closed[model.rows.rows(["b", "d"])] = True
    (found,) = neighbours(model, [model.rows.row("a")], closed, NOW, 9)
    assert {model.rows.item(row) for row, _, _ in found} == {"c", "e", "f"}


def test_neighbours_do_not_depend_on_who_else_is_asked_for() -> None:
    model = new_model()
    chance = np.random.default_rng(4)
    look(model, {f"m{n}": chance.integers(-100, 100, 8).tolist() for n in range(40)})
    for one, other in chance.integers(0, 40, (60, 2)).tolist():
        meet(model, f"m{one}", f"m{other}")
    together = neighbours(model, list(range(40)), OPEN, NOW, 6)
    for row in range(40):
        assert neighbours(model, [row], OPEN, NOW, 6) == [together[row]]
        assert len({one.row for one in together[row]}) == len(together[row])
        scores = [one.score for one in together[row]]
        assert scores == sorted(scores, reverse=True)


def test_a_scan_finds_what_comparing_with_each_finds() -> None:
    model = new_model()
    chance = np.random.default_rng(5)
    look(model, {f"m{n}": chance.integers(-100, 100, 8).tolist() for n in range(50)})
    content, asked = content_in(model), np.arange(50, dtype=np.int32)
    pool = np.arange(0, 50, 2, dtype=np.int32)
    top = alike(content, asked, pool, 4)
    codes = content.vectors.codes[:50, IMAGE].astype(np.float64)
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    cosines = codes @ codes[pool].T
    assert np.array_equal(top, pool[np.argsort(-cosines, axis=1)[:, :4]])
    like, modalities = likeness(content, asked, np.tile(pool, (50, 1)))
    assert like == pytest.approx(np.maximum(cosines, 0.0), abs=1e-5)
    assert np.array_equal(modalities, np.where(like > 0, IMAGE, -1))


def test_so_many_are_taken_as_can_be_scanned() -> None:
    model = new_model()
    look(model, {f"m{n}": [100, n] for n in range(10)})
    everything = range(10)
    assert list(affordable(model, everything)) == list(everything)
    assert list(affordable(model, everything, 30)) == [0, 1, 2]
    assert list(affordable(model, everything, 1)) == [0]
    model.likeness = LikenessGraph(exact_max=5, looked_at=4)
    assert list(affordable(model, everything, 30)) == [0, 1, 2, 3, 4, 5, 6]
    content_in(model).counts[:5] = similar.SCANNED_BELOW  # these cost no scan
    assert list(affordable(model, everything, 1)) == [0, 1, 2, 3, 4, 5]
    assert list(affordable(model, [], 1)) == []


def test_of_too_many_items_those_in_the_nearest_cells_are_looked_at() -> None:
    model = new_model()
    kinds = np.random.default_rng(7).integers(-100, 100, (20, 16))
    own = np.random.default_rng(8).integers(-20, 20, (600, 16))
    look(model, {f"m{n}": (kinds[n % 20] + own[n]).clip(-127, 127).tolist() for n in range(600)})
    closed = np.zeros(600, np.bool_)
    closed[::7] = True
    closed.setflags(write=False)
    asked = list(range(0, 600, 11))
    exact = neighbours(model, asked, closed, NOW, 5)

    def found_of(looked_at: int) -> float:
        model.likeness = LikenessGraph(exact_max=500, looked_at=looked_at)
        found = neighbours(model, asked, closed, NOW, 5)
        assert not any(closed[one.row] for each in found for one in each)
        same = [len({*one} & {*other}) / 5 for one, other in zip(exact, found, strict=True)]
        return float(np.mean(same))

    assert found_of(350) > 0.9
    assert found_of(20) < 0.9


def test_what_is_described_is_touched_and_so_is_what_is_encoded_anew() -> None:
    model = new_model()
    chance = np.random.default_rng(6)
    for n in range(4):
        vector = part(*chance.normal(0, 1, 8))
        model.describe(n, [(f"m{n}", Embedding({"image": vector}))], 0)
        # Axes are fitted anew at 1, 2 and 4 vectors: then all have new codes.
        assert sorted(model.take_touched()) == ([2] if n == 2 else list(range(n + 1)))
    meet(model, "m0", "m1")
    assert sorted(model.take_touched()) == [0, 1]


def test_the_graph_follows_new_looks_axes_fitted_anew_and_rows_that_are_given_up() -> None:
    model, exact = new_model(), LikenessGraph()
    model.likeness = LikenessGraph(exact_max=10)
    chance = np.random.default_rng(9)
    kinds = chance.normal(0, 1, (30, 32))
    for n in range(1200):  # of which the model has room for 1000
        item = n if n < 1100 else n - 150  # some are described again
        looks = part(*(kinds[n % 30] + chance.normal(0, 0.5, 32)))
        model.describe(n, [(f"m{item}", Embedding({"image": looks}))], 0)
        model.settle()
        model.follow_likeness()
    rows = [row for row in range(1000) if model.rows.item(row)]
    asked = rows[::20]
    by_graph = neighbours(model, asked, OPEN, NOW, 5)
    model.likeness = exact
    same = [
        len({*one} & {*other}) / 5
        for one, other in zip(by_graph, neighbours(model, asked, OPEN, NOW, 5), strict=True)
    ]
    assert np.mean(same) > 0.95
    assert {one.row for found in by_graph for one in found} <= set(rows)
