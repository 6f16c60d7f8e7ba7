"""FISM learns who follows whom, and one gradient step is what the formula says."""

import numpy as np
import pytest

from millstream.models.fism import HEAVIEST, Fism, FismParams
from millstream.models.histories import Steps, one_of
from millstream.models.samples import histories_of, no_histories, step_of, steps


def source(rows=40, **params):
    made = Fism(FismParams(factors=8, **params), 7)
    made.grow(rows)
    return made


def asked_of(rows, weights=None):
    asked = histories_of([rows])
    asked.weights[:] = 1.0 if weights is None else weights
    return asked


def test_a_score_worked_by_hand():
    made = source(4, profile_decay=0.5)
    made.met[0], made.met[1] = np.eye(8)[0], np.eye(8)[1]
    made.to_meet[2] = [3.0, 5.0, 7.0, 0, 0, 0, 0, 0]
    made.bias[2] = 0.25
    found = made.score(asked_of([0, 1]), np.array([[2, -1, 99]], np.int32))
    p = np.array([1.0, 0.5]) / np.sqrt(1.5)
    assert found.shape == (1, 1, 3)
    assert found[0, 0] == pytest.approx([0.25 + 3 * p[0] + 5 * p[1], 0.0, 0.0])
    assert not made.score(no_histories(1), np.array([[2]], np.int32)).any()


def test_one_step_is_the_gradient_of_the_softmax():
    # Of two items one is drawn as the negative, or the step teaches nothing.
    made = source(2, negatives=1, decay=0.0, rate=0.1, bias_rate=0.05, profile_decay=1.0)
    x, y = made.met.astype(float), made.to_meet.astype(float)
    made.counts[1] = 2
    for _ in range(20):
        before = made.to_meet.copy()
        made.learn(Steps.of([step_of(1, [0], 1)]))
        if not np.array_equal(before, made.to_meet):
            break
    p = 1.0 / (1.0 + np.exp(x[0] @ y[0] - x[0] @ y[1]))  # of item 1
    miss = np.array([p - 1.0, 1.0 - p])  # of the drawn item 0, of item 1
    assert made.bias[:2] == pytest.approx(0.05 * miss, rel=1e-4)
    for row in range(2):
        assert made.to_meet[row] == pytest.approx(y[row] + 0.1 * miss[row] * x[0], rel=1e-4)
    assert made.met[0] == pytest.approx(x[0] + 0.1 * miss @ y[:2], rel=1e-3)
    assert made.met[1] == pytest.approx(x[1])


def test_learning_lifts_what_follows_above_what_is_only_popular():
    made = source(6, negatives=5)
    for n in range(400):
        made.learn(Steps.of([step_of(2 if n % 2 else 3, [n % 2], n)]))
        made.learn(Steps.of([step_of(4, [5], n)]))
    candidates = np.array([[2, 3, 4]], np.int32)
    even, odd = (made.score(asked_of([row]), candidates)[0, 0] for row in (0, 1))
    assert even.argmax() == 1
    assert odd.argmax() == 0


def test_of_two_halves_each_prefers_its_own():
    made = source()
    made.learn(Steps.of(list(steps(4_000))))
    evens, odds = np.arange(0, 40, 2, dtype=np.int32), np.arange(1, 40, 2, dtype=np.int32)
    right = []
    for own, other in ((evens, odds), (odds, evens)):
        for first in range(0, 18, 3):
            candidates = np.concatenate((own, other))[None, :]
            found = made.score(asked_of(own[first : first + 3]), candidates)[0, 0]
            right.append((found[:20, None] > found[None, 20:]).mean())
    assert np.mean(right) > 0.8


def test_the_weight_of_an_item_is_bounded():
    made = source(4)
    made.learn(Steps.of(list(steps(200, items=4))))
    candidates = np.array([[2, 3]], np.int32)
    heavy = made.score(asked_of([0, 1], [1e6, 1.0]), candidates)
    assert heavy.tobytes() == made.score(asked_of([0, 1], [HEAVIEST, 1.0]), candidates).tobytes()


def test_a_person_without_history_teaches_nothing():
    made = source(4)
    before = {name: array.tobytes() for name, array in made.arrays().items() if name != "counts"}
    made.learn(Steps.of([step_of(1, [], 1), step_of(2, [], 1)]))
    after = {name: array.tobytes() for name, array in made.arrays().items() if name != "counts"}
    assert after == before
    assert made.counts.tolist() == [2, 3]


def test_one_history_reads_the_same_in_any_batch():
    made = source()
    made.learn(Steps.of(list(steps(500))))
    asked = histories_of([[1, 2, 3], [], [4]])
    candidates = np.array([[5, 6]] * 3, np.int32)
    alone = made.score(one_of(asked, 2), candidates[:1])
    assert alone[:, 0].tobytes() == made.score(asked, candidates)[:, 2].tobytes()
