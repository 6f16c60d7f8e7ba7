"""The suite that every source earns: `for check in CHECKS: check(lambda: small_source(name))`.

Each call makes a new, empty source with the same settings and seed; its bounds are small, so that
3,000 interactions of 300 users reach them. A broken promise is an AssertionError that says which.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.histories import Step, Steps, one_of
from millstream.models.samples import (
    DEPTH,
    ITEMS,
    USERS,
    describe,
    embedding_of,
    everything,
    histories_of,
    learn,
    no_histories,
    scored,
    some_histories,
    step_of,
    steps,
    taught,
)
from millstream.models.source import Arrays, Derives, Describes, Source

Maker = Callable[[], Source]


def reading_changes_no_byte(make: Maker) -> None:
    """Reads, also of strangers and unknown rows, leave the whole state as it was."""
    source = taught(make())
    before = _bytes(source.arrays())
    histories = some_histories(30)
    for _ in range(3):
        source.retrieve(histories, 10)
        scored(source, histories, everything(30, ITEMS + 20))
        source.read_arrays()
    _hold(_bytes(source.arrays()) == before, "reading changes state")


def equal_events_give_equal_state(make: Maker) -> None:
    """Two sources of one seed end in the same bytes, however often the first was read."""
    one, other = make(), make()
    for each in (one, other):
        each.grow(ITEMS)
        describe(each, range(ITEMS))
    for step in steps(500):
        one.learn(Steps.of([step]))
        scored(one, some_histories(2), everything(2))
    learn(other, steps(500))
    _hold(_bytes(one.arrays()) == _bytes(other.arrays()), "equal events give unequal state")


def memory_is_bounded(make: Maker) -> None:
    """Ever more interactions of ever new users and the same items add no byte."""
    source = make()
    source.grow(ITEMS)
    describe(source, range(ITEMS))
    describe(source, range(10), "12")
    learn(source, steps(3_000))
    before = _size(source.arrays())
    describe(source, range(ITEMS))
    learn(source, steps(3_000, seed=1, users=100 * USERS))
    _hold(_size(source.arrays()) <= before, "memory grows with interactions or users")


def save_and_load_round_trip(make: Maker) -> None:
    """What `load` makes of `arrays` is the same and goes on learning the same."""
    source, loaded = taught(make()), make()
    loaded.load({name: array.copy() for name, array in source.arrays().items()})
    _hold(_bytes(loaded.arrays()) == _bytes(source.arrays()), "a loaded source differs")
    for each in (source, loaded):
        each.grow(ITEMS + 5)
        describe(each, range(ITEMS + 5), "12")
        learn(each, steps(300, seed=3, items=ITEMS + 5))
    _hold(_bytes(loaded.arrays()) == _bytes(source.arrays()), "a loaded source learns otherwise")


def loading_copies(make: Maker) -> None:
    """Learning after `load` does not reach back into the arrays that were given."""
    source, loaded = taught(make()), make()
    given = {name: array.copy() for name, array in source.arrays().items()}
    before = _bytes(given)
    loaded.load(given)
    describe(loaded, range(ITEMS), "12")
    learn(loaded, steps(100, seed=4))
    _hold(_bytes(given) == before, "a loaded source writes into what it was given")


def nothing_and_nobody_work(make: Maker) -> None:
    """Unknown rows, padding, no candidates, no history, no users, nothing learnt: no error."""
    for source in (make(), taught(make())):
        for users in (0, 1, 3):
            for histories in (no_histories(users), some_histories(users)):
                for width in (0, 1, 7):
                    candidates = np.full((users, width), -1, np.int32)
                    scores = source.score(histories, candidates)
                    shape = (len(source.features), *candidates.shape)
                    _hold(scores.shape == shape, "scores have another shape")
                    _hold(not scores.any(), "padding scores")
                found = source.retrieve(histories, 5)
                _hold(found.shape in ((users, 5), (users, 0)), "proposals have another shape")
                unknown = np.full((users, 3), ITEMS + 1000, np.int32)
                _hold(np.isfinite(source.score(histories, unknown)).all(), "unknown rows score")
    source = taught(make())
    odd = histories_of([[ITEMS + 500, 1], [ITEMS + 500]])
    _hold(np.isfinite(source.score(odd, everything(2))).all(), "unknown history rows score")
    source.retrieve(odd, 5)


def scores_are_finite(make: Maker) -> None:
    """However light, heavy or repeated the interactions."""
    source = make()
    source.grow(ITEMS)
    describe(source, range(ITEMS))
    for n, step in enumerate(steps(2_000)):
        weight = float(np.float32((1e-6, 1.0, 1e3)[n % 3]))
        again = np.concatenate((np.array([step.row], np.int32), step.history))[:DEPTH]
        weights = np.full(len(again), weight, np.float32)
        ages = np.zeros_like(again, np.int64)
        source.learn(
            Steps.of([Step(step.row, weight, step.ts_ms, step.user, again, weights, ages)])
        )
    scores = scored(source, some_histories(50), everything(50))
    _hold(bool(np.isfinite(scores).all()), "a score is not finite")
    for name, array in source.arrays().items():
        _hold(bool(np.isfinite(array.astype(np.float64)).all()), f"{name} is not finite")


def learning_lifts_what_was_learnt(make: Maker) -> None:
    """By a source's first feature: of two items, the one that often followed scores higher.

    To a source that is told what items look like it looks like what it followed.
    """
    source = make()
    source.grow(ITEMS)
    before = source.score(histories_of([[0]]), np.array([[1, 2]], np.int32))[0, 0]
    if isinstance(source, Describes):
        for row in range(ITEMS):
            source.describe(row, embedding_of(row, int(row > 1)))
    for n in range(200):
        user = n // 10 % 10 + 1  # each now and then takes the other
        source.learn(Steps.of([step_of(0, [], user)]))
        source.learn(Steps.of([step_of(1 if n % 10 else 2, [0], user)]))
    after = source.score(histories_of([[0]]), np.array([[1, 2]], np.int32))[0, 0]
    _hold(after[0] - before[0] > after[1] - before[1], "the learnt item is not lifted")
    _hold(after[0] > after[1], "the learnt item does not score higher")


def every_feature_tells_items_apart(make: Maker) -> None:
    """Each feature scores some candidates of somebody unlike the others."""
    source = taught(make())
    scores = scored(source, some_histories(20), everything(20))
    for name, feature in zip(source.features, scores, strict=True):
        _hold(bool((feature != feature[:, :1]).any()), f"{name} is the same for all items")


def a_replica_equals_the_learner(make: Maker) -> None:
    """Fed by steps or by `changes`, in frames of any length, with rows forgotten on the way."""
    learner, replica = make(), make()
    fed = iter(list(steps(1_200, items=ITEMS)))
    rows = 0
    for frame, length in enumerate((1, 2, 7, 90, 0, 300, 500)):
        gone = np.array([3, 17], np.int32) if frame == 4 else np.zeros(0, np.int32)
        rows = ITEMS // 2 if frame < 3 else ITEMS
        taken = [step for step, _ in zip(fed, range(length), strict=False)]
        taken = [step for step in taken if max([step.row, *step.history.tolist()]) < rows]
        if len(gone):
            learner.forget(gone)
        learner.grow(rows)
        describe(learner, range(frame, rows, 2))
        learn(learner, taken)
        describe(learner, range(rows if frame > 2 else rows // 3), "12")
        changes = learner.changes()
        if len(gone):
            replica.forget(gone)
        replica.grow(rows)
        if replica.learns_from_steps:
            learn(replica, taken)
            told = isinstance(replica, Describes)
            _hold(told or not changes, "a source that learns from steps has changes too")
        if changes:
            replica.apply({name: array.copy() for name, array in changes.items()})
        both = [source.retrieve(some_histories(9), 9).tobytes() for source in (learner, replica)]
        _hold(both[0] == both[1], f"a replica proposes otherwise after frame {frame}")
        equal = _bytes(learner.read_arrays()) == _bytes(replica.read_arrays())
        _hold(equal, f"a replica differs after frame {frame}")
    _hold(not learner.changes(), "changes are given twice")
    late = make()
    late.load({name: array.copy() for name, array in learner.arrays().items()})
    _hold(
        _bytes(late.read_arrays()) == _bytes(learner.read_arrays()),
        "a replica loaded from a snapshot differs",
    )


def a_batch_changes_no_result(make: Maker) -> None:
    """Alone or among others, with more or fewer candidates: the same scores bit for bit.

    A source that derives may say how candidates stand among each other.
    """
    source = taught(make())
    histories, candidates = some_histories(20), everything(20)
    scores = scored(source, histories, candidates)
    found = source.retrieve(histories, 15)
    for b in range(20):
        alone = one_of(histories, b)
        _hold(
            scored(source, alone, candidates[b : b + 1]).tobytes() == scores[:, b].tobytes(),
            "a score depends on who shares the batch",
        )
        fewer = scored(source, alone, candidates[b : b + 1, ::-3])
        _hold(
            isinstance(source, Derives) or fewer.tobytes() == scores[:, b, ::-3].tobytes(),
            "a score depends on the other candidates",
        )
        _hold(
            source.retrieve(alone, 15).tobytes() == found[b].tobytes(),
            "proposals depend on who shares the batch",
        )


def proposals_are_distinct_and_known(make: Maker) -> None:
    """Rows in use, each once, best first, padding behind; fewer are the first of more."""
    source = taught(make())
    histories = some_histories(20)
    found = source.retrieve(histories, 15)
    for proposed in found.tolist():
        rows = [row for row in proposed if row >= 0]
        _hold(len(set(rows)) == len(rows), "a row is proposed twice")
        _hold(all(row < ITEMS for row in rows), "an unknown row is proposed")
        _hold(proposed[: len(rows)] == rows, "padding stands before a proposal")
    if found.shape[1]:
        _hold(
            np.array_equal(source.retrieve(histories, 4), found[:, :4]),
            "fewer proposals are not the first of more",
        )


def what_is_forgotten_is_gone(make: Maker) -> None:
    """A forgotten row is proposed to nobody, and reads as one that was never learnt."""
    source, fresh = taught(make()), make()
    fresh.grow(ITEMS)
    gone = np.array([0, 5, 6, ITEMS - 1], np.int32)
    source.forget(gone)
    found = source.retrieve(some_histories(30), ITEMS)
    _hold(not np.isin(found, gone).any(), "a forgotten row is proposed")
    for name, array in source.read_arrays().items():
        never = fresh.read_arrays()[name]
        if len(array) == ITEMS and array.shape == never.shape:
            same = array[gone].tobytes() == never[gone].tobytes()
            _hold(same, f"{name} still knows a forgotten row")
    learn(source, steps(300, seed=6))
    _hold(
        bool(np.isfinite(source.score(some_histories(9), everything(9))).all()),
        "a row given to another item does not learn",
    )


CHECKS: Final = (
    reading_changes_no_byte,
    equal_events_give_equal_state,
    memory_is_bounded,
    save_and_load_round_trip,
    loading_copies,
    nothing_and_nobody_work,
    scores_are_finite,
    learning_lifts_what_was_learnt,
    every_feature_tells_items_apart,
    a_replica_equals_the_learner,
    a_batch_changes_no_result,
    proposals_are_distinct_and_known,
    what_is_forgotten_is_gone,
)


def _bytes(arrays: Arrays) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (str(a.dtype), a.shape, a.tobytes()) for name, a in arrays.items()}


def _size(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays.values())


def _hold(condition: bool | np.bool_ | npt.NDArray[np.bool_], promise: str) -> None:
    if not condition:
        raise AssertionError(promise)
