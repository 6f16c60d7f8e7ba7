"""Small made-up interactions and histories, for checks and tests."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from millstream.models.histories import Histories, Rows, Step

ITEMS: Final = 40
USERS: Final = 300
DEPTH: Final = 20


def steps(n: int, seed: int = 0, items: int = ITEMS, users: int = USERS) -> Iterator[Step]:
    """Yield n interactions of users who each prefer one half of the items."""
    random = np.random.default_rng(seed)
    histories: dict[int, list[int]] = {}
    for _ in range(n):
        user = int(random.integers(users))
        half = user % 2 if random.random() < 0.9 else 1 - user % 2
        row = 2 * int((items // 2) * random.random() ** 2) + half
        history = histories.setdefault(user, [])
        yield step_of(row, [item for item in history if item != row], user + 1)
        histories[user] = [row, *[item for item in history if item != row]][:DEPTH]


def some_histories(users: int) -> Histories:
    """Return histories of different lengths, the first of them empty."""
    random = np.random.default_rng(5)
    return histories_of([random.permutation(ITEMS)[: 3 * b % DEPTH].tolist() for b in range(users)])


def no_histories(users: int) -> Histories:
    """Return empty histories."""
    return histories_of([[] for _ in range(users)])


def histories_of(rows: Sequence[Sequence[int]]) -> Histories:
    """Return one user's history a list of rows, newest first, with falling weights."""
    flat = np.array([row for each in rows for row in each], np.int32)
    return Histories(
        np.concatenate(([0], np.cumsum([len(each) for each in rows], dtype=np.int64))).astype(
            np.int64
        ),
        flat,
        np.linspace(1.0, 0.5, len(flat), dtype=np.float32),
        np.zeros(len(flat), np.int64),
        np.zeros(len(rows), np.int64),
        np.arange(1, len(rows) + 1, dtype=np.uint64),
    )


def step_of(row: int, history: Sequence[int], user: int) -> Step:
    """Return a plain interaction of weight 1."""
    rows: Rows = np.array(history, np.int32)
    return Step(
        row, 1.0, 0, user, rows, np.ones(len(rows), np.float32), np.zeros(len(rows), np.int64)
    )


def everything(users: int, rows: int = ITEMS) -> Rows:
    """Return rows 0 .. rows - 1 as candidates of each user."""
    return np.repeat(np.arange(rows, dtype=np.int32)[None, :], users, axis=0)
