"""Lists: never what was met or may not be shown, the same in any batch, with reasons that hold."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from millstream.models.catalogue import Catalogue, Item
from millstream.models.event import Event, EventWeights
from millstream.models.event_set import ProfileParams
from millstream.models.fism import FismParams
from millstream.models.fusion import FusionParams
from millstream.models.interaction import FORMAT, Interaction, InteractionBatch
from millstream.models.learned_model import LearnedModel
from millstream.models.mf import MfParams
from millstream.models.pairs import Pairs, PairsParams
from millstream.models.pop import PopParams
from millstream.models.profile import Profile
from millstream.models.recommender import TRENDING, Listed, Recommender, Request
from millstream.models.registry import new_source

NOW = 1_700_000_000_000
WEIGHTS = EventWeights()
BOUNDS = ProfileParams(events_max=12, seen_max=64)
PARAMS = {
    "pairs": PairsParams(width=32),
    "pop": PopParams(head=64),
    "mf": MfParams(factors=8, users_max=64, item_users=8),
    "fism": FismParams(factors=8, negatives=4),
}
PROPOSALS = {"pairs": 210, "pop": 60}
ITEMS = 60


def new_model(candidates_max: int = 400) -> LearnedModel:
    sources = [(new_source(name, p, 3), PROPOSALS.get(name, 0)) for name, p in PARAMS.items()]
    return LearnedModel(sources, FusionParams(candidates_max=candidates_max), 1000, 3)


def recommender_of(
    model: LearnedModel, *, length: int = 10, repeats: bool = False, diversity: float = 0.0
) -> Recommender:
    return Recommender(
        model, WEIGHTS, history_max=12, length=length, repeats=repeats, diversity=diversity
    )


@dataclass
class Town:
    """A model that has learnt from some people, and their profiles."""

    model: LearnedModel
    profiles: dict[str, Profile]

    def requests(self) -> list[Request]:
        return [Request(user, profile, NOW) for user, profile in self.profiles.items()]


@pytest.fixture(scope="module")
def town() -> Town:
    """Forty people and sixty items; long histories have outgrown their profiles."""
    chance = random.Random(5)
    model, profiles = new_model(), dict[str, Profile]()
    types = ["click"] * 6 + ["view", "purchase", "like", "dislike", "hide", "impression"]
    for n in range(900):
        user = f"u{int(chance.paretovariate(0.7)) % 40}"
        item = f"m{min(int(chance.paretovariate(0.5)), ITEMS)}"
        event = Event(f"e{n:04d}", user, item, chance.choice(types), NOW - 1_000_000 + n)
        learn(model, profiles.setdefault(user, Profile()), event, n)
    model.settle()
    return Town(model, profiles)


def learn(model: LearnedModel, profile: Profile, event: Event, offset: int) -> None:
    """Let the model learn what an event followed, then let the profile have it."""
    items, worth, when = profile.taught(WEIGHTS, 12)
    kept = [n for n in range(len(items)) if items[n] != event.item and when[n] <= event.ts]
    one = Interaction(
        0,
        0,
        offset,
        2 * offset + 1,  # everybody is somebody else to `mf`
        offset,
        event.item,
        WEIGHTS.weight(event.type, event.value),
        event.ts,
        [items[n] for n in kept],
        [worth[n] for n in kept],
        [event.ts - when[n] for n in kept],
    )
    profile.add(event, BOUNDS)
    model.fold(offset, InteractionBatch(FORMAT, ["t"], [one]), event.ts)


def items_of(listed: Sequence[Listed]) -> set[str]:
    return {entry.item for entry in listed}


def profile_of(*events: tuple[str, str]) -> Profile:
    profile = Profile()
    for n, (item, type_) in enumerate(events):
        profile.add(Event(f"x{n}", "u", item, type_, NOW - 100 + n), BOUNDS)
    return profile


def test_nobody_is_listed_what_they_have_met_even_if_only_its_hash_is_kept(town: Town) -> None:
    listed = recommender_of(town.model, length=100).rank(town.requests(), Catalogue())
    with_hashes = 0
    rows = town.model.rows
    for request, entries in zip(town.requests(), listed, strict=True):
        assert entries
        assert not items_of(entries) & set(request.profile.consumed())
        met = set(request.profile.seen_hashes().tolist())
        with_hashes += bool(met)
        assert not met & {int(rows.hashes[rows.row(item)]) for item in items_of(entries)}
    assert with_hashes, "some histories are longer than their profiles"


def test_with_repeats_only_what_was_disliked_or_hidden_stays_away(town: Town) -> None:
    profile = profile_of(("m1", "click"), ("m2", "click"), ("m3", "dislike"), ("m4", "hide"))
    ranker = recommender_of(town.model, length=100, repeats=True)
    listed = items_of(ranker.rank([Request("u", profile, NOW)], Catalogue())[0])
    assert {"m1", "m2"} <= listed
    assert not {"m3", "m4"} & listed


def test_hidden_expired_deleted_and_future_items_are_never_listed(town: Town) -> None:
    catalogue = Catalogue()
    withheld = {
        "m5": Item(hidden=True),
        "m6": None,
        "m7": Item(expires_at=NOW),
        "m8": Item(available_from=NOW + 1),
    }
    for offset, (item, entry) in enumerate(withheld.items()):
        catalogue.apply(0, offset, item, entry)
    ranker = recommender_of(town.model, length=100)
    before = set.union(*map(items_of, ranker.rank(town.requests(), Catalogue())))
    after = set.union(*map(items_of, ranker.rank(town.requests(), catalogue)))
    assert set(withheld) <= before
    assert not set(withheld) & after
    catalogue.apply(0, 9, "m5", Item("back"))
    assert "m5" in set.union(*map(items_of, ranker.rank(town.requests(), catalogue)))


def test_an_unknown_person_gets_what_is_trending(town: Town) -> None:
    (listed,) = recommender_of(town.model).rank([Request("stranger", Profile(), NOW)], Catalogue())
    assert len(listed) == 10
    assert {(entry.source, entry.because) for entry in listed} == {(TRENDING, None)}


def test_a_person_with_only_unknown_items_gets_what_is_trending(town: Town) -> None:
    request = Request("u", profile_of(("never-learnt", "click")), NOW)
    (listed,) = recommender_of(town.model).rank([request], Catalogue())
    assert {entry.source for entry in listed} == {TRENDING}


def test_an_empty_model_gives_empty_lists() -> None:
    requests = [Request("a", Profile(), NOW), Request("b", profile_of(("m1", "click")), NOW)]
    assert recommender_of(new_model()).rank(requests, Catalogue()) == [[], []]
    assert recommender_of(new_model()).rank([], Catalogue()) == []


def test_a_catalogue_of_one_item_gives_it_once_and_then_nothing() -> None:
    model = new_model()
    learn(model, Profile(), Event("e", "u", "only", "click", NOW), 0)
    ranker = recommender_of(model)
    (stranger,) = ranker.rank([Request("a", Profile(), NOW)], Catalogue())
    assert items_of(stranger) == {"only"}
    assert ranker.rank([Request("u", profile_of(("only", "click")), NOW)], Catalogue()) == [[]]


@pytest.mark.parametrize("candidates_max", [400, 12])
def test_a_list_does_not_depend_by_a_bit_on_who_shares_the_batch(
    town: Town, candidates_max: int
) -> None:
    model = new_model(candidates_max)
    model.load(town.model.arrays())
    ranker = recommender_of(model)
    requests = town.requests()
    together = ranker.rank(requests, Catalogue())
    assert [ranker.rank([request], Catalogue())[0] for request in requests] == together
    chance = random.Random(1)
    for _ in range(5):
        some = chance.sample(range(len(requests)), chance.randint(2, len(requests)))
        listed = ranker.rank([requests[n] for n in some], Catalogue())
        assert listed == [together[n] for n in some]


def test_the_reason_given_is_an_item_of_the_history(town: Town) -> None:
    reasons = 0
    for request, listed in zip(
        town.requests(),
        recommender_of(town.model, length=50).rank(town.requests(), Catalogue()),
        strict=True,
    ):
        taught = set(request.profile.taught(WEIGHTS, 12)[0])
        for entry in listed:
            assert entry.because is None or entry.because in taught
            assert entry.because is None or entry.source in Pairs.features
            reasons += entry.because is not None
    assert reasons > 100


def test_lists_are_best_first_distinct_and_as_long_as_asked(town: Town) -> None:
    for listed in recommender_of(town.model, length=7).rank(town.requests(), Catalogue()):
        assert len(listed) == 7
        assert len(items_of(listed)) == 7
        assert [e.score for e in listed] == sorted((e.score for e in listed), reverse=True)


def test_reading_changes_nothing(town: Town) -> None:
    before = {name: array.tobytes() for name, array in town.model.arrays().items()}
    packed = [profile.pack() for profile in town.profiles.values()]
    first = recommender_of(town.model).rank(town.requests(), Catalogue())
    assert recommender_of(town.model).rank(town.requests(), Catalogue()) == first
    assert {name: array.tobytes() for name, array in town.model.arrays().items()} == before
    assert [profile.pack() for profile in town.profiles.values()] == packed


def test_diversity_0_is_the_list_as_it_was_and_more_changes_it_without_touching_scores(
    town: Town,
) -> None:
    requests = town.requests()
    plain = recommender_of(town.model).rank(requests, Catalogue())
    assert recommender_of(town.model, diversity=0.0).rank(requests, Catalogue()) == plain
    known = recommender_of(town.model, length=ITEMS).rank(requests, Catalogue())
    differ = 0
    for diverse, usual, best in zip(
        recommender_of(town.model, diversity=0.5).rank(requests, Catalogue()),
        plain,
        known,
        strict=True,
    ):
        assert len(items_of(diverse)) == len(diverse) == len(usual)
        assert all(entry in best for entry in diverse), "score, source and reason are the fusion's"
        assert diverse[0] == usual[0]
        differ += items_of(diverse) != items_of(usual)
    assert differ > 10


def test_diverse_lists_are_further_apart_by_the_factors(town: Town) -> None:
    factors = town.model.sources["mf"].read_arrays()["factors"].astype(np.float64)
    unit = factors / np.linalg.norm(factors, axis=1, keepdims=True)

    def distance(diversity: float) -> float:
        ranker = recommender_of(town.model, diversity=diversity)
        listed = [
            unit[town.model.rows.rows([entry.item for entry in entries])]
            for entries in ranker.rank(town.requests(), Catalogue())
        ]
        return float(np.mean([1 - (one @ one.T).mean() for one in listed]))

    apart = [distance(strength) for strength in (0.0, 0.3, 0.6, 0.9)]
    assert apart == sorted(apart)
    assert apart[-1] > apart[0]


def test_a_diverse_list_does_not_depend_by_a_bit_on_who_shares_the_batch(town: Town) -> None:
    ranker, requests = recommender_of(town.model, diversity=0.5), town.requests()
    together = ranker.rank(requests, Catalogue())
    assert [ranker.rank([request], Catalogue())[0] for request in requests] == together


def test_a_diverse_list_longer_than_what_there_is_ends_where_it_ends(town: Town) -> None:
    ranker = recommender_of(town.model, length=200, diversity=0.5)
    for listed, plain in zip(
        ranker.rank(town.requests(), Catalogue()),
        recommender_of(town.model, length=200).rank(town.requests(), Catalogue()),
        strict=True,
    ):
        assert items_of(listed) == items_of(plain)
        assert len(listed) < 200


def test_without_factors_diversity_leaves_the_list_as_it_is() -> None:
    model = LearnedModel([(new_source("pop", PARAMS["pop"], 3), 60)], FusionParams(), 1000, 3)
    for n in range(9):
        learn(model, Profile(), Event(f"e{n}", "u", f"m{n % 3}", "click", NOW + n), n)
    asked = [Request("a", Profile(), NOW)]
    plain = recommender_of(model).rank(asked, Catalogue())
    assert recommender_of(model, diversity=0.9).rank(asked, Catalogue()) == plain
