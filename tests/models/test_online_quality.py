"""What is seen of quality while the model learns: by hand, and by an injected loss."""

import numpy as np
import pytest

from millstream.models.fusion import Fusion, FusionParams
from millstream.models.interaction import FORMAT, Interaction, InteractionBatch
from millstream.models.learned_model import LearnedModel
from millstream.models.online_quality import OnlineQuality
from millstream.models.pop import PopParams
from millstream.models.registry import new_source
from millstream.models.samples import histories_of

FIRST, SECOND = 3000, 2000


def choices(n: int, fused: float, popular: float, seed: int) -> np.ndarray:
    """How many stood above, where hits come by chance."""
    hits = np.random.default_rng(seed).random((n, 2)) < (fused, popular)
    return np.where(hits, 3, -1).astype(np.int32).T


def test_hits_by_hand() -> None:
    quality = OnlineQuality(window=4)
    assert quality.add(np.array([[0, 9, 10, -1], [-1, 9, 10, 50]], np.int32)) == []
    assert quality.hit_ratios() == {"fused": 0.5, "pop": 0.25}
    quality.add(np.array([[0, 0], [0, 0]], np.int32))  # the two oldest leave the window
    assert quality.hit_ratios() == {"fused": 0.5, "pop": 0.5}
    assert quality.choices == 6


@pytest.mark.parametrize("seed", range(5))
def test_a_loss_of_half_is_found_soon_and_no_change_is_not(seed: int) -> None:
    before = choices(FIRST, 0.3, 0.05, seed)
    steady, halved = OnlineQuality(), OnlineQuality()
    assert steady.add(np.hstack((before, choices(SECOND, 0.3, 0.05, seed + 100)))) == []
    found = halved.add(np.hstack((before, choices(SECOND, 0.15, 0.05, seed + 100))))
    assert found
    assert FIRST < found[0].at < FIRST + 1000
    assert found[0].is_loss
    assert found[0].after < 0.2 < found[0].before


def test_how_choices_come_does_not_show() -> None:
    taken = np.hstack((choices(FIRST, 0.3, 0.05, 0), choices(SECOND, 0.1, 0.05, 1)))
    at_once, one_by_one = OnlineQuality(), OnlineQuality()
    found = [drift for n in range(taken.shape[1]) for drift in one_by_one.add(taken[:, n : n + 1])]
    assert at_once.add(taken) == found
    assert at_once.hit_ratios() == one_by_one.hit_ratios()


def test_fusion_says_what_stood_above_before_it_learnt() -> None:
    """By hand: `other` has all the weight, so 3 items stand above the chosen; by pop 1."""
    fusion = Fusion({"pop": 0.0, "other": 1.0}, FusionParams(hidden=0))
    candidates = np.array([[5, 6, 7, 8, -1]] * 3, np.int32)
    features = np.array([[[1, 4, 3, 2, 0]] * 3, [[4, 3, 2, 1, 0]] * 3], np.float32)
    histories = histories_of([[1], [], [2]])
    above = fusion.learn(
        features, candidates, histories, np.array([8, 8, 9], np.int32), np.ones(3, np.float32)
    )
    assert above.tolist() == [[3, -1, -1], [2, -1, -1]]


def model(watch: list[np.ndarray] | None) -> LearnedModel:
    learned = LearnedModel(
        [(new_source("pop", PopParams(head=64), 0), 30)], FusionParams(hidden=8), 100, 0
    )
    if watch is not None:
        learned.choices.watch = watch.append
    return learned


def sixty() -> list[Interaction]:
    """Interactions after up to three items; whoever had the item has it not in the history."""
    random = np.random.default_rng(3)
    made = []
    for n in range(60):
        item, *before = (f"m{random.integers(20)}" for _ in range(4))
        history = [one for one in dict.fromkeys(before) if one != item]
        worth, ages = [1.0] * len(history), [1] * len(history)
        again = item in before
        made.append(Interaction(0, 0, n, n % 7, n, item, 1.0, n, history, worth, ages, again))
    return made


def taught(learned: LearnedModel) -> LearnedModel:
    for n, one in enumerate(sixty()):
        learned.fold(n, InteractionBatch(FORMAT, ["t"], [one]), n)
    return learned


def test_watching_does_not_touch_the_model_and_leaves_out_what_was_met() -> None:
    seen: list[np.ndarray] = []
    assert taught(model(seen)).digest() == taught(model(None)).digest()
    ranked = np.hstack(seen)
    known: set[str] = set()
    choices_of = {True: 0, False: 0}  # by whether the item was had before
    for one in sixty():
        choices_of[one.again] += not known.isdisjoint(one.history)
        known.add(one.item)
    assert choices_of[True]
    assert ranked.shape[1] == choices_of[False]
    assert (ranked[0] >= 0).any()
