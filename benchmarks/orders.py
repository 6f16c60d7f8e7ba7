"""The order in which people come: it decides how many users share a micro-batch."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, Literal, get_args

from millstream.streams.datasets import EventTable, Reading, read_events

Order = Literal["ml100k", "spread"]
ORDERS: Final[tuple[Order, ...]] = get_args(Order)
DATASET: Final = "movielens-100k"
COPIES: Final = 8
START_MS: Final = 1_700_000_000_000


def positives(source: str, data_dir: Path) -> EventTable:
    """Return MovieLens 100K's ratings of 4 and 5 as clicks, in the order of time.

    `source` is the data set's name or a file of the same columns.
    """
    return read_events(source, Reading(positive="value>=4"), data_dir)


def in_order(order: Order, table: EventTable, count: int) -> EventTable:
    """Return the first `count` events of a table in one of the orders, or all that it has.

    `ml100k` is the order of time: a person's ratings come in one sitting, so a batch of 500
    holds about 20 people. `spread` is the worst case: every 500 events in a row, of the stream
    and of each of its partitions, are of 500 people. For that there are COPIES of each person,
    each with a name and a history of their own, and round r holds everybody's r-th event.
    """
    if order == "ml100k":
        rows = range(min(count, len(table)))
        return _taken(table, rows, [table.users[row] for row in rows], table.ts_ms)
    placed = list(islice(_rounds(table), count))
    # Rewritten, or a person's time would run backwards between two rounds.
    ts_ms = [START_MS + 1000 * n for n in range(len(placed))]
    users = [f"{table.users[row]}.{copy}" for copy, row in placed]
    return _taken(table, [row for _, row in placed], users, ts_ms)


def part(table: EventTable, start: int, stop: int) -> EventTable:
    """Return the events [start, stop) of a table."""
    cut = slice(start, stop)
    return EventTable(
        table.name,
        table.users[cut],
        table.items[cut],
        table.ts_ms[cut],
        table.types[cut],
        table.values[cut],
    )


def _rounds(table: EventTable) -> Iterator[tuple[int, int]]:
    """Yield (copy, row): everybody's first event, copy by copy, then everybody's second."""
    waiting: dict[str, list[int]] = {}
    for row, user in enumerate(table.users):
        waiting.setdefault(user, []).append(row)
    histories = list(waiting.values())
    for number in range(max(map(len, histories), default=0)):
        this_round = [rows[number] for rows in histories if number < len(rows)]
        for copy in range(COPIES):
            for row in this_round:
                yield copy, row


def _taken(
    table: EventTable, rows: range | list[int], users: list[str], ts_ms: list[int]
) -> EventTable:
    return EventTable(
        table.name,
        users,
        [table.items[row] for row in rows],
        ts_ms[: len(rows)],
        [table.types[row] for row in rows],
        [table.values[row] for row in rows],
    )
