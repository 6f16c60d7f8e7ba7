"""Where an item stands, by hand."""

import msgspec
import numpy as np
import pytest
from tests.streams.evaluating import learnt

from millstream.models.catalogue import Catalogue
from millstream.models.event import Event
from millstream.models.mf import Mf, MfParams
from millstream.models.pairs import Pairs, PairsParams
from millstream.models.pop import Pop
from millstream.models.profile import Profile
from millstream.models.recommender import Request
from millstream.streams.assembly import new_learned_model, new_recommender
from millstream.streams.evaluation import MISS
from millstream.streams.ranks import fused_ranks, rank_of, source_names, source_ranks
from millstream.streams.settings import ListSettings, ModelSettings, Settings


@pytest.mark.parametrize(
    ("place", "tie", "rank"),
    [(0, 0.0, 1), (3, 0.99, 5), (1, 0.0, 2), (1, 0.34, 3), (1, 0.99, 4)],
)
def test_ties_are_broken_at_random_and_not_in_the_items_favour(
    place: int, tie: float, rank: int
) -> None:
    scores = np.array([9.0, 5.0, 5.0, 1.0, 5.0], np.float32)
    assert rank_of(scores, place, tie) == rank


def test_all_scores_alike_is_the_rank_of_a_blind_draw() -> None:
    ranks = [rank_of(np.zeros(100, np.float32), 7, tie) for tie in np.linspace(0, 0.999, 1000)]
    assert (min(ranks), max(ranks)) == (1, 100)
    assert np.mean(ranks) == pytest.approx(50.5, abs=0.2)


def test_what_was_met_or_given_up_does_not_compete() -> None:
    small = Settings(
        model=ModelSettings(sources=("pairs", "pop", "mf"), items_max=4),
        sources={
            "pairs": PairsParams(width=8),
            "mf": MfParams(factors=8, users_max=16, item_users=4),
        },
    )
    model = learnt(small, [("u", item) for item in "abcdef"])
    recommender = new_recommender(small, model)
    assert len([item for item in model.rows.ids() if item]) <= 4
    met = [item for item in model.rows.ids() if item][:-1]
    (left,) = {item for item in model.rows.ids() if item} - set(met)
    histories = recommender.histories([Request("v", Profile(), 0)])
    names = [*Pairs.features, *Pop.features, *Mf.features]
    ranks = source_ranks(model, histories, model.rows.row(left), met, 0.999, names)
    assert source_names(model) == names
    assert ranks == [1] * len(names)  # alone, whatever it scores


def test_with_diversity_a_listed_items_rank_is_its_place_and_the_rest_come_after() -> None:
    strong = Settings(
        model=ModelSettings(sources=("pairs", "pop", "mf")),
        sources={
            "pairs": PairsParams(width=8),
            "mf": MfParams(factors=8, users_max=16, item_users=4),
        },
        list=ListSettings(length=5, diversity=1.0),
    )
    clicks = [(f"u{n % 7}", f"m{n * n * n % 41 // 2}") for n in range(150)]
    model = learnt(strong, clicks)
    diverse = new_recommender(strong, model)
    plain = new_recommender(msgspec.structs.replace(strong, list=ListSettings(length=5)), model)
    asked = [Request("v", Profile(), 0)]
    histories = diverse.histories(asked)
    candidates = diverse.candidates(asked, histories, diverse.withheld(asked, Catalogue()))
    features = diverse.features(histories, candidates)
    listed = diverse.listed(histories, candidates, features).rows[0].tolist()
    usual = plain.listed(histories, candidates, features).rows[0].tolist()
    assert set(listed) != set(usual)
    for row in candidates[0][candidates[0] >= 0].tolist():
        (found,) = fused_ranks(diverse, histories, candidates, features, [row], [0.0])
        (before,) = fused_ranks(plain, histories, candidates, features, [row], [0.0])
        assert found == (listed.index(row) + 1 if row in listed else max(before, 6))


def test_an_item_that_was_never_seen_is_a_miss_everywhere() -> None:
    model = new_learned_model(Settings())
    recommender = new_recommender(Settings(), model)
    profile = Profile()
    profile.add(Event("1", "u", "a", "click", 1), Settings().profile)
    histories = recommender.histories([Request("u", profile, 2)])
    names = source_names(model)
    assert source_ranks(model, histories, -1, [], 0.5, names) == [MISS] * len(names)
