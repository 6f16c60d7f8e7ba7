"""What an evaluation found: the rank of every scored event, and the figures made from ranks."""

import hashlib
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, TypedDict

import numpy as np
import numpy.typing as npt

from millstream.streams.described import ItemsFound
from millstream.streams.listed import Lists
from millstream.streams.significance import share_ci95

MISS: Final = 1_000_000
RECALL_AT: Final = 10
WIDE_RECALL_AT: Final = 50
MRR_AT: Final = 20
FUSED: Final = "fused"
DIGITS: Final = 5

Ints: TypeAlias = "array[int]"  # not to be subscripted at run time before Python 3.12
Mask = npt.NDArray[np.bool_]
Figures = TypedDict(
    "Figures",
    {"recall@10": float, "recall@50": float, "mrr@20": float, "ci95": tuple[float, float]},
)


@dataclass(slots=True)
class Scored:
    """The scored events in the order in which they were ranked, column by column."""

    places: Ints = field(default_factory=lambda: array("q"))  # row of the table
    users: Ints = field(default_factory=lambda: array("i"))  # numbered as they come
    user_events: Ints = field(default_factory=lambda: array("i"))  # its user's before it
    item_events: Ints = field(default_factory=lambda: array("i"))  # its item's before it
    item_ages_ms: Ints = field(default_factory=lambda: array("q"))  # since the item's first
    ranks: dict[str, Ints] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.places)


SLICES: Final[Mapping[str, Callable[[Scored], Mask]]] = {
    "user_events_2_6": lambda s: _between(s.user_events, 1, 5),
    "item_events_1_5": lambda s: _between(s.item_events, 1, 5),
    "first_event": lambda s: _between(s.item_events, 0, 0),
}
"""The scored event is its user's 2nd to 6th; its item had 1 to 5 before; had none."""


@dataclass(slots=True)
class Evaluation:
    """Ranks by source and fused, and what production's work cost, in thread CPU."""

    events: int
    protocol: str
    names: list[str]
    lists: Lists | None = None
    items: ItemsFound | None = None
    scored_events: Scored = field(default_factory=Scored)
    score_ns: Ints = field(default_factory=lambda: array("q"))  # a scored event
    learn_ns: Ints = field(default_factory=lambda: array("q"))  # a learnt event
    describe_ns: int = 0
    described: int = 0
    _hash: hashlib.blake2b = field(default_factory=lambda: hashlib.blake2b(digest_size=16))
    _users: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin a column a name."""
        self.scored_events.ranks = {name: array("i") for name in self.names}

    def add(
        self,
        place: int,
        user: str,
        item: str,
        ts_ms: int,
        ranks: Mapping[str, int],
        before: tuple[int, int, int],
    ) -> None:
        """Take in a scored event; `before`: events of its user, of its item, and the item's age."""
        self._hash.update(f"{user}\0{item}\0{ts_ms}\n".encode())
        scored = self.scored_events
        scored.places.append(place)
        scored.users.append(self._users.setdefault(user, len(self._users)))
        scored.user_events.append(before[0])
        scored.item_events.append(before[1])
        scored.item_ages_ms.append(before[2])
        for name, column in scored.ranks.items():
            column.append(ranks[name])

    @property
    def scored(self) -> int:
        """Return how many events were ranked."""
        return len(self.scored_events)

    @property
    def ranks(self) -> Mapping[str, Ints]:
        """Return the scored events' ranks by name, MISS for what was not listed."""
        return self.scored_events.ranks

    @property
    def fingerprint(self) -> str:
        """Return 32 hex digits over user, item and time of the scored events, in order."""
        return self._hash.hexdigest()

    @property
    def us_score(self) -> float:
        """Return mean thread CPU of retrieving and scoring a list."""
        return _mean_us(self.score_ns)

    @property
    def us_learn(self) -> float:
        """Return mean thread CPU of learning an event."""
        return _mean_us(self.learn_ns)

    @property
    def us_per_event(self) -> float:
        """Return thread CPU of one event: its list, and what is learnt from it."""
        return round(self.us_score + self.us_learn, 1)

    @property
    def us_per_item(self) -> float | None:
        """Return mean thread CPU of taking in what an item looks like; None where none was."""
        return round(self.describe_ns / 1000 / self.described, 1) if self.described else None

    def figures(self, name: str, of: Mask | None = None) -> Figures:
        """Return recall and mrr of a source or of `fused`, over all or the `of` events.

        ci95 is that of recall@10, clustered by user (`significance.share_ci95`). All are 0 when
        nothing was scored.
        """
        return figures(*self._columns(name, of))

    def slice(self, name: str) -> tuple[int, Figures]:
        """Return how many events are in a slice, and the fused figures over them."""
        of = SLICES[name](self.scored_events)
        return int(of.sum()), self.figures(FUSED, of)

    def _columns(
        self, name: str, of: Mask | None
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        ranks = np.array(self.ranks[name], np.int32)
        users = np.array(self.scored_events.users, np.int32)
        return (ranks, users) if of is None else (ranks[of], users[of])


def figures(ranks: npt.NDArray[np.int32], users: npt.NDArray[np.int32]) -> Figures:
    """Return the figures of ranks (1 is the first place) met by these users."""
    low, high = share_ci95(ranks <= RECALL_AT, users)
    return {
        "recall@10": _mean(ranks <= RECALL_AT),
        "recall@50": _mean(ranks <= WIDE_RECALL_AT),
        "mrr@20": _mean(reciprocal(ranks)),
        "ci95": (round(low, DIGITS), round(high, DIGITS)),
    }


def reciprocal(ranks: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Return 1 / rank up to the 20th place, 0 beyond."""
    return np.where(ranks <= MRR_AT, 1.0 / np.maximum(ranks, 1), 0.0)


def _mean(values: npt.NDArray[np.bool_] | npt.NDArray[np.float64]) -> float:
    return round(float(values.mean()), DIGITS) if len(values) else 0.0


def _mean_us(ns: Ints) -> float:
    return round(sum(ns) / 1000 / len(ns), 1) if len(ns) else 0.0


def _between(column: Ints, low: int, high: int) -> Mask:
    values = np.array(column, np.int64)
    return np.asarray((values >= low) & (values <= high))
