"""Online implicit ALS."""

import numpy as np
import pytest

from millstream.models.histories import Step, Steps
from millstream.models.mf import Mf, MfParams
from millstream.models.ridge import begin, exchange, fold_in
from millstream.models.samples import histories_of, steps


@pytest.mark.parametrize("n", [0, 1, 3, 4, 9])
def test_a_fold_in_is_the_ridge_solution(n):
    random = np.random.default_rng(n)
    vectors = random.normal(size=(20, 8)).astype(np.float32)
    rows = random.permutation(20)[:n].astype(np.int32)
    weights = np.linspace(0.1, 2.0, n).astype(np.float32)
    gram = vectors.T.astype(np.float64) @ vectors
    found = np.empty(8, np.float32)
    fold_in(vectors, rows, weights, gram, 0.3, 4.0, np.empty((8, 8), np.float32), found)
    met = vectors[rows].astype(np.float64)
    extra = np.maximum(weights - 0.3, 0.0)
    a = 0.3 * gram + (met * extra[:, None]).T @ met + 4.0 * np.eye(8)
    assert found == pytest.approx(np.linalg.solve(a, met.T @ weights), rel=1e-4, abs=1e-5)


def test_a_gram_matrix_follows_the_vectors_that_are_exchanged():
    random = np.random.default_rng(0)
    vectors = np.zeros((5, 8), np.float32)
    gram = np.zeros((8, 8))
    for n in range(1000):
        exchange(gram, vectors[n % 5], random.normal(size=8).astype(np.float32))
    assert gram == pytest.approx(vectors.T.astype(np.float64) @ vectors, abs=1e-9)


def test_a_row_begins_as_a_hash_of_seed_and_id():
    def vector(seed, key):
        out = np.empty(1000, np.float32)
        begin(seed, key, out)
        return out

    assert vector(1, 2).tolist() == vector(1, 2).tolist()
    assert vector(1, 2).tolist() != vector(1, 3).tolist()
    assert vector(1, 2).tolist() != vector(2, 2).tolist()
    assert abs(float(vector(1, 2).mean())) < 0.01
    assert float(vector(1, 2).std()) == pytest.approx(0.1, rel=0.05)


def test_the_learners_gram_is_that_of_its_factors_after_many_steps_and_forgotten_rows():
    source = Mf(MfParams(factors=8, users_max=64, item_users=16), seed=1)
    source.grow(40)
    for n, step in enumerate(steps(2_000)):
        source.learn(Steps.of([step]))
        if n % 500 == 250:
            source.forget(np.array([n % 40], np.int32))
    factors = source.factors[:40].astype(np.float64)
    assert source.gram == pytest.approx(factors.T @ factors, abs=1e-6)
    users = source._learner.user_vectors.astype(np.float64)
    assert source._learner.user_gram == pytest.approx(users.T @ users, abs=1e-6)


def test_an_item_forgets_users_whose_slot_was_taken():
    def factors_after(users_max):
        source = Mf(MfParams(factors=4, users_max=users_max, item_users=8), seed=0)
        source.grow(4)
        for user in (1, 2, 3, 4):
            history = np.array([0], np.int32)
            worth, ages = np.ones(1, np.float32), np.zeros(1, np.int64)
            source.learn(Steps.of([Step(1, 1.0, 0, user, history, worth, ages)]))
        return source

    assert np.count_nonzero(factors_after(8)._learner.owners) == 4
    assert np.count_nonzero(factors_after(1)._learner.owners) == 1


def test_a_repeated_interaction_takes_one_place_among_an_items_users():
    source = Mf(MfParams(factors=4, users_max=8, item_users=8), seed=0)
    source.grow(2)
    for weight in (1.0, 2.0):
        nothing = np.zeros(0, np.int32)
        source.learn(
            Steps.of(
                [Step(1, weight, 0, 5, nothing, np.zeros(0, np.float32), np.zeros(0, np.int64))]
            )
        )
    assert source._learner.met[1] == 1
    assert source._learner.item_weights[1, 0] == 2.0


def test_a_replica_holds_no_tables_of_users():
    learner, replica = (Mf(MfParams(factors=8, users_max=64), seed=1) for _ in range(2))
    for source in (learner, replica):
        source.grow(40)
    for step in steps(200):
        learner.learn(Steps.of([step]))
    replica.apply(learner.changes())
    asked = histories_of([[1, 2, 3]])
    everything = np.arange(40, dtype=np.int32)[None, :]
    assert replica.score(asked, everything).tobytes() == learner.score(asked, everything).tobytes()
    assert len(replica._learner.owners) == 0
    assert set(replica.read_arrays()) == {"factors", "gram"}
