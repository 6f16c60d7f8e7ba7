"""Each reason why an item is in a list, or is not."""

import numpy as np
import pytest
from tests.models.test_recommender import NOW, learn, profile_of
from tests.models.test_speakers import part

from millstream.models.catalogue import Catalogue, Item
from millstream.models.embedding import Embedding
from millstream.models.event import Event, EventWeights
from millstream.models.event_set import ProfileParams
from millstream.models.fusion import FusionParams
from millstream.models.impressions import FatigueParams
from millstream.models.learned_model import LearnedModel
from millstream.models.newcomers import NewcomersParams
from millstream.models.profile import Profile
from millstream.models.recommender import Recommender, Request
from millstream.models.registry import new_source, params_type
from millstream.models.why import Why, why

LENGTH = 5
AFTER = 1


@pytest.fixture(scope="module")
def model() -> LearnedModel:
    """Thirty items met by people who go round in a circle, and ten described that nobody met."""
    sources = [
        (new_source(name, params_type(name)(), 3), k)
        for name, k in (("pairs", 8), ("pop", 0), ("content", 4))
    ]
    model = LearnedModel(sources, FusionParams(), 200, 3, NewcomersParams(after=AFTER))
    chance = np.random.default_rng(8)
    profiles = [Profile() for _ in range(6)]
    for n in range(240):
        user = n % 6
        item = f"m{(n // 6 + 5 * user) % 30}"
        event = Event(f"e{n}", f"p{user}", item, "click", NOW - 10_000 + n)
        learn(model, profiles[user], event, n)
    names = [f"m{n}" for n in range(30)] + [f"new{n}" for n in range(10)]
    described = [(name, Embedding({"image": part(*chance.normal(0, 1, 8))})) for name in names]
    model.describe(model.offset, described, NOW)
    return model


def recommender_of(
    model: LearnedModel, *, repeats: bool = False, length: int = LENGTH
) -> Recommender:
    fatigue = FatigueParams(impressions=2)
    return Recommender(
        model, EventWeights(), history_max=12, length=length, repeats=repeats, fatigue=fatigue
    )


PERSON = profile_of(("m1", "click"), ("m2", "click"), ("m4", "dislike"))


def ask(model: LearnedModel, item: str, catalogue: Catalogue | None = None) -> Why:
    recommender = recommender_of(model)
    return why(recommender, Request("u", PERSON, NOW), catalogue or Catalogue(), item)


def test_what_is_listed_has_its_place_and_its_entry(model: LearnedModel) -> None:
    listed = recommender_of(model).rank([Request("u", PERSON, NOW)], Catalogue())[0]
    assert len(listed) == LENGTH
    for place, entry in enumerate(listed, 1):
        found = ask(model, entry.item)
        assert (found.verdict, found.place, found.entry) == ("listed", place, entry)
        assert (found.contender is None) == (entry.source == "new")
        if found.contender is not None:
            assert found.contender.score == pytest.approx(entry.score, abs=1e-4)
            total = sum(found.contender.features.values()) + found.contender.learned
            assert total == pytest.approx(found.contender.score, abs=1e-3)
            assert max(found.contender.features, key=found.contender.features.__getitem__) == (
                entry.source
            )


def test_what_ranks_too_low_stands_beside_the_last_of_the_list(model: LearnedModel) -> None:
    recommender = recommender_of(model, length=100)
    everything = recommender.rank([Request("u", PERSON, NOW)], Catalogue())[0]
    known = [entry.item for entry in everything if entry.source != "new"]
    found = ask(model, known[-1])
    assert (found.verdict, found.place) == ("outranked", None)
    assert found.contender is not None
    assert found.last is not None
    assert (found.contender.item, found.contender.rank) == (known[-1], len(known))
    assert found.candidates == len(known)
    assert found.last.rank < found.contender.rank
    assert found.last.score >= found.contender.score


def test_what_the_catalogue_closes_is_named_before_anything_else(model: LearnedModel) -> None:
    catalogue = Catalogue()
    catalogue.apply(0, 0, "m7", Item(hidden=True))
    catalogue.apply(0, 1, "m8", Item(available_from=NOW + 5))
    catalogue.apply(0, 2, "m9", Item(expires_at=NOW))
    catalogue.apply(0, 3, "m1", None)  # deleted, and met
    found = {item: ask(model, item, catalogue) for item in ("m7", "m8", "m9", "m1")}
    assert [(one.verdict, one.at_ms) for one in found.values()] == [
        ("hidden", None),
        ("not_yet_available", NOW + 5),
        ("expired", NOW),
        ("hidden", None),
    ]


def test_what_was_met_or_disliked_stays_away(model: LearnedModel) -> None:
    assert ask(model, "m1").verdict == "met"
    assert ask(model, "m4").verdict == "disliked"
    request = Request("u", PERSON, NOW)
    again = why(recommender_of(model, repeats=True), request, Catalogue(), "m1")
    assert again.verdict not in ("met", "disliked")
    assert (
        why(recommender_of(model, repeats=True), request, Catalogue(), "m4").verdict == "disliked"
    )


def test_what_is_kept_only_as_a_hash_was_met_or_disliked_too(model: LearnedModel) -> None:
    profile = Profile()
    bounds = ProfileParams(events_max=2, seen_max=64)
    events = [("m1", "click"), ("m4", "dislike"), ("m2", "click"), ("m3", "click")]
    for n, (item, type_) in enumerate(events):
        profile.add(Event(f"x{n}", "u", item, type_, NOW - 100 + n), bounds)
    assert "m1" not in profile.items
    request = Request("u", profile, NOW)
    assert why(recommender_of(model), request, Catalogue(), "m1").verdict == "met"
    assert why(recommender_of(model), request, Catalogue(), "m4").verdict == "disliked"


def test_what_was_shown_and_not_taken_rests(model: LearnedModel) -> None:
    profile = profile_of(("m1", "click"), *[("m3", "impression")] * 3)
    found = why(recommender_of(model), Request("u", profile, NOW), Catalogue(), "m3")
    assert found.verdict == "resting"


def test_what_nobody_met_or_described_is_unknown(model: LearnedModel) -> None:
    assert ask(model, "never").verdict == "unknown"
    empty = LearnedModel([(new_source("pop", params_type("pop")(), 3), 9)], FusionParams(), 9, 3)
    request = Request("u", Profile(), NOW)
    assert why(recommender_of(empty), request, Catalogue(), "m1").verdict == "unknown"


def test_what_no_source_proposed_is_told_apart_from_what_ranked_low(model: LearnedModel) -> None:
    found = {item: ask(model, item) for item in (f"m{n}" for n in range(30))}
    proposed = {one.contender.item for one in found.values() if one.contender is not None}
    others = [item for item, one in found.items() if one.verdict == "not_proposed"]
    assert others
    assert not proposed & set(others)
    assert len(proposed) == found[others[0]].candidates


def test_a_newcomer_that_was_not_drawn_says_how_likely_it_was(model: LearnedModel) -> None:
    found = [ask(model, f"new{n}") for n in range(10)]
    verdicts = [one.verdict for one in found]
    assert set(verdicts) == {"listed", "not_drawn"}
    assert all(0 < (one.propensity or 0) <= 1 for one in found if one.verdict == "not_drawn")
    # Somebody who took to nothing that was described has no part in the draw.
    stranger = Request("v", Profile(), NOW)
    none = why(recommender_of(model), stranger, Catalogue(), "new1")
    assert (none.verdict, none.propensity) == ("not_drawn", 0.0)


def test_asking_changes_nothing_and_is_answered_the_same_again(model: LearnedModel) -> None:
    before = model.digest()
    assert ask(model, "m9") == ask(model, "m9")
    assert model.digest() == before
