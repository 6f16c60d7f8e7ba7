"""Events out of data sets and files: one table, in the order of time, ready to be replayed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from millstream.models.event import EVENT_TYPES, TYPE_CODES
from millstream.streams.columns import Codes, as_number, coded
from millstream.streams.errors import BadUsage
from millstream.streams.event_rows import RATING_FAULT, Part, read_part
from millstream.streams.loaders.find import find_events
from millstream.streams.reading import Reading
from millstream.streams.tables import Say

T = TypeVar("T")

__all__ = ["EventTable", "Reading", "read_events"]


@dataclass(frozen=True, slots=True)
class EventTable:
    """Events in the order of time, ties as in the file; all lists have one length.

    `targets` says which of them are chosen to be ranked; None: all that teach.
    """

    name: str
    users: list[str]
    items: list[str]
    ts_ms: list[int]
    types: list[str]
    values: list[float]
    targets: list[bool] | None = None

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.users)


def read_events(
    source: str, reading: Reading, data_dir: Path, say: Say = lambda _: None
) -> EventTable:
    """Return the events of a data set's name, a file or a folder; `say` hears what was guessed.

    A data set that is not here is fetched, where that can be. Raises WorldMissing and BadUsage.
    """
    if reading.type is not None and reading.type not in TYPE_CODES:
        raise BadUsage(f"--type {reading.type!r}: it must be one of {', '.join(TYPE_CODES)}")
    found = find_events(source, data_dir, say)
    if len(found.files) > 1:
        say(f"{found.name}: {', '.join(head.origin.name for head, _ in found.files)}")
    parts = [read_part(head, layout, reading, say) for head, layout in found.files]
    _tell_left_out(parts, say)
    if not any(len(part.users) for part in parts):
        raise BadUsage(f"{source}: no row is left{_why_none(parts)}")
    columns = _joined(parts)
    order = np.argsort(columns.ts_ms, kind="stable")
    _remark(columns, order, say)
    return _events(found.name, columns, order[: reading.limit], reading.targets is not None)


def _tell_left_out(parts: Sequence[Part], say: Say) -> None:
    told: Counter[str] = Counter()
    for part in parts:
        told.update(part.left_out)
    if told:
        first = next(part.first_left_out for part in parts if part.left_out)
        reasons = ", ".join(f"{count} with {fault}" for fault, count in told.items())
        say(f"{told.total()} rows left out: {reasons}; the first is {first}")


def _why_none(parts: Sequence[Part]) -> str:
    if not any(part.matching for part in parts):
        return " by --positive"
    faults = dict.fromkeys(fault for part in parts for fault in part.left_out)
    needs = "; a rating needs --columns value=NAME" if RATING_FAULT in faults else ""
    return f": all have {' or '.join(faults)}{needs or '; --columns says which column is what'}"


@dataclass(frozen=True, slots=True)
class _Columns:
    """The events of all files, one after the other."""

    users: Codes
    user_names: list[str]
    items: Codes
    item_names: list[str]
    ts_ms: npt.NDArray[np.int64]
    types: npt.NDArray[np.int8]
    values: npt.NDArray[np.float64]
    targets: npt.NDArray[np.bool_]


def _joined(parts: Sequence[Part]) -> _Columns:
    users, user_names = _one_numbering([(part.users, part.user_names) for part in parts])
    items, item_names = _one_numbering([(part.items, part.item_names) for part in parts])
    return _Columns(
        users,
        user_names,
        items,
        item_names,
        np.concatenate([part.ts_ms for part in parts]),
        np.concatenate([part.types for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.targets for part in parts]),
    )


def _one_numbering(parts: Sequence[tuple[Codes, list[str]]]) -> tuple[Codes, list[str]]:
    if len(parts) == 1:
        return parts[0]
    known: dict[str, int] = {}
    renumbered = []
    for codes, names in parts:
        table = np.array([known.setdefault(name, len(known)) for name in names], np.int32)
        renumbered.append(table[codes] if len(codes) else codes)
    return np.concatenate(renumbered), list(known)


def _remark(columns: _Columns, order: npt.NDArray[np.intp], say: Say) -> None:
    """Say what makes a file odd: it is read all the same."""
    count = len(order)
    if count < 2:
        return
    ts_ms = columns.ts_ms
    if ts_ms[order[0]] == ts_ms[order[-1]]:
        say(f"all {count} events have one ts: the order of the rows is taken for that of time")
    if (columns.users == columns.users[0]).all():
        say(f"all {count} events are of one user: there is nobody else to learn from")
    if (columns.items == columns.items[0]).all():
        say(f"all {count} events are of one item: there is nothing to rank")
    repeats = _repeats(columns, order)
    if repeats:
        say(f"rows with the user, item, type and ts of another: {repeats}; each counts")


def _repeats(columns: _Columns, order: npt.NDArray[np.intp]) -> int:
    """Return how many events have the user, item, type and ts of another before them."""
    after = np.diff(columns.ts_ms[order]) == 0
    alike = order[np.append(after, False) | np.append(False, after)]
    pairs = columns.users[alike].astype(np.int64) * len(columns.item_names) + columns.items[alike]
    pairs = pairs * len(EVENT_TYPES) + columns.types[alike]
    sorted_ = np.lexsort((pairs, columns.ts_ms[alike]))
    same = np.diff(columns.ts_ms[alike][sorted_]) == 0
    same &= np.diff(pairs[sorted_]) == 0
    return int(same.sum())


def _events(name: str, columns: _Columns, rows: npt.NDArray[np.intp], chosen: bool) -> EventTable:
    """Return rows as lists whose equal entries are one object: 20 million take 1.5 GB, not 6."""
    values = coded(pa.chunked_array([columns.values[rows]]))
    return EventTable(
        name=name,
        users=_spread(columns.user_names, columns.users[rows]),
        items=_spread(columns.item_names, columns.items[rows]),
        ts_ms=columns.ts_ms[rows].tolist(),
        types=_spread(EVENT_TYPES, columns.types[rows]),
        values=_spread([as_number(value) or 0.0 for value in values.distinct()], values.codes),
        targets=columns.targets[rows].tolist() if chosen else None,
    )


def _spread(entries: Sequence[T], codes: npt.NDArray[np.integer]) -> list[T]:
    spread: list[T] = np.array(entries, object)[codes].tolist()
    return spread
