"""The protocol, once, for all: each event is first ranked, then learnt.

The rule is that of `millstream evaluate`: an event is ranked when its user has an earlier one and
the item is new to that user, every `every`-th row; among all known items that the user has not
had, nothing sampled, ties broken at random; an item never seen before is a miss.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from benchmarks.peers.peer import Peer, Scores

MISS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Stream:
    """Events in the order of time, by number: the n-th user or item to appear is n."""

    users: Sequence[int]
    items: Sequence[int]
    ts_ms: Sequence[int]


@dataclass(slots=True)
class Replayed:
    """The rank of each scored event, and what it cost in CPU time of the process."""

    ranks: list[int] = field(default_factory=list)
    score_ns: int = 0
    learn_ns: int = 0


def numbered(ids: Sequence[str]) -> list[int]:
    """Return each id's number, in the order of first appearance."""
    numbers: dict[str, int] = {}
    return [numbers.setdefault(name, len(numbers)) for name in ids]


def replay(
    peer: Peer,
    stream: Stream,
    *,
    every: int = 1,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> Replayed:
    """Return the ranks that a peer gives to the events of a stream."""
    random = np.random.default_rng(seed)
    histories: dict[int, list[int]] = {}
    found, known = Replayed(), 0
    for n, (user, item, ts_ms) in enumerate(
        zip(stream.users, stream.items, stream.ts_ms, strict=True)
    ):
        history = histories.setdefault(user, [])
        if history and item not in history and n % every == 0:
            if item < known:
                began = time.process_time_ns()
                scores = peer.score(user, history, known)
                found.score_ns += time.process_time_ns() - began
                found.ranks.append(rank(scores, item, history, float(random.random())))
            else:
                found.ranks.append(MISS)
        began = time.process_time_ns()
        peer.learn(user, item, ts_ms)
        found.learn_ns += time.process_time_ns() - began
        history.append(item)
        known = max(known, item + 1)
        progress(n + 1)
    return found


def rank(scores: Scores, item: int, history: Sequence[int], tie: float) -> int:
    """Return 1 + how many unseen items score higher + a random part of those that score the same.

    `tie` is in [0, 1).
    """
    finite = np.nan_to_num(np.asarray(scores, np.float64), nan=-np.inf, neginf=-np.inf)
    mine = finite[item]
    unseen = np.ones(len(finite), np.bool_)
    unseen[list(history)] = False
    others = finite[unseen]
    return 1 + int((others > mine).sum()) + int(tie * int((others == mine).sum()))
