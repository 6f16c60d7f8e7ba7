"""The factor model as a River estimator."""

import doctest
import math
import pickle

import pytest
from river import base, checks, reco
from river.checks import common

from millstream.models import river_als
from millstream.models.river_als import UNRUNNABLE, OnlineIALS

LIKES = [
    ({"user": user, "item": item}, 1.0)
    for user in ("Ann", "Bob", "Cy", "Dee")
    for item in (("A", "B", "C") if user in ("Ann", "Bob") else ("X", "Y", "Z"))
] * 3


class ByRow(base.Regressor):
    """The model fed with rows, as River's data-set checks feed estimators."""

    def __init__(self, seed: int = 7):
        self.seed = seed
        self.model = OnlineIALS(seed=seed)

    def learn_one(self, x, y):
        self.model.learn_one(x.get("user"), x.get("item"), y)

    def predict_one(self, x):
        return self.model.predict_one(x.get("user"), x.get("item"))


def test_it_passes_rivers_checks_as_regressor_and_ranker():
    model = OnlineIALS(seed=7)
    assert isinstance(model, base.Regressor)
    assert isinstance(model, reco.base.Ranker)
    checks.check_estimator(model)


@pytest.mark.parametrize("name", sorted(UNRUNNABLE))
def test_it_passes_the_checks_that_river_cannot_feed_to_rankers(name):
    getattr(common, name)(ByRow(), LIKES)


def test_the_docstring_example_is_true():
    assert doctest.testmod(river_als).failed == 0


def test_it_ranks_what_like_minded_people_liked_first():
    model = OnlineIALS(seed=0)
    for x, y in LIKES:
        model.learn_one(x["user"], x["item"], y)
    model.learn_one("Eve", "A", 1.0)
    assert set(model.rank("Eve", {"B", "C", "Y", "Z"})[:2]) == {"B", "C"}


def test_asking_about_strangers_changes_nothing():
    model = OnlineIALS(seed=0)
    for x, y in LIKES:
        model.learn_one(x["user"], x["item"], y)
    before = pickle.dumps(model)
    for n in range(100):
        assert model.predict_one(f"user {n}", f"item {n}") == 0.0
        model.rank("Ann", {f"item {n}", "A"})
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("label", [math.nan, math.inf, -math.inf])
def test_a_label_that_is_not_finite_is_refused_and_teaches_nothing(label):
    model = OnlineIALS(seed=0)
    model.learn_one("Ann", "A", 1.0)
    before = pickle.dumps(model)
    with pytest.raises(ValueError, match="finite"):
        model.learn_one("Ann", "B", label)
    assert pickle.dumps(model) == before


def test_huge_labels_leave_the_factors_finite():
    model = OnlineIALS(seed=0)
    for n in range(200):
        model.learn_one(n % 7, n % 11, 1e308)
    assert all(math.isfinite(model.predict_one(u, i)) for u in range(7) for i in range(11))


def test_users_and_items_beyond_the_bounds_take_the_place_of_the_oldest():
    model = OnlineIALS(users_max=8, items_max=16, profile_items=5, seed=0)
    for n in range(500):
        model.learn_one(f"u{n % 50}", f"i{n % 70}", 1.0)
    assert len(model._histories) == 8
    assert len(model._rows) == 16
    assert model._mf.rows == 16
    assert max(map(len, model._histories.values())) <= 5
