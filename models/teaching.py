"""What a history teaches: its items, newest first, each with its weight.

Read from the kept events and the settings alone, so a change of settings holds for the whole
history, and the order in which events came does not show.
"""

from typing import Final

from millstream.models.event import (
    EVENT_TYPES,
    GRADED,
    REMOVING,
    TYPE_CODES,
    EventWeights,
    weight_table,
)

DAY_MS: Final = 86_400_000
DWELL: Final = TYPE_CODES["dwell"]
GATED: Final = frozenset({TYPE_CODES["click"], TYPE_CODES["view"]})
REMOVING_CODES: Final = frozenset(TYPE_CODES[name] for name in REMOVING)
WEIGHT_MIN: Final = 1e-6
"""What has decayed below it teaches nothing."""

Taught = tuple[list[str], list[float], list[int]]
"""(items, weights, ts_ms), newest first, distinct."""


def taught(
    items: list[str],
    ts: list[int],
    types: list[int],
    values: list[float],
    weights: EventWeights,
    most: int,
) -> Taught:
    """Return what kept events, oldest first, teach: at most `most` items.

    An item's newest event that says anything decides: a dislike or hide takes it out altogether.
    A click or view that was followed by no dwell of `bounce_s` but by a shorter one says nothing.
    Weights halve with every `half_life_days` before the newest event.
    """
    if not types:
        return [], [], []
    table = weight_table(weights)
    if table[types[0]] > 0.0 and _is_plain(items, types):
        # All of one type and no item twice, the common case, at a tenth of the loop's time.
        newest = slice(None, -min(len(items), most) - 1, -1)
        found = items[newest], [table[types[0]]] * min(len(items), most), ts[newest]
    else:
        found = _one_by_one(items, ts, types, values, weights, most)
    return _decayed(found, ts[-1], weights.half_life_days) if weights.half_life_days else found


def _is_plain(items: list[str], types: list[int]) -> bool:
    return types.count(types[0]) == len(types) and len(set(items)) == len(types)


def _one_by_one(
    items: list[str],
    ts: list[int],
    types: list[int],
    values: list[float],
    weights: EventWeights,
    most: int,
) -> Taught:
    table = weight_table(weights)
    found: list[str] = []
    worth: list[float] = []
    when: list[int] = []
    met: set[str] = set()
    stayed: dict[str, float] = {}  # the longest dwell since the item's next newer event
    for n in range(len(types) - 1, -1, -1):
        item, type_ = items[n], types[n]
        if item in met:
            continue
        weight = table[type_]
        if weight == GRADED:
            weight = weights.weight(EVENT_TYPES[type_], values[n])
        if weights.bounce_s:
            if type_ == DWELL:
                stayed[item] = max(stayed.get(item, 0.0), values[n])
            elif stayed.pop(item, weights.bounce_s) < weights.bounce_s and type_ in GATED:
                continue
        if weight > 0.0:
            found.append(item)
            worth.append(weight)
            when.append(ts[n])
            if len(found) == most:
                break
        elif type_ not in REMOVING_CODES:
            continue
        met.add(item)
    return found, worth, when


def _decayed(found: Taught, newest_ts: int, half_life_days: float) -> Taught:
    """Return what is left of it at the person's newest event."""
    half_life_ms = half_life_days * DAY_MS
    left = [
        (item, worth, ts)
        for item, weight, ts in zip(*found, strict=True)
        if (worth := weight * 0.5 ** ((newest_ts - ts) / half_life_ms)) >= WEIGHT_MIN
    ]
    return [item for item, _, _ in left], [worth for _, worth, _ in left], [ts for _, _, ts in left]
