"""Who is like whom: exact among few, by graph or cells among many, as the catalogue changes."""

import numpy as np
import numpy.typing as npt
import pytest

from millstream.models.alike import alike
from millstream.models.content import Content, ContentParams
from millstream.models.embedding import MODALITIES
from millstream.models.histories import Rows
from millstream.models.likeness_graph import PUT_A_CALL, LikenessGraph
from millstream.models.space import DIM

ITEMS = 1500
NONE_CLOSED = np.zeros(0, np.bool_)
ASKED = np.arange(0, ITEMS, 31, dtype=np.int32)


def content_of(items: int = ITEMS) -> Content:
    """Items of many kinds, of which a third has no picture."""
    content = Content(ContentParams())
    content.grow(items)
    restate(content, np.arange(items, dtype=np.int32), seed=0)
    return content


def restate(content: Content, rows: Rows, seed: int) -> None:
    """Give rows other looks."""
    chance = np.random.default_rng([seed, 1])
    kinds = chance.normal(size=(60, len(MODALITIES), DIM))
    says = kinds[rows % 60] + chance.normal(size=(len(rows), len(MODALITIES), DIM))
    scales = np.abs(says).max(axis=2) / 127
    codes = np.rint(says / scales[:, :, None]).astype(np.int8)
    scales = (scales / np.linalg.norm(says, axis=2)).astype(np.float32)
    scales[rows % 3 == 0, MODALITIES.index("image")] = 0.0
    content.apply({"rows": rows, "codes": codes, "scales": scales})
    content.cells.put(rows.tolist(), content.joint)


def settled(graph: LikenessGraph, content: Content, rows: Rows = ASKED[:0]) -> None:
    """Let the graph follow until nothing waits."""
    graph.follow(content, rows.tolist())
    for _ in range(ITEMS // PUT_A_CALL + 1):
        graph.follow(content, ())


def recall(graph: LikenessGraph, content: Content, closed: npt.NDArray[np.bool_]) -> float:
    """How many of the ten nearest by a scan the graph finds."""
    exact = alike(content, ASKED, content.described.open(closed), 10)
    found = graph.nearest(content, ASKED, closed, 10)
    assert found.shape == exact.shape
    return float(np.mean([np.isin(one, other) for one, other in zip(exact, found, strict=True)]))


def test_few_are_compared_with_all() -> None:
    graph, content = LikenessGraph(exact_max=ITEMS), content_of()
    settled(graph, content)
    assert recall(graph, content, NONE_CLOSED) == 1.0
    assert graph.memory_bytes == 0
    assert graph.cost(content) == ITEMS


def test_of_many_cells_find_some_until_the_graph_holds_them_and_finds_nearly_all() -> None:
    graph, content = LikenessGraph(exact_max=100, looked_at=300), content_of()
    by_cells = recall(graph, content, NONE_CLOSED)
    assert 0.3 < by_cells < 0.9
    graph.follow(content, ())
    assert graph.memory_bytes > 0
    assert recall(graph, content, NONE_CLOSED) == by_cells
    settled(graph, content)
    assert recall(graph, content, NONE_CLOSED) > 0.97
    assert graph.cost(content) == 300


@pytest.mark.parametrize("share", [5, 2, 1.2])
def test_what_is_closed_is_not_found_and_the_others_are(share: float) -> None:
    graph, content = LikenessGraph(exact_max=100), content_of()
    settled(graph, content)
    closed = np.random.default_rng(2).random(ITEMS) < 1 / share
    found = graph.nearest(content, ASKED, closed, 10)
    assert not closed[found[found >= 0]].any()
    assert recall(graph, content, closed) > 0.95


def test_it_follows_what_changes_what_goes_and_what_comes_in_its_place() -> None:
    graph, content = LikenessGraph(exact_max=100), content_of()
    settled(graph, content)
    changed = np.arange(0, ITEMS, 2, dtype=np.int32)
    restate(content, changed, seed=1)
    settled(graph, content, changed)
    assert recall(graph, content, NONE_CLOSED) > 0.95
    gone = np.arange(0, 300, dtype=np.int32)
    content.forget(gone)
    settled(graph, content, gone)
    here = ASKED[ASKED >= 300]
    found = graph.nearest(content, here, NONE_CLOSED, 10)
    assert found.min() >= 300
    restate(content, gone, seed=2)
    settled(graph, content, gone)
    assert recall(graph, content, NONE_CLOSED) > 0.95


def test_one_that_was_wholly_replaced_is_made_anew_and_takes_no_more_room() -> None:
    graph, content = LikenessGraph(exact_max=100), content_of()
    settled(graph, content)
    room = graph.memory_bytes
    everything = np.arange(ITEMS, dtype=np.int32)
    for seed in range(1, 6):
        restate(content, everything, seed)
        settled(graph, content, everything)
    assert recall(graph, content, NONE_CLOSED) > 0.95
    assert graph.memory_bytes < 1.5 * room


def test_where_few_are_left_there_is_no_graph() -> None:
    graph, content = LikenessGraph(exact_max=100), content_of()
    settled(graph, content)
    gone = np.arange(100, ITEMS, dtype=np.int32)
    content.forget(gone)
    graph.follow(content, gone.tolist())
    assert graph.memory_bytes == 0
    asked = np.arange(0, 100, 9, dtype=np.int32)
    assert graph.nearest(content, asked, NONE_CLOSED, 5).max() < 100


def test_who_else_is_asked_for_does_not_matter() -> None:
    graph, content = LikenessGraph(exact_max=100), content_of()
    settled(graph, content)
    together = graph.nearest(content, ASKED, NONE_CLOSED, 10)
    for a in range(len(ASKED)):
        alone = graph.nearest(content, ASKED[a : a + 1], NONE_CLOSED, 10)
        assert np.array_equal(alone[0], together[a])
