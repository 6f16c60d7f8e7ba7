"""Fusion: one order out of all features, and how it learns what predicts what people choose."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models import checks
from millstream.models.contexts import BUCKET_EDGES, SESSION_MS, contexts
from millstream.models.fusion import Fusion, FusionParams
from millstream.models.histories import Histories, Rows, Scores, Steps, one_of
from millstream.models.samples import histories_of, no_histories

SMALL = FusionParams(prior=1.0, top=10, hidden=8, rate=0.01, memory=50)
LINEAR = FusionParams(prior=1.0, hidden=0)


def rows(*users):
    return np.array(users, np.int32)


def known(users: int, items: int = 3) -> Histories:
    return histories_of([list(range(items))] * users)


def choices(users: int, width: int = 20, seed: int = 0) -> tuple[Scores, Rows, Rows]:
    """Features A and B of candidates, and whom each user chose: by A, while B is noise."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(2, users, width)).astype(np.float32)
    found = np.argsort(random.random((users, width)), axis=1).astype(np.int32)
    liking = 2.0 * features[0] + random.gumbel(size=(users, width))
    chosen = np.take_along_axis(found, liking.argmax(1)[:, None], 1)[:, 0]
    return features, found, chosen


def mean_rank(fusion: Fusion, features: Scores, found: Rows, chosen: Rows) -> float:
    ranked = fusion.rank(features, found, known(len(found)), found.shape[1]).rows
    return float((ranked == chosen[:, None]).argmax(1).mean())


def weights_of(fusion: Fusion, bucket: int) -> list[float]:
    return [float(w) for w in fusion.own[bucket - 1] + fusion.shared]


def learn(fusion: Fusion, features: Scores, found: Rows, chosen: Rows, worth: float = 1.0) -> None:
    of = known(len(found))
    fusion.learn(features, found, of, chosen, np.full(len(found), worth, np.float32))


def test_a_ranking_worked_by_hand():
    one = np.array([[0.0, 3.0, 77.0, 3.0]], np.float32)  # of rows 5, 6, padding, 4
    two = np.array([[1.0, 1.0, -9.0, 1.0]], np.float32)
    fusion = Fusion({"one": 2.0, "two": 1.0}, FusionParams())
    found = fusion.rank(np.stack([one, two]), rows([5, 6, -1, 4]), known(1), 5)
    z = np.array([-np.log1p(2 / np.sqrt(2)), *[np.log1p(1 / np.sqrt(2))] * 2])
    assert found.rows.tolist() == [[6, 4, 5, -1, -1]]
    expected = [2 * z[1], 2 * z[2], 2 * z[0], 0.0, 0.0]
    assert found.scores[0] == pytest.approx(expected, abs=1e-4)
    assert found.parts[0, 0] == pytest.approx([2 * z[1], 0.0], abs=1e-4)
    assert found.features()[0, 0] == 0


@pytest.mark.parametrize("params", [FusionParams(), FusionParams(hidden=0)])
def test_by_one_feature_the_order_is_its_own(params):
    random = np.random.default_rng(1)
    feature = random.normal(size=(1, 4, 30)).astype(np.float32)
    found = np.argsort(random.random((4, 30)), axis=1).astype(np.int32)
    up = Fusion({"a": 1.0}, params).rank(feature, found, known(4), 30)
    expected = np.take_along_axis(found, np.argsort(-feature[0], axis=1), 1)
    assert up.rows.tolist() == expected.tolist()
    down = Fusion({"a": -1.0}, params).rank(feature, found, known(4), 30)
    assert down.rows.tolist() == expected[:, ::-1].tolist()


def test_no_candidates_and_nobody_give_padding():
    fusion = Fusion({"a": 1.0, "pop": 0.1}, FusionParams())
    for of in (known(1), no_histories(1)):
        none = fusion.rank(np.zeros((2, 1, 2), np.float32), rows([-1, -1]), of, 2)
        assert none.rows.tolist() == [[-1, -1]]
        assert not none.scores.any()
        assert fusion.rank(np.zeros((2, 1, 0), np.float32), rows([]), of, 2).rows.tolist() == [
            [-1, -1]
        ]
    nobody = fusion.rank(
        np.zeros((2, 0, 3), np.float32), np.zeros((0, 3), np.int32), no_histories(0), 2
    )
    assert nobody.rows.shape == (0, 2)


def test_ties_go_to_the_earlier_candidate():
    fusion = Fusion({"a": 1.0}, FusionParams(top=3))
    found = fusion.rank(np.ones((1, 1, 6), np.float32), rows([9, 3, 7, 1, 8, 2]), known(1), 6)
    assert found.rows.tolist() == [[9, 3, 7, 1, 8, 2]]


def test_strangers_get_pop_whatever_was_learnt():
    features, found, chosen = choices(300)
    fusion = Fusion({"a": 0.1, "pop": 0.1}, SMALL)
    learn(fusion, features, found, chosen)
    a, pop = weights_of(fusion, 2)
    assert a > 3 * abs(pop)
    ranked = fusion.rank(features, found, no_histories(300), 20)
    expected = np.take_along_axis(found, np.argsort(-features[1], axis=1), 1)
    assert ranked.rows.tolist() == expected.tolist()


def test_without_pop_strangers_get_the_first_weights():
    features, found, chosen = choices(200)
    fusion, fresh = Fusion({"a": 0.1, "b": 0.1}, SMALL), Fusion({"a": 0.1, "b": 0.1}, SMALL)
    learn(fusion, features, found, chosen)
    asked = (features, found, no_histories(200), 20)
    assert fusion.rank(*asked).rows.tolist() == fresh.rank(*asked).rows.tolist()


@pytest.mark.parametrize("params", [SMALL, LINEAR])
def test_learning_finds_the_feature_that_predicts_what_people_choose(params):
    fusion = Fusion({"a": 0.1, "noise": 0.1}, params)
    unseen = choices(1_000, seed=9)
    before = mean_rank(fusion, *unseen)
    learn(fusion, *choices(2_000))
    a, noise = weights_of(fusion, 2)
    assert a > 10 * abs(noise)
    by_a = mean_rank(Fusion({"a": 1.0, "noise": 0.0}, LINEAR), *unseen)
    after = mean_rank(fusion, *unseen)
    assert after < 0.7 * before
    assert after < 1.1 * by_a


def test_the_network_learns_what_no_weights_can_say():
    # People choose what is extreme in A, either way: no weight of A tells that.
    def extremes(users, seed):
        random = np.random.default_rng(seed)
        features = random.normal(size=(2, users, 10)).astype(np.float32)
        found = np.repeat(np.arange(10, dtype=np.int32)[None, :], users, 0)
        return features, found, np.abs(features[0]).argmax(1).astype(np.int32)

    unseen = extremes(500, 9)
    ranks = []
    for params in (SMALL, FusionParams(prior=1.0, top=10, hidden=0)):
        fusion = Fusion({"a": 0.1, "b": 0.1}, params)
        learn(fusion, *extremes(4_000, 0))
        ranks.append(mean_rank(fusion, *unseen))
    assert ranks[0] < 0.5 * ranks[1]


def test_a_choice_is_learned_from_again_while_it_is_one_of_the_latest():
    once, again = (
        Fusion({"a": 0.1, "b": 0.1}, FusionParams(hidden=8, replays=replays, memory=5))
        for replays in (0, 2)
    )
    for fusion in (once, again):
        learn(fusion, *choices(30))
    assert once.steps[0] == again.steps[0] > 20, "choices that were among the best"
    assert (once.steps[1], again.steps[1]) == (once.steps[0], 3 * again.steps[0])
    assert once.own.tobytes() == again.own.tobytes(), "the linear part takes each once"
    assert once.out.tobytes() != again.out.tobytes()


def test_only_a_learner_that_learns_has_room_for_a_memory():
    fusion = Fusion({"a": 0.1, "b": 0.1}, SMALL)
    size = sum(array.nbytes for array in fusion.arrays().values())
    learn(fusion, *choices(3))
    full = sum(array.nbytes for array in fusion.arrays().values())
    # Inputs of 10 by 8, 10 scores and a worth, how many and which was chosen.
    assert full - size == 50 * (10 * 8 + 10 + 1 + 2) * 4
    learn(fusion, *choices(200))
    assert sum(array.nbytes for array in fusion.arrays().values()) == full


def test_each_length_of_history_learns_weights_of_its_own():
    fusion = Fusion({"a": 0.1, "b": 0.1}, FusionParams(prior=30.0, hidden=0))
    for items, order in ((1, [0, 1]), (50, [1, 0])):
        features, found, chosen = choices(500, seed=items)
        fusion.learn(
            np.ascontiguousarray(features[order]),
            found,
            known(500, items),
            chosen,
            np.ones(500, np.float32),
        )
    short, long = weights_of(fusion, 1), weights_of(fusion, len(BUCKET_EDGES))
    assert short[0] > short[1]
    assert long[1] > long[0]
    assert not fusion.own[1:3].any(), "nobody of those lengths chose anything"


def test_buckets_and_sessions_are_read_from_the_history():
    lengths = [0, 1, 2, 3, 8, 9, 30, 31, 200]
    asked = histories_of([list(range(n)) for n in lengths])
    bucket, context = contexts(asked)
    assert bucket.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert context[:, 0] == pytest.approx([min(np.log1p(n) / 3, 2) - 1 for n in lengths], abs=1e-5)
    assert context[:, 1].tolist() == context[:, 0].tolist(), "all of it is one session"
    asked = histories_of([[1, 2, 3, 4]])
    asked.ts_ms[:] = [5 * SESSION_MS, 5 * SESSION_MS - 1, 4 * SESSION_MS - 1, 0]
    _, context = contexts(asked)
    half_an_hour_ends_it = pytest.approx(np.log1p(2) / 3 - 1, abs=1e-5)
    assert context[0, 1] == half_an_hour_ends_it


@pytest.mark.parametrize("params", [SMALL, LINEAR])
def test_a_choice_of_no_worth_and_one_outside_the_candidates_teach_nothing(params):
    features, found, chosen = choices(50)
    fusion = Fusion({"a": 0.1, "b": 0.1}, params)
    before = {name: a.tobytes() for name, a in fusion.read_arrays().items()}
    learn(fusion, features, found, np.full(50, 999, np.int32))
    fusion.learn(features, found, no_histories(50), chosen, np.ones(50, np.float32))
    learn(fusion, features, np.full_like(found, -1), chosen)
    assert not fusion.steps.any()
    fusion.learn(features, found, known(50), chosen, np.zeros(50, np.float32))
    after = {name: a.tobytes() for name, a in fusion.read_arrays().items()}
    linear = ("own", "shared")
    assert {n: after[n] for n in linear} == {n: before[n] for n in linear}
    assert mean_rank(fusion, features, found, chosen) == mean_rank(
        Fusion({"a": 0.1, "b": 0.1}, params), features, found, chosen
    )


def test_less_worth_moves_less_and_more_than_1_counts_1():
    moved = []
    for worth in (0.1, 1.0, 50.0):
        fusion = Fusion({"a": 0.1, "b": 0.1}, FusionParams(hidden=0))
        learn(fusion, *choices(5), worth)
        moved.append(float(np.abs(fusion.shared - 0.1).sum()))
    assert 0 < moved[0] < 0.2 * moved[1]
    assert moved[1] == moved[2]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([SMALL, LINEAR]), st.integers(0, 30))
def test_lists_descend_are_complete_and_do_not_depend_on_the_batch(seed, params, n):
    fusion = Fusion({"a": 0.4, "b": -0.3}, params)
    learn(fusion, *choices(40))
    features, found, _ = choices(5, 25, seed=seed)
    found[2, 3:9] = -1
    of = histories_of([[1, 2, 3], [], [1], list(range(40)), [7, 8]])
    together = fusion.rank(features, found, of, n)
    assert (np.diff(together.scores[:, : min(n, 19)], axis=1) <= 0).all()
    for b in range(5):
        listed = together.rows[b][together.rows[b] >= 0].tolist()
        own = [row for row in found[b].tolist() if row >= 0]
        assert len(listed) == len(set(listed)) == min(n, len(own))
        assert set(listed) <= set(own)
        alone = fusion.rank(
            np.ascontiguousarray(features[:, b : b + 1]), found[b : b + 1], one_of(of, b), n
        )
        for one, many in (
            (alone.rows, together.rows),
            (alone.scores, together.scores),
            (alone.parts, together.parts),
        ):
            assert one[0].tobytes() == many[b].tobytes()


def test_fewer_are_the_first_of_more():
    fusion = Fusion({"a": 0.4, "b": -0.3}, SMALL)
    learn(fusion, *choices(100))
    features, found, _ = choices(30, 25, seed=5)
    more = fusion.rank(features, found, known(30), 25)
    for n in (1, 5, 10, 11, 24):
        fewer = fusion.rank(features, found, known(30), n)
        assert fewer.rows.tolist() == more.rows[:, :n].tolist()
        assert fewer.scores.tobytes() == np.ascontiguousarray(more.scores[:, :n]).tobytes()


class FusionAlone:
    """A fusion as a source that learns choices made up from each step, to be checked as one."""

    name = "alone"
    learns_from_steps = False
    features: ClassVar[Mapping[str, float]] = {"score": 1.0}

    def __init__(self) -> None:
        self.fusion = Fusion({"near": 0.1, "twin": 0.1, "pop": 0.1}, SMALL, seed=7)
        self.changes, self.apply = self.fusion.changes, self.fusion.apply
        self.read_arrays, self.arrays = self.fusion.read_arrays, self.fusion.arrays
        self.load = self.fusion.load

    def grow(self, rows: int) -> None:
        pass

    def forget(self, rows: Rows) -> None:
        pass

    def learn(self, steps: Steps) -> None:
        of = Histories(
            steps.ptr,
            steps.history,
            steps.history_weights,
            steps.history_ts_ms,
            steps.ts_ms,
            steps.users,
        )
        found = np.repeat(np.arange(40, dtype=np.int32)[None, :], len(steps), 0)
        self.fusion.learn(self.made_up(of, found), found, of, steps.rows, steps.weights)

    def made_up(self, of: Histories, found: Rows) -> Scores:
        """How close to the newest item a candidate is, whether of the same half, how low."""
        rows = np.append(of.rows, np.int32(0))  # somebody without a history has any
        newest = rows[of.ptr[:-1]]
        near = -np.abs(found - newest[:, None])
        twin = (found % 2) == (newest[:, None] % 2)
        return np.stack([near, twin, -found]).astype(np.float32)

    def retrieve(self, histories: Histories, k: int) -> Rows:
        return np.empty((len(histories), 0), np.int32)

    def score(self, histories: Histories, candidates: Rows) -> Scores:
        """Each candidate's place in the order; the fusion reads them all together."""
        features = self.made_up(histories, candidates)
        ranked = self.fusion.rank(features, candidates, histories, candidates.shape[1])
        out = np.zeros(candidates.shape, np.float32)
        for b, c in np.ndindex(candidates.shape):
            if candidates[b, c] >= 0:
                out[b, c] = ranked.scores[b][ranked.rows[b] == candidates[b, c]][0]
        return out[None]


PART_CHECKS = (
    checks.reading_changes_no_byte,
    checks.equal_events_give_equal_state,
    checks.memory_is_bounded,
    checks.save_and_load_round_trip,
    checks.loading_copies,
    checks.nothing_and_nobody_work,
    checks.scores_are_finite,
    checks.a_replica_equals_the_learner,
)
"""What every part of the model promises, of what every source does."""


@pytest.mark.parametrize("check", PART_CHECKS, ids=lambda check: check.__name__)
def test_the_fusion_keeps_the_promises_of_a_part(check):
    check(FusionAlone)


def test_a_replica_ranks_as_its_learner_does():
    learner, replica = (Fusion({"a": 0.1, "b": 0.1}, SMALL, seed=s) for s in (1, 2))
    learn(learner, *choices(200))
    replica.apply(learner.changes())
    assert learner.changes() == {}
    features, found, _ = choices(20, seed=3)
    one, other = (f.rank(features, found, known(20), 20) for f in (learner, replica))
    assert one.scores.tobytes() == other.scores.tobytes()
    learn(learner, *choices(10, seed=4))
    assert set(learner.changes()) == set(learner.read_arrays())


def test_what_a_replica_was_given_does_not_move_when_the_learner_goes_on():
    learner, replica = (Fusion({"a": 0.1, "b": 0.1}, SMALL, seed=1) for _ in range(2))
    learn(learner, *choices(50))
    replica.apply(learner.changes())
    before = {name: array.tobytes() for name, array in replica.read_arrays().items()}
    learn(learner, *choices(50, seed=2))
    assert {name: array.tobytes() for name, array in replica.read_arrays().items()} == before
