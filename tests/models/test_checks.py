"""The suite that sources earn names those that lie."""

import numpy as np
import pytest

from millstream.models import checks
from millstream.models.pairs import Pairs, PairsParams

PARAMS = PairsParams(width=8)


class WritesWhenRead(Pairs):
    def score(self, histories, candidates):
        self.neighbours.totals[0] += 1.0
        return super().score(histories, candidates)


class DependsOnChance(Pairs):
    def learn(self, steps):
        super().learn(steps)
        self.neighbours.totals[steps.rows] += np.random.default_rng().random()


class RemembersEverything(Pairs):
    def __init__(self, params):
        super().__init__(params)
        self.seen = []

    def learn(self, steps):
        super().learn(steps)
        self.seen.extend(steps.users.tolist())

    def arrays(self):
        return {**super().arrays(), "seen": np.array(self.seen, np.uint64)}


class ForgetsToSaveTotals(Pairs):
    def load(self, arrays):
        super().load(arrays)
        self.neighbours.totals[:] = 1.0


class KeepsWhatItWasGiven(Pairs):
    def load(self, arrays):
        super().load(arrays)
        self.neighbours.totals = arrays["totals"]


class ScoresPadding(Pairs):
    def score(self, histories, candidates):
        return super().score(histories, candidates) + np.float32(1.0)


class DividesByZero(Pairs):
    def score(self, histories, candidates):
        scores = super().score(histories, candidates)
        scores[scores > 0] = np.inf
        return scores


class ReadsOneFeatureOnly(Pairs):
    def score(self, histories, candidates):
        scores = super().score(histories, candidates)
        scores[1:] = 0.0
        return scores


class LearnsNothing(Pairs):
    def learn(self, steps):
        pass


class ReplicatesNothing(Pairs):
    learns_from_steps = False


class NormalisesOverTheBatch(Pairs):
    def score(self, histories, candidates):
        scores = super().score(histories, candidates)
        return scores - scores.mean() if scores.size and scores.any() else scores


class ProposesTwice(Pairs):
    def retrieve(self, histories, k):
        found = super().retrieve(histories, k)
        found[:, 1:2] = found[:, :1]
        return found


class ForgetsHalf(Pairs):
    def forget(self, rows):
        self.neighbours.totals[rows] = 0.0


@pytest.mark.parametrize(
    ("liar", "check"),
    [
        (WritesWhenRead, checks.reading_changes_no_byte),
        (DependsOnChance, checks.equal_events_give_equal_state),
        (RemembersEverything, checks.memory_is_bounded),
        (ForgetsToSaveTotals, checks.save_and_load_round_trip),
        (KeepsWhatItWasGiven, checks.loading_copies),
        (ScoresPadding, checks.nothing_and_nobody_work),
        (DividesByZero, checks.scores_are_finite),
        (ReadsOneFeatureOnly, checks.every_feature_tells_items_apart),
        (LearnsNothing, checks.learning_lifts_what_was_learnt),
        (ReplicatesNothing, checks.a_replica_equals_the_learner),
        (NormalisesOverTheBatch, checks.a_batch_changes_no_result),
        (ProposesTwice, checks.proposals_are_distinct_and_known),
        (ForgetsHalf, checks.what_is_forgotten_is_gone),
    ],
    ids=lambda each: each.__name__,
)
def test_the_suite_catches(liar, check):
    with pytest.raises(AssertionError):
        check(lambda: liar(PARAMS))


def test_every_check_has_a_liar_that_it_catches():
    marks = test_the_suite_catches.pytestmark[0].args[1]
    assert {check for _, check in marks} == set(checks.CHECKS)
