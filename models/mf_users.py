"""What LEARN keeps beside item factors: the users by whom an item's vector is solved, bounded."""

import numpy as np
import numpy.typing as npt

from millstream.models.arrays import grown
from millstream.models.histories import Rows, Steps
from millstream.models.jit import kernel
from millstream.models.ridge import Doubles, Floats, exchange, fold_in
from millstream.models.source import Arrays

Users = npt.NDArray[np.uint32]


class UserTable:
    """User vectors in a direct-mapped table, and the last users of each item."""

    def __init__(
        self, factors: int, users_max: int, item_users: int, unobserved: float, ridge: float
    ) -> None:
        self.slots = 1 << max(users_max - 1, 0).bit_length()
        self.factors = factors
        self.unobserved = unobserved
        self.ridge = ridge
        k = factors
        self.user_vectors: Floats = np.zeros((0, k), np.float32)
        self.user_gram: Doubles = np.zeros((k, k), np.float64)
        self.owners: Users = np.zeros(0, np.uint32)
        self.item_users: Users = np.zeros((0, item_users), np.uint32)
        self.item_weights: Floats = np.zeros((0, item_users), np.float32)
        self.met: Rows = np.zeros(0, np.int32)

    def learn(self, steps: Steps, factors: Floats, gram: Doubles) -> None:
        """Solve one user and one item a step."""
        self._grow(len(factors))
        users = steps.users.astype(np.uint32)
        users[users == 0] = 1  # 0 stands for an empty slot
        _learn(
            factors,
            gram,
            self.user_vectors,
            self.user_gram,
            self.owners,
            self.item_users,
            self.item_weights,
            self.met,
            steps.rows,
            steps.weights,
            steps.ptr,
            steps.history,
            steps.history_weights,
            users,
            self.unobserved,
            self.ridge,
        )

    def forget(self, rows: Rows) -> None:
        """Forget who met these rows."""
        rows = rows[rows < len(self.met)]
        self.item_users[rows] = 0
        self.item_weights[rows] = 0.0
        self.met[rows] = 0

    def arrays(self, rows: int) -> dict[str, npt.NDArray[np.generic]]:
        """Return everything, user slots in use only."""
        self_rows = min(rows, len(self.met))
        used = np.flatnonzero(self.owners)
        return {
            "user_slots": used,
            "user_vectors": self.user_vectors[used],
            "user_owners": self.owners[used],
            "user_gram": self.user_gram,
            "item_users": self.item_users[:self_rows],
            "item_weights": self.item_weights[:self_rows],
            "item_met": self.met[:self_rows],
        }

    def load(self, arrays: Arrays) -> None:
        """Replace everything by what `arrays` returned."""
        self.item_users = np.array(arrays["item_users"], np.uint32)
        self.item_weights = np.array(arrays["item_weights"], np.float32)
        self.met = np.array(arrays["item_met"], np.int32)
        self.user_gram = np.array(arrays["user_gram"], np.float64)
        self._grow(len(self.met))
        used = np.asarray(arrays["user_slots"], np.int64)
        self.user_vectors[used] = arrays["user_vectors"]
        self.owners[used] = arrays["user_owners"]

    def _grow(self, rows: int) -> None:
        if not len(self.owners):
            self.user_vectors = np.zeros((self.slots, self.factors), np.float32)
            self.owners = np.zeros(self.slots, np.uint32)
        self.item_users = grown(self.item_users, rows)
        self.item_weights = grown(self.item_weights, rows)
        self.met = grown(self.met, rows)


@kernel
def _learn(
    factors: Floats,
    gram: Doubles,
    user_vectors: Floats,
    user_gram: Doubles,
    owners: Users,
    item_users: Users,
    item_weights: Floats,
    met: Rows,
    rows: Rows,
    weights: Floats,
    ptr: npt.NDArray[np.int64],
    history: Rows,
    history_weights: Floats,
    users: Users,
    unobserved: float,
    ridge: float,
) -> None:
    k = factors.shape[1]
    ring = item_users.shape[1]
    work = np.empty((k, k), np.float32)
    vector = np.empty(k, np.float32)
    mask = np.uint32(len(owners) - 1)
    slots = np.empty(ring, np.int32)
    kept = np.empty(ring, np.float32)

    for step in range(len(rows)):
        row, user = rows[step], users[step]
        begin, end = ptr[step], ptr[step + 1]
        met_rows = np.empty(end - begin + 1, np.int32)
        met_weights = np.empty(end - begin + 1, np.float32)
        met_rows[0], met_weights[0] = row, weights[step]
        depth = 1
        for q in range(begin, end):
            if history[q] != row:
                met_rows[depth], met_weights[depth] = history[q], history_weights[q]
                depth += 1
        fold_in(
            factors,
            met_rows[:depth],
            met_weights[:depth],
            gram,
            unobserved,
            ridge,
            work,
            vector,
        )
        slot = np.int64(user & mask)
        owners[slot] = user
        exchange(user_gram, user_vectors[slot], vector)

        at = -1
        for n in range(min(met[row], ring)):
            if item_users[row, n] == user:
                at = n
        if at < 0:
            at = met[row] % ring
            met[row] += 1
        item_users[row, at] = user
        item_weights[row, at] = weights[step]

        n_kept = 0
        for n in range(min(met[row], ring)):
            slot = np.int64(item_users[row, n] & mask)
            if owners[slot] == item_users[row, n]:
                slots[n_kept] = slot
                kept[n_kept] = item_weights[row, n]
                n_kept += 1
        fold_in(
            user_vectors,
            slots[:n_kept],
            kept[:n_kept],
            user_gram,
            unobserved,
            ridge,
            work,
            vector,
        )
        exchange(gram, factors[row], vector)
