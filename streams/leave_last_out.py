"""Leave-last-out: what of a file is held out, so that batch systems can be stood beside.

Everything else is learnt in the order of time, then each person's last event is ranked once. It
looks easier and harder than life: the model has seen what others did later, and each person
counts once, however much they do. It is no forecast of production; `prequential` is.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rows of a table: `targets` are ranked, in the order of time; `withheld` are not learnt."""

    targets: list[int]
    withheld: frozenset[int]


def held_out(
    users: Sequence[str], items: Sequence[str], targets: Sequence[bool], repeats: bool = False
) -> HeldOut:
    """Return each user's last event that is one of the `targets`; the events are in time order.

    Unless items repeat, all that the person did with that item is withheld too: a list leaves
    out what its person has met.
    """
    last = {user: n for n, user in enumerate(users) if targets[n]}
    withheld = set(last.values())
    if not repeats:
        for n, (user, item) in enumerate(zip(users, items, strict=True)):
            if user in last and items[last[user]] == item:
                withheld.add(n)
    return HeldOut(sorted(last.values()), frozenset(withheld))
