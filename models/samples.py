"""Small made-up interactions and histories, for checks and tests."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from millstream.models.histories import Histories, Rows, Step

ITEMS: Final = 40
USERS: Final = 300
DEPTH: Final = 20
EVERY_MS: Final = 1_000
"""Between two interactions; the histories of `some_histories` are of later."""
LATER_MS: Final = 10_000_000


def steps(n: int, seed: int = 0, items: int = ITEMS, users: int = USERS) -> Iterator[Step]:
    """Yield n interactions of users who each prefer one half of the items."""
    random = np.random.default_rng(seed)
    histories: dict[int, list[int]] = {}
    met_ms: dict[tuple[int, int], int] = {}
    for number in range(n):
        user = int(random.integers(users))
        half = user % 2 if random.random() < 0.9 else 1 - user % 2
        row = 2 * int((items // 2) * random.random() ** 2) + half
        history = histories.setdefault(user, [])
        before = [item for item in history if item != row]
        times = [met_ms[user, item] for item in before]
        met_ms[user, row] = number * EVERY_MS
        yield step_of(row, before, user + 1, met_ms[user, row], times)
        histories[user] = [row, *[item for item in history if item != row]][:DEPTH]


def some_histories(users: int) -> Histories:
    """Return histories of different lengths, the first of them empty."""
    random = np.random.default_rng(5)
    return histories_of([random.permutation(ITEMS)[: 3 * b % DEPTH].tolist() for b in range(users)])


def no_histories(users: int) -> Histories:
    """Return empty histories."""
    return histories_of([[] for _ in range(users)])


def histories_of(rows: Sequence[Sequence[int]]) -> Histories:
    """Return one user's history a list of rows, newest first, a second apart, weights falling."""
    flat = np.array([row for each in rows for row in each], np.int32)
    return Histories(
        np.concatenate(([0], np.cumsum([len(each) for each in rows], dtype=np.int64))).astype(
            np.int64
        ),
        flat,
        np.linspace(1.0, 0.5, len(flat), dtype=np.float32),
        np.array([LATER_MS - k * EVERY_MS for each in rows for k in range(len(each))], np.int64),
        np.full(len(rows), LATER_MS, np.int64),
        np.arange(1, len(rows) + 1, dtype=np.uint64),
    )


def step_of(
    row: int, history: Sequence[int], user: int, ts_ms: int = 0, times: Sequence[int] = ()
) -> Step:
    """Return a plain interaction of weight 1; all at one time unless it is said otherwise."""
    rows: Rows = np.array(history, np.int32)
    when = np.array(times, np.int64) if times else np.full(len(rows), ts_ms, np.int64)
    return Step(row, 1.0, ts_ms, user, rows, np.ones(len(rows), np.float32), when)


def everything(users: int, rows: int = ITEMS) -> Rows:
    """Return rows 0 .. rows - 1 as candidates of each user."""
    return np.repeat(np.arange(rows, dtype=np.int32)[None, :], users, axis=0)
