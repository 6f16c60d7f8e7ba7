"""rtrec's SLIM: sparse item-to-item weights. What a person did counts at once, the weights lag.

rtrec learns in small batches, the columns of the items that came: alone, an event would find no
other item to learn from. Of batches of 200, 500 and 2,000 and of all columns every 2,000 events,
500 served it best. Its default regularisation is the best of four on MovieLens (.110, with .001
.080) and the worst on YooChoose (.070, with .001 .246; the first 16,000 events), so both are kept.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from rtrec.models import SLIM  # type: ignore[import-not-found,unused-ignore]

from benchmarks.peers.peer import Scores

BATCH: Final = 500
FIRST_FIT: Final = 200
NEIGHBOURS: Final = 50
"""As in its README; without, a fit takes seconds."""


class Slim:
    """`rtrec.models.SLIM`."""

    def __init__(self, alpha: float = 0.1) -> None:
        """Start empty. `alpha` is the regularisation; .1 is rtrec's own."""
        self._model = SLIM(nn_feature_selection=NEIGHBOURS, alpha=alpha)
        self._count = 0

    def score(self, user: int, history: Sequence[int], known: int) -> Scores:
        """Return the user's row times the item weights; 0 for items without any."""
        del history
        scores = np.zeros(known)
        weights = self._model.model.item_similarity
        if weights is not None:
            fitted = weights.shape[0]
            row = self._model.interactions.to_csr(select_users=[user])[user, :fitted]
            scores[:fitted] = self._model.model.predict(0, row)
        return scores

    def learn(self, user: int, item: int, ts_ms: int) -> None:
        """Note an event, and fit what came since the last fit when it is time."""
        self._model.add_interactions([(user, item, ts_ms / 1000, 1.0)], record_interactions=True)
        self._count += 1
        if self._count == FIRST_FIT or self._count % BATCH == 0:
            self._model._fit_recorded(progress_bar=False)
