"""Content: near to what a person took to; young items; what lacks is not counted against it."""

import msgspec
import numpy as np
import pytest

from millstream.models.content import FEATURES, Content, ContentParams, Fusion
from millstream.models.embedding import Embedding, Modality, Part, unit_vector
from millstream.models.histories import Steps
from millstream.models.samples import histories_of, no_histories, step_of

PARAMS = ContentParams(young=2, profile_items=5)


def part(*numbers: float) -> Part:
    vector = np.array(numbers, np.float64)
    return Part(unit_vector(vector / np.linalg.norm(vector)), "1", b"x")


def look(n: int, *modalities: Modality) -> Embedding:
    """Even items are alike, odd ones too, and each is a little its own."""
    own = [0.1 * ((n * k) % 7) for k in (1, 2, 3)]
    sides = (1.0, 0.0) if n % 2 == 0 else (0.0, 1.0)
    return Embedding({modality: part(*sides, *own) for modality in modalities})


def content(items: int = 12, params: ContentParams = PARAMS) -> Content:
    source = Content(params)
    source.grow(items)
    for row in range(items):
        source.describe(row, look(row, "text", "image"))
    return source


def meet(source: Content, *rows: int) -> None:
    for row in rows:
        source.learn(Steps.of([step_of(row, [], 1)]))


def scored(source: Content, history: list[int], rows: list[int]) -> dict[str, list[float]]:
    found = source.score(histories_of([history]), np.array([rows], np.int32))
    return {name: found[n, 0].tolist() for n, name in enumerate(source.features)}


@pytest.mark.parametrize("fusion", ["late", "early", "hybrid"])
def test_what_is_like_the_history_scores_higher(fusion: Fusion) -> None:
    source = content(params=msgspec.structs.replace(PARAMS, fusion=fusion))
    found = scored(source, [0, 2], [4, 5, 6, 7])
    assert tuple(found) == FEATURES[fusion]
    first = found["text"] if fusion != "early" else found["content"]
    assert min(first[0], first[2]) > max(first[1], first[3]) + 1.0
    assert set(found["spread"]) == {0.0}  # `co` said nothing


def test_the_cosine_is_that_of_the_short_vectors() -> None:
    source = content()
    vectors = source.vectors
    short = vectors.codes[:12, 0] * vectors.scales[:12, 0, None]
    found = scored(source, [0], [2, 5])["text"]
    assert found == pytest.approx([short[0] @ short[2], short[0] @ short[5]], abs=0.02)


def test_with_one_item_of_profile_only_the_newest_speaks() -> None:
    source = content(params=ContentParams(profile_items=1))
    rows = list(range(12))
    assert scored(source, [0, 1, 3, 5], rows) == scored(source, [0], rows)


@pytest.mark.parametrize("fusion", ["late", "early", "hybrid"])
def test_an_item_without_a_picture_ranks_as_one_with_an_average_picture(fusion: Fusion) -> None:
    source = content(params=msgspec.structs.replace(PARAMS, fusion=fusion))
    source.describe(6, look(6, "text"))
    found = scored(source, [0, 2], [4, 5, 6, 7, 9])
    if "image" in found:
        others = [found["image"][n] for n in (0, 1, 3, 4)]
        assert found["image"][2] == pytest.approx(np.mean(others), abs=1e-5)
    if "content" in found:  # the text alone speaks for it: it is among its like
        assert found["content"][2] > max(found["content"][n] for n in (1, 3, 4))


def test_nothing_described_costs_and_says_nothing() -> None:
    source = Content(PARAMS)
    source.grow(5)
    meet(source, 0, 1, 1)
    assert not any(any(scores) for scores in scored(source, [0], [1, 2, 3]).values())
    assert (source.retrieve(histories_of([[0]]), 3) == -1).all()
    assert source.bonus(np.array([[1, 2]], np.int32)) is None
    assert not source.vectors.any


def test_who_took_to_nothing_described_gets_nothing_by_likeness() -> None:
    source = content(6)
    source.grow(9)
    meet(source, 3)
    for history in ([], [7, 8]):
        found = scored(source, history, [0, 1, 2])
        assert not any(any(found[name]) for name in ("text", "image", "fresh"))
        assert (source.retrieve(histories_of([history]), 3) == -1).all()


def test_a_catalogue_of_one_and_candidates_that_all_look_alike_tell_nothing_apart() -> None:
    source = content(1)
    assert not any(any(scores) for scores in scored(source, [0], [0, -1]).values())
    twins = Content(PARAMS)
    twins.grow(8)
    for row in range(8):
        twins.describe(row, look(row % 2, "text"))
    meet(twins, 2, 4, 6, 0, 0, 0)
    assert scored(twins, [0], [2, 4, 6, 0])["fresh"] == [0.0] * 4


def test_one_described_candidate_does_not_lift_the_young_above_the_others() -> None:
    """All others stand at its cosine then: nobody stands out, whatever rounding says."""
    source = content(4)
    source.grow(60)
    meet(source, *range(4, 30))
    found = scored(source, [0], [2, *range(4, 60)])
    assert set(found["fresh"]) == {0.0}


def test_young_items_that_fit_are_proposed_until_they_are_no_longer_young() -> None:
    source = content()
    assert (source.retrieve(histories_of([[0]]), 4) == -1).all()  # nobody has met any
    meet(source, 4, 5, 6)
    (found,) = source.retrieve(histories_of([[0]]), 4).tolist()
    assert (set(found[:2]), found[2:]) == ({4, 6}, [5, -1])
    assert source.unmet.rows().tolist() == [0, 1, 2, 3, 7, 8, 9, 10, 11]
    meet(source, 4, 4)
    assert source.young.rows().tolist() == [5, 6]
    bonus = source.bonus(np.array([[4, 5, 0, -1]], np.int32))
    assert bonus is not None
    assert bonus[0].tolist() == pytest.approx([0.0, source.params.young_bonus, 0.0, 0.0])


def test_a_young_item_that_nothing_describes_gets_no_bonus() -> None:
    source = content(4)
    source.grow(6)
    meet(source, 1, 5)
    bonus = source.bonus(np.array([[1, 5]], np.int32))
    assert bonus is not None
    assert bonus[0].tolist() == pytest.approx([source.params.young_bonus, 0.0])


def test_with_young_0_nothing_is_young() -> None:
    source = content(params=ContentParams(young=0))
    meet(source, 1, 2)
    assert not len(source.young.rows())
    assert source.unmet.rows().tolist() == [0, *range(3, 12)]
    assert not any(scored(source, [0], [1, 2])["fresh"])
    assert source.bonus(np.array([[1]], np.int32)) is None


def test_of_more_young_items_than_young_max_the_nearest_are_looked_at() -> None:
    few, all_ = (content(600, msgspec.structs.replace(PARAMS, young_max=n)) for n in (200, 600))
    for each in (few, all_):
        meet(each, *range(600))
    histories = histories_of([[0], [1], []])
    taste = few.tastes(histories)
    looked = few.look(few.young.rows(), taste, few.worth)
    assert looked is not None
    assert looked.shape == (3, 100)
    assert (looked[0] % 2 == 0).mean() > 0.9  # even items are alike
    assert (looked[1] % 2 == 1).mean() > 0.9
    assert (looked[2] == -1).all()
    assert all_.look(all_.young.rows(), all_.tastes(histories), all_.worth) is None
    found, exact = few.retrieve(histories, 9), all_.retrieve(histories, 9)
    for one, other in zip(found[:2].tolist(), exact[:2].tolist(), strict=True):
        assert len({*one} & {*other}) >= 5
    assert (found[2] == -1).all()


def test_pools_are_a_function_of_what_is_described_and_met_on_every_side() -> None:
    """Also the first item, which has no direction until a second comes, and at a take-over."""
    learner, replica = Content(PARAMS), Content(PARAMS)
    for n in range(12):
        for each in (learner, replica):
            each.grow(n + 1)
        learner.describe(n, look(n, "text"))
        if changes := learner.changes():
            replica.apply(changes)
        for each in (learner, replica):
            meet(each, n // 3 * 2)
        loaded = Content(PARAMS)
        loaded.load({name: array.copy() for name, array in learner.arrays().items()})
        for each in (replica, loaded):
            assert each.unmet.rows().tolist() == learner.unmet.rows().tolist()
            assert each.young.rows().tolist() == learner.young.rows().tolist()
    assert learner.unmet.rows().tolist() == [1, 3, 5, *range(7, 12)]


def test_a_row_that_goes_to_another_item_is_new_again() -> None:
    source = content()
    meet(source, 3, 3, 3, 3)
    source.forget(np.array([3], np.int32))
    assert 3 not in source.unmet
    source.describe(3, look(4, "text"))
    assert 3 in source.unmet
    assert scored(source, [0], [3])["text"][0] > 0.5


def test_nobody_and_no_candidates_are_no_error() -> None:
    source = content()
    many = len(source.features)
    assert source.score(no_histories(2), np.zeros((2, 0), np.int32)).shape == (many, 2, 0)
    assert source.score(no_histories(0), np.zeros((0, 3), np.int32)).shape == (many, 0, 3)
