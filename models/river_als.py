"""The factor model with River's interface: `mf` for people and items of any hashable id."""

import math
from collections.abc import Collection, Hashable
from hashlib import blake2b
from typing import Final

import numpy as np
from river import base, reco

from millstream.models.histories import Histories, Rows, Step, Steps
from millstream.models.mf import Mf, MfParams

WEIGHT_MAX: Final = 10.0

UNRUNNABLE: Final = frozenset(
    {
        "check_learn_one",
        "check_pickling",
        "check_shuffle_features_no_impact",
        "check_emerging_features",
        "check_disappearing_features",
        "check_radically_disappearing_features",
        "check_predict_one_pure",
        "check_predict_one_before_any_learn",
        "check_no_state_aliasing_with_input",
        "check_clone_is_independent",
        "check_seeding_is_idempotent",
        "check_bounded_memory_growth",
    }
)
"""River 0.26.1 feeds rankers (user, item, y) and unpacks (x, y): these fail before our code runs.

tests/models/test_river_als.py runs each of them on rows {"user": ..., "item": ...} instead.
"""


class OnlineIALS(base.Regressor, reco.base.Ranker):
    """Online implicit ALS (He et al. 2016) with recency-weighted fold-in, as a River estimator.

    A label is how much an item was liked: above 0 it teaches with that weight, at most 10, and
    at or below 0 it teaches nothing. Predictions are preferences, about 0 to 1. Reading changes
    nothing; a user or item never learnt is predicted 0 and begins as a hash of (seed, id).

    Parameters
    ----------
    n_factors
        Number of factors, a multiple of 4.
    unobserved_weight
        How much every item that a user did not meet counts as not liked.
    ridge
        Regularisation.
    profile_items
        Newest items of a user that are kept and folded in.
    profile_decay
        Weight of each of them relative to the one before.
    users_max
        Users remembered; a new one then takes the place of the one longest not learnt.
    items_max
        Items remembered; likewise.
    seed
        Random number generation seed.

    Examples:
    --------
    >>> model = OnlineIALS(seed=1)
    >>> for user, item in [("Ann", "A"), ("Ann", "B"), ("Bob", "A"), ("Bob", "B"), ("Cy", "D")]:
    ...     model.learn_one(user, item, 1.0)
    >>> model.learn_one("Eve", "A", 1.0)
    >>> model.rank("Eve", {"B", "D"})
    ['B', 'D']
    >>> model.predict_one("a stranger", "A")
    0.0
    """

    def __init__(
        self,
        n_factors: int = 32,
        unobserved_weight: float = 0.3,
        ridge: float = 4.0,
        profile_items: int = 50,
        profile_decay: float = 0.85,
        users_max: int = 4096,
        items_max: int = 4096,
        seed: int | None = None,
    ) -> None:
        super().__init__(seed=seed)
        self.n_factors = n_factors
        self.unobserved_weight = unobserved_weight
        self.ridge = ridge
        self.profile_items = profile_items
        self.profile_decay = profile_decay
        self.users_max = users_max
        self.items_max = items_max
        params = MfParams(
            factors=n_factors,
            unobserved_weight=unobserved_weight,
            ridge=ridge,
            profile_items=profile_items,
            profile_decay=profile_decay,
            users_max=users_max,
        )
        self._mf = Mf(params, seed or 0)
        self._rows: dict[Hashable, int] = {}  # least recently learnt first
        self._histories: dict[Hashable, list[tuple[int, float]]] = {}  # likewise; newest first

    # A River ranker is asked by user and item, a River regressor by features: the ranker's way.
    def learn_one(  # type: ignore[override]
        self,
        user: Hashable,
        item: Hashable,
        y: base.typing.RegTarget,
        x: dict[base.typing.FeatureName, object] | None = None,
    ) -> None:
        """Learn how much a user liked an item. Raises ValueError unless `y` is a finite number."""
        weight = float(y)
        if not math.isfinite(weight):
            raise ValueError(f"a label must be a finite number, not {weight}")
        if weight <= 0.0:
            return
        row = self._row(item)
        history = self._histories.pop(user, [])
        if len(self._histories) >= self.users_max:
            del self._histories[next(iter(self._histories))]
        rows, weights = _columns(history)
        ages = np.zeros(len(rows), np.int64)
        weight = min(weight, WEIGHT_MAX)
        self._mf.learn(Steps.of([Step(row, weight, 0, _hash(user), rows, weights, ages)]))
        later = [(r, w) for r, w in history if r != row]
        self._histories[user] = [(row, weight), *later][: self.profile_items]

    def predict_one(  # type: ignore[override]
        self,
        user: Hashable,
        item: Hashable,
        x: dict[base.typing.FeatureName, object] | None = None,
    ) -> float:
        """Return the preference of a user for an item, 0 when either was never learnt."""
        return self._scores(user, [item])[0]

    def rank(
        self,
        user: Hashable,
        items: Collection[Hashable],
        x: dict[base.typing.FeatureName, object] | None = None,
    ) -> list[Hashable]:
        """Return the items, best first; equal ones by a hash of the item."""
        known = list(items)
        scores = dict(zip(known, self._scores(user, known), strict=True))
        return sorted(known, key=lambda item: (-scores[item], _hash(item)))

    def _unit_test_skips(self) -> set[str]:
        return set(UNRUNNABLE)

    def _scores(self, user: Hashable, items: list[Hashable]) -> list[float]:
        rows, weights = _columns(self._histories.get(user, []))
        histories = Histories(
            np.array([0, len(rows)], np.int64),
            rows,
            weights,
            np.zeros(len(rows), np.int64),
            np.zeros(1, np.int64),
            np.zeros(1, np.uint64),
        )
        candidates = np.array([[self._rows.get(item, -1) for item in items]], np.int32)
        return [float(score) for score in self._mf.score(histories, candidates)[0, 0]]

    def _row(self, item: Hashable) -> int:
        row = self._rows.pop(item, None)
        if row is None:
            if len(self._rows) < self.items_max:
                row = len(self._rows)
                self._mf.grow(row + 1)
            else:
                row = self._rows.pop(next(iter(self._rows)))
                self._mf.forget(np.array([row], np.int32))
                for user, history in self._histories.items():
                    self._histories[user] = [(r, w) for r, w in history if r != row]
            self._mf.begin(row, _hash(item))
        self._rows[item] = row
        return row


def _columns(
    history: list[tuple[int, float]],
) -> tuple[Rows, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    rows = np.array([row for row, _ in history], np.int32)
    return rows, np.array([weight for _, weight in history], np.float32)


def _hash(id_: Hashable) -> int:
    """Return 63 bits of an id that are the same in every process."""
    return int.from_bytes(blake2b(repr(id_).encode(), digest_size=8).digest(), "little") >> 1
