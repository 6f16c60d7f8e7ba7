"""The scorer reads all sources of a model in one order."""

import numpy as np

from millstream.models.mf import Mf, MfParams
from millstream.models.pairs import Pairs, PairsParams
from millstream.models.pop import Pop, PopParams
from millstream.models.samples import everything, no_histories, some_histories, taught
from millstream.models.scorer import Scorer

PAIRS, POP, MF = (
    taught(Pairs(PairsParams(width=8))),
    taught(Pop(PopParams(head=16))),
    taught(Mf(MfParams(factors=8, users_max=64, item_users=16))),
)
SCORER = Scorer([(PAIRS, 5), (POP, 3), (MF, 0)], 20)
NOTHING = np.zeros(0, np.int32)


def test_features_come_in_the_order_of_the_sources_with_their_first_weights():
    assert list(SCORER.features) == [*Pairs.features, *Pop.features, *Mf.features]
    assert SCORER.features == {**Pairs.features, **Pop.features, **Mf.features}


def test_each_features_scores_stand_where_its_name_does():
    histories, asked = some_histories(6), everything(6)
    found = SCORER.score(histories, asked)
    expected = np.concatenate([source.score(histories, asked) for source in (PAIRS, POP, MF)])
    assert found.tobytes() == expected.tobytes()
    assert found.shape == (15, *asked.shape)


def test_each_source_proposes_as_many_as_it_is_given_and_none_proposes_nothing():
    histories = some_histories(6)
    ptr = np.zeros(7, np.int64)
    found = SCORER.candidates(histories, ptr, NOTHING, 40)
    by_pairs, by_pop = PAIRS.retrieve(histories, 5), POP.retrieve(histories, 3)
    for b in range(6):
        proposed = {*by_pairs[b].tolist(), *by_pop[b].tolist()} - {-1}
        assert set(found[b].tolist()) - {-1} == proposed
        first = [row for row in (by_pairs[b, 0], by_pop[b, 0]) if row >= 0]
        assert found[b, 0] == first[0], "pairs begins"
    only = Scorer([(PAIRS, 0), (POP, 3)], 4).candidates(histories, ptr, NOTHING, 40)
    assert only.tolist() == [[*by_pop[0].tolist(), -1]] * 6


def test_nobody_and_no_candidates_work():
    assert SCORER.score(no_histories(0), np.zeros((0, 4), np.int32)).shape == (15, 0, 4)
    assert SCORER.score(some_histories(2), np.zeros((2, 0), np.int32)).shape == (15, 2, 0)
    none = SCORER.candidates(no_histories(0), np.zeros(1, np.int64), NOTHING, 40)
    assert none.shape == (0, 20)
    padding = np.full((2, 3), -1, np.int32)
    assert not SCORER.score(some_histories(2), padding).any()
