"""Each of River's recommenders is a source that keeps every promise."""

from typing import Any

import numpy as np
import pytest
from river import reco

from millstream.models.checks import CHECKS, learning_lifts_what_was_learnt
from millstream.models.errors import ModelError
from millstream.models.histories import Steps
from millstream.models.registry import new_source
from millstream.models.river_options import new_recommender, recommenders
from millstream.models.river_reco import RiverRecoParams
from millstream.models.river_state import RiverState
from millstream.models.samples import (
    everything,
    histories_of,
    small_params,
    small_source,
    some_histories,
    step_of,
    taught,
)

MODELS = sorted(recommenders())
CHANCE = {("RandomNormal", learning_lifts_what_was_learnt)}  # it learns nothing of any item


def made(model: str, *options: str):
    return new_source(f"river.{model}", RiverRecoParams(options, 2, 64), 7)


def test_these_are_the_recommenders_that_river_has():
    assert MODELS == ["Baseline", "BiasedMF", "FunkMF", "RandomNormal"]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("model", MODELS)
def test_the_recommender_keeps_the_promise(model, check):
    if (model, check) not in CHANCE:
        check(lambda: small_source(f"river.{model}"))


@pytest.mark.parametrize("optimizer", ["SGD(0.05)", "AdaGrad", "Adam(0.01)", "RMSProp"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_with_optimizers_that_keep_a_state_too(check, optimizer):
    option = f"FunkMF.optimizer={optimizer}"
    check(lambda: made("FunkMF", option))


def test_without_negatives_it_is_rivers_own_model_to_the_bit():
    source, own = new_source("river.Baseline", RiverRecoParams((), 0, 64), 7), reco.Baseline()
    source.grow(4)
    for row in (0, 1, 0, 2):
        source.learn(Steps.of([step_of(row, [], 1)]))
        own.learn_one("u", row, True)
    scores = source.score(histories_of([[]]), np.array([[0, 1, 2, 3, -1]], np.int32))[0, 0]
    said = [own.predict_one("u", row) for row in range(4)]
    assert scores.tolist() == np.array([*said, 0.0], np.float32).tolist()


def test_options_are_rivers_arguments():
    model: Any = new_recommender("BiasedMF", ["BiasedMF.n_factors=3", "BiasedMF.l2_bias=0.5"], 0)
    assert (model.n_factors, model.l2_bias, model.clip_gradient) == (3, 0.5, 10.0)
    model = new_recommender(
        "FunkMF",
        ["FunkMF.optimizer=AdaGrad(0.25)", "FunkMF.initializer=Normal(0.5)", "FunkMF.loss=Huber"],
        0,
    )
    assert model.u_optimizer.learning_rate == 0.25
    assert model.initializer.sigma == 0.5
    assert type(model.loss).__name__ == "Huber"


@pytest.mark.parametrize(
    ("model", "option", "sentence"),
    [
        ("SVD", "", "River has no recommender 'SVD'; it has Baseline, BiasedMF, FunkMF, Rand"),
        ("FunkMF", "SVD.n=1", "River has no recommender 'SVD'; it has"),
        ("FunkMF", "FunkMF.factors=1", "takes no 'factors'; it takes n_factors, optimizer"),
        ("FunkMF", "FunkMF.seed=1", "takes no 'seed'"),
        ("RandomNormal", "RandomNormal.n=1", "takes no 'n'; it takes nothing"),
        ("FunkMF", "FunkMF.n_factors=1.5", "'1.5' is wrong; it must be a whole number"),
        ("FunkMF", "FunkMF.l2=much", "'much' is wrong; it must be a number"),
        ("FunkMF", "FunkMF.optimizer=Sgd", "'Sgd' is wrong; it must be one of AMSGrad"),
        ("FunkMF", "FunkMF.optimizer=Averager", "River says"),
        ("FunkMF", "FunkMF.optimizer=FTRLProximal", "cannot learn with these options"),
    ],
)
def test_what_river_does_not_know_is_refused_with_what_it_does(model, option, sentence):
    with pytest.raises(ModelError, match=sentence):
        made(model, *([option] if option else []))


def test_an_option_of_another_form_is_refused():
    with pytest.raises(ValueError, match=r"'n_factors=3' is wrong; it must be MODEL\.ARG"):
        RiverRecoParams(("n_factors=3",))


def test_a_model_that_keeps_what_cannot_be_saved_is_refused():
    model: Any = new_recommender("Baseline", (), 0)
    model.lately = [1, 2]
    with pytest.raises(ModelError, match=r"keeps a list \(lately\) cannot be a source"):
        RiverState(model, model, 0)


def test_who_takes_a_slot_over_begins_anew():
    source = made("BiasedMF")
    source.grow(2)
    for user in (5, 5, 5, 5 + 64):
        source.learn(Steps.of([step_of(0, [], user)]))
    assert list(source._river.u_biases) == [-6]
    assert source.arrays()["owners"].tolist() == [69]


def test_all_of_rivers_recommenders_stand_side_by_side():
    params = small_params("river.FunkMF")
    sources = [taught(new_source(f"river.{model}", params, 3)) for model in MODELS]
    scores = [source.score(some_histories(4), everything(4)) for source in sources]
    assert len({one.tobytes() for one in scores}) == len(MODELS)
