"""Small sources, and small made-up items, interactions and histories for them: for checks."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from millstream.models.embedding import MODALITIES, Embedding, Part, unit_vector
from millstream.models.histories import Histories, Rows, Scores, Step, Steps
from millstream.models.registry import new_source, params_type, section_of
from millstream.models.source import Derives, Describes, Source

ITEMS: Final = 40
USERS: Final = 300
DEPTH: Final = 20
EVERY_MS: Final = 1_000
"""Between two interactions; the histories of `some_histories` are of later."""
LATER_MS: Final = 10_000_000
CUT: Final = 7
"""Steps given at once; no multiple of it is, so that the last part is a shorter one."""
WIDTH: Final = 16
"""Of the vectors that items are described by."""
SMALL: Final[dict[str, object]] = {
    "factors": 8,
    "half_life": 3.0,
    "head": 16,
    "item_users": 16,
    "negatives": 2,
    "trending_half_life": 1.0,
    "users_max": 64,
    "width": 8,
    "young": 25,
    "young_max": 16,
}
"""What params of these names are while a source is checked, whichever source has them."""


def small_params(name: str) -> msgspec.Struct:
    """Return a source's params with small bounds."""
    params = params_type(section_of(name))
    return params(**{key: SMALL[key] for key in params.__struct_fields__ if key in SMALL})


def small_source(name: str) -> Source:
    """Return an empty source with small bounds."""
    return new_source(name, small_params(name), 7)


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


def embedding_of(row: int, half: int, version: str = "1") -> Embedding:
    """Return what an item of one half looks like: like the others of it; one part may lack."""
    parts = {}
    for n, modality in enumerate(MODALITIES):
        if (row + n) % 7 != 3:
            random = np.random.default_rng([row, n, len(version)])
            vector = random.normal(0.0, 0.2, WIDTH)
            vector[half] += 1.0
            parts[modality] = Part(
                unit_vector(vector / np.linalg.norm(vector)), version, bytes([row % 256])
            )
    return Embedding(parts)


def describe(source: Source, rows: Iterable[int], version: str = "1") -> None:
    """Tell a source what items look like, if it can be told."""
    if isinstance(source, Describes):
        for row in rows:
            source.describe(row, embedding_of(row, row % 2, version))


def learn(source: Source, taken: Iterable[Step]) -> None:
    """Let a source learn steps, a few at once."""
    taken = list(taken)
    for start in range(0, len(taken), CUT):
        source.learn(Steps.of(taken[start : start + CUT]))


def taught(source: Source) -> Source:
    """Return a source that has learnt 1,000 steps over ITEMS rows.

    If it can be told what items look like it was, of some by a newer encoder too.
    """
    source.grow(ITEMS)
    describe(source, range(ITEMS))
    describe(source, range(ITEMS // 3), "12")
    learn(source, steps(1_000))
    return source


def scored(source: Source, histories: Histories, candidates: Rows) -> Scores:
    """Return a source's scores; what it needs of others is made up."""
    if not isinstance(source, Derives):
        return source.score(histories, candidates)
    said = np.where(candidates >= 0, candidates % 5 - 1, 0).astype(np.float32)
    return source.score_after(histories, candidates, np.stack([said] * len(source.needs)))
