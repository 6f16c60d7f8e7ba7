"""Newcomers: who gets which, how likely, and what is learned of it."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.models.content import Content, ContentParams
from millstream.models.embedding import MODALITIES, Embedding, Modality, Part, unit_vector
from millstream.models.histories import Histories, Rows, Steps, histories_before, one_of
from millstream.models.newcomers import (
    DRAWN,
    Drawn,
    Newcomers,
    NewcomersParams,
    slots,
)
from millstream.models.samples import histories_of, step_of
from millstream.models.thompson import PROPENSITY_MIN

PARAMS = NewcomersParams()
ITEMS = 60
MET = 10
NOBODY = np.zeros(0, np.int32)
OPEN = np.zeros(0, np.bool_)
TEXT, IMAGE = MODALITIES.index("text"), MODALITIES.index("image")


def side(row: int, modality: Modality) -> int:
    """Text sets rows apart by twos, pictures by threes."""
    return row % 2 if modality == "text" else row % 3


def look(row: int, *modalities: Modality) -> Embedding:
    parts: dict[Modality, Part] = {}
    for n, modality in enumerate(modalities or ("text", "image")):
        vector = np.random.default_rng([row, n]).normal(0.0, 0.15, 8)
        vector[side(row, modality)] += 1.0
        parts[modality] = Part(unit_vector(vector / np.linalg.norm(vector)), "1", b"x")
    return Embedding(parts)


def made(
    params: NewcomersParams = PARAMS, items: int = ITEMS, looked_at: int = 2048
) -> tuple[Content, Newcomers]:
    """The first ten items were met; the others are newcomers."""
    content = Content(ContentParams(worth_text=1.0, worth_image=1.0, young_max=looked_at))
    content.grow(items)
    for row in range(items):
        content.describe(row, look(row))
    for row in range(min(MET, items)):
        content.learn(Steps.of([step_of(row, [], 1)]))
    return content, Newcomers(content, params)


def at(histories: Histories, now_ms: int) -> Histories:
    now = np.full(len(histories), now_ms, np.int64)
    h = histories
    return Histories(h.ptr, h.rows, h.weights, h.ts_ms, now, h.users)


def draw(
    newcomers: Newcomers,
    histories: Histories,
    excluded: list[list[int]] | None = None,
    closed: npt.NDArray[np.bool_] = OPEN,
    places: int = 3,
) -> Drawn:
    told = excluded or [[] for _ in range(len(histories))]
    ptr = np.cumsum([0, *map(len, told)]).astype(np.int64)
    flat = np.array([row for rows in told for row in rows], np.int32)
    return newcomers.draw(histories, ptr, flat, closed, places)


def choose(newcomers: Newcomers, content: Content, row: int, history: list[int]) -> None:
    steps = Steps.of([step_of(row, history, 7)])
    newcomers.learn(histories_before(steps), steps.rows)
    content.learn(steps)


@pytest.mark.parametrize(
    ("after", "length", "places"),
    [
        (10, 20, (13, 16, 18)),
        (0, 20, ()),
        (10, 10, ()),
        (10, 5, ()),
        (1, 4, (2, 3)),
    ],
)
def test_places_by_hand(after: int, length: int, places: tuple[int, ...]) -> None:
    """Of the first 13 of 20, 10 (1 + log 1.3) = 12.6 are known, so 13; of 14, 13.4, so 13."""
    assert slots(after, length) == places


@given(st.integers(1, 100), st.integers(0, 500))
def test_place_p_is_a_newcomers_with_a_share_of_one_less_after_by_p(
    after: int, length: int
) -> None:
    places = slots(after, length)
    assert list(places) == sorted(set(places))
    assert all(after <= place < length for place in places)
    for p in range(after, length + 1):
        known = p - sum(place < p for place in places)
        exact = after * (1 + np.log(p / after))
        assert abs(known - exact) <= 0.5 + 1e-9
    assert slots(after, length) == tuple(p for p in slots(after, length + 50) if p < length)


def test_the_newcomers_that_fit_come_first() -> None:
    _, newcomers = made()
    drawn = draw(newcomers, histories_of([[0, 6]]))  # even, and a multiple of three
    fits = [row for row in range(MET, ITEMS) if row % 6 == 0]
    first = set(drawn.rows[0, : len(fits)].tolist())
    assert len(first & set(fits)) >= len(fits) - 3  # by luck others, which fit in one
    assert all(row % 2 == 0 or row % 3 == 0 for row in first)
    assert (drawn.rows[0] >= 0).sum() == ITEMS - MET
    assert (np.diff(drawn.values[0, : ITEMS - MET]) <= 0).all()


def test_excluded_and_closed_and_met_rows_are_never_drawn() -> None:
    _, newcomers = made()
    closed = np.zeros(ITEMS, np.bool_)
    closed[12:20] = True
    drawn = draw(newcomers, histories_of([[0], [0]]), [[24, 30, 3, 59], []], closed)
    one, other = (set(rows.tolist()) - {-1} for rows in drawn.rows)
    assert one == set(range(MET, ITEMS)) - set(range(12, 20)) - {24, 30, 59}
    assert other == set(range(MET, ITEMS)) - set(range(12, 20))
    closed = np.ones(ITEMS, np.bool_)
    assert (draw(newcomers, histories_of([[0]]), None, closed).rows == -1).all()


def test_of_more_newcomers_than_are_looked_at_the_same_fit() -> None:
    few, all_ = (made(items=900, looked_at=n)[1] for n in (300, 900))
    histories = histories_of([[0, 6], [1, 7]])
    excluded = [[12, 18], [13]]
    found, exact = draw(few, histories, excluded), draw(all_, histories, excluded)
    for drawn in (found.rows, exact.rows):
        assert (drawn[0] % 6 == 0).mean() > 0.9
        assert (drawn[1] % 6 == 1).mean() > 0.9
        assert not {*drawn[0].tolist()} & {12, 18}
        assert 13 not in drawn[1]
    both = found.rows[0] == exact.rows[0]
    assert found.values[0, both] == pytest.approx(exact.values[0, both], abs=0.3)  # z by a sample
    alone = draw(few, one_of(histories, 0), excluded[:1])
    assert alone.rows[0].tolist() == found.rows[0].tolist()


def test_what_is_learned_of_many_newcomers_goes_the_same_way_as_of_few() -> None:
    for items in (300, 3000):
        content, newcomers = made(items=items)
        before = newcomers.modality_weights()
        for row in range(12, 132, 6):  # alike in text, and never in the picture
            choose(newcomers, content, row + 1, [row + 3])
        after = newcomers.modality_weights()
        assert after[IMAGE] < before[IMAGE]


def test_a_draw_is_of_the_person_the_item_and_the_moment_and_not_of_the_batch() -> None:
    _, newcomers = made()
    histories = histories_of([[0], [0], [1, 2], []])
    drawn = draw(newcomers, histories, [[20], [], [], []])
    for b, excluded in enumerate([[20], [], [], []]):
        alone = draw(newcomers, one_of(histories, b), [excluded])
        for mine, of_batch in zip(alone, drawn, strict=True):
            assert mine[0].tobytes() == of_batch[b].tobytes()
    again = draw(newcomers, at(histories, 5), [[20], [], [], []])
    assert not np.array_equal(drawn.rows[0], drawn.rows[1])  # another person
    assert not np.array_equal(drawn.rows[1], again.rows[1])  # another moment
    assert (drawn.rows[3] == -1).all()  # who took to nothing


@pytest.mark.parametrize("flat", [False, True], ids=["fit differs", "all fit alike"])
@pytest.mark.parametrize("places", [1, 3, 12])
def test_propensities_are_about_the_share_of_moments_an_item_is_among_the_first(
    flat: bool, places: int
) -> None:
    _, newcomers = made()
    if flat:
        newcomers.weights[:] = 0.0
    moments = 3000
    many = histories_of([[0, 6]] * moments)
    many.users[:] = 99
    many.now_ms[:] = np.arange(moments)
    drawn = draw(newcomers, many, places=places)
    share = np.bincount(drawn.rows[:, :places].ravel(), minlength=ITEMS) / moments
    said = np.zeros(ITEMS)
    said[drawn.rows[0][drawn.rows[0] >= 0]] = drawn.propensities[0][drawn.rows[0] >= 0]
    there = drawn.propensities[drawn.rows >= 0]
    assert there.min() >= PROPENSITY_MIN
    assert there.max() <= 1.0
    off = np.abs(said[MET:] - np.maximum(share[MET:], PROPENSITY_MIN))
    assert off.max() < 0.1
    assert off.mean() < 0.01
    if flat:
        assert said[MET:] == pytest.approx(places / (ITEMS - MET), rel=0.1)


def test_where_all_newcomers_find_a_place_each_is_certain() -> None:
    _, newcomers = made(items=14)
    drawn = draw(newcomers, histories_of([[0]]), places=4)
    assert drawn.propensities[0, :4] == pytest.approx([1.0] * 4, abs=1e-3)
    assert not draw(newcomers, histories_of([[0]]), places=0).propensities.any()


def test_no_more_than_a_few_are_drawn_from_and_the_best_are() -> None:
    _, newcomers = made(items=200)
    drawn = draw(newcomers, histories_of([[0, 6]]))
    assert drawn.rows.shape == (1, DRAWN)
    fits = {row for row in range(MET, 200) if row % 6 == 0}
    assert fits <= set(drawn.rows[0].tolist())


def test_what_is_shown_and_not_taken_sinks() -> None:
    _, newcomers = made()
    histories = histories_of([[0, 6]])
    before = draw(newcomers, histories)
    first = int(before.rows[0, 0])
    for _ in range(2000):
        newcomers.note_shown(first)
    newcomers.note_shown(3)  # met: no newcomer
    newcomers.note_shown(-1)
    assert newcomers.shown == {first: 2000}
    after = draw(newcomers, histories)
    fall = float(before.values[0, 0] - after.values[0][after.rows[0] == first][0])
    assert fall == pytest.approx(np.log((400 + 2000) / 400), abs=1e-4)
    assert int(after.rows[0, 0]) != first


def chosen_by(modality: Modality) -> Newcomers:
    """Each of twenty takes a newcomer that is like what they had by one modality alone."""
    content, newcomers = made(NewcomersParams(prior=3.0))
    for row in range(MET, ITEMS, 2):
        like = [
            old
            for old in range(MET)
            if side(old, modality) == side(row, modality)
            and all(side(old, m) != side(row, m) for m in ("text", "image") if m != modality)
        ]
        choose(newcomers, content, row, like[:1])
    return newcomers


def test_learning_lifts_the_modality_that_people_choose_by() -> None:
    by_text, by_image = chosen_by("text"), chosen_by("image")
    assert by_text.weights[TEXT] > by_text.weights[IMAGE] + 0.3
    assert by_image.weights[IMAGE] > by_image.weights[TEXT] + 0.3


def test_one_step_by_hand() -> None:
    """W += C^-1 (z_chosen - E z), C = prior I + Cov z, from weights that favour none."""
    content, newcomers = made(NewcomersParams(prior=2.0), items=13)
    newcomers.weights[:] = 0.0
    steps = Steps.of([step_of(12, [0], 7)])
    z, pool = np.zeros((6, 3)), [10, 11, 12]
    taste = content.tastes(histories_of([[0]]))
    short = taste.codes[0] * taste.scales[0][:, None]
    for n in (TEXT, IMAGE):
        z[n] = [
            (content.vectors.codes[row, n] * content.vectors.scales[row, n]) @ short[n]
            for row in pool
        ]
    z[5] = (z[TEXT] + z[IMAGE]) / 2
    for n in (TEXT, IMAGE, 5):
        z[n] = (z[n] - z[n].mean()) / z[n].std()
    expected = np.linalg.solve(2.0 * np.eye(6) + np.cov(z, bias=True), z[:, 2])
    newcomers.learn(histories_before(steps), steps.rows)
    assert newcomers.weights == pytest.approx(expected, abs=1e-4)


def test_only_the_first_that_comes_to_a_newcomer_teaches_and_strangers_do_not() -> None:
    content, once = made()
    _, twice = made()
    one = step_of(12, [0], 7)
    once.learn(histories_before(Steps.of([one])), Steps.of([one]).rows)
    both = Steps.of([one, step_of(12, [1], 8), step_of(5, [2], 9)])
    twice.learn(histories_before(both), both.rows)
    assert twice.weights.tobytes() == once.weights.tobytes()
    stranger = Steps.of([step_of(13, [], 7), step_of(13, [1], 8)])
    once.learn(histories_before(stranger), stranger.rows)
    assert twice.weights.tobytes() == once.weights.tobytes()
    assert 13 in content.unmet


def test_how_often_one_was_shown_is_dropped_when_it_is_met_on_both_sides() -> None:
    content, learner = made()
    _, replica = made()
    for row in (12, 13, 14):
        learner.note_shown(row)
    replica.apply(learner.changes())
    assert replica.shown == {12: 1, 13: 1, 14: 1}
    choose(learner, content, 12, [0])
    learner.forget(np.array([13], np.int32))
    replica.forget(np.array([13], np.int32))
    replica.apply(learner.changes())
    assert learner.shown == replica.shown == {14: 1}
    assert learner.changes() == {}
    loaded = made()[1]
    loaded.load(learner.arrays())
    for name, array in learner.arrays().items():
        assert loaded.arrays()[name].tobytes() == array.tobytes(), name


def test_with_after_0_nobody_waits_and_nothing_is_learned() -> None:
    content, newcomers = made(NewcomersParams(after=0))
    before = newcomers.weights.copy()
    choose(newcomers, content, 12, [0])
    assert not newcomers.waiting()
    assert newcomers.weights.tobytes() == before.tobytes()
    assert newcomers.changes() == {}


def test_an_item_without_a_picture_is_drawn_as_one_with_an_average_picture() -> None:
    content, newcomers = made()
    newcomers.weights[:] = 0.0
    newcomers.weights[IMAGE] = 1.0
    content.describe(30, look(30, "text"))
    drawn = newcomers.draw(histories_of([[0, 6]]), np.zeros(2, np.int64), NOBODY, OPEN, 3)
    value = drawn.values[0][drawn.rows[0] == 30][0]
    others: Rows = drawn.rows[0][(drawn.rows[0] >= 0) & (drawn.rows[0] != 30)]
    assert len(others) == ITEMS - MET - 1
    assert abs(value) < 0.7  # luck alone: nought standard deviations from the mean


def test_one_newcomer_alone_and_one_person_without_taste_are_no_error() -> None:
    content, newcomers = made(items=MET + 1)
    drawn = draw(newcomers, histories_of([[0], []]), places=3)
    assert drawn.rows[0, :2].tolist() == [MET, -1]
    assert (drawn.rows[1] == -1).all()
    choose(newcomers, content, MET, [0])
    assert np.isfinite(newcomers.weights).all()
    assert not newcomers.waiting()
