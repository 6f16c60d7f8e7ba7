"""The lists that people would have had, through Kafka and Redis, against evaluate's figure.

python benchmarks/live_equals_replay.py [--json]

Each event waits until its person's list has taken in the one before; then that list is read from
Redis, and the event is a hit if its item is among the first ten. `evaluate` over the same events
ranks them by the same rule, with an item side that is never behind; it says which are scored.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, too

from benchmarks.orders import part, positives
from benchmarks.report import answer, parser
from benchmarks.rig import Rig, patiently, rig, say, servers
from millstream.models.interaction import decode_batch
from millstream.streams.assembly import warm_up
from millstream.streams.compare import Comparison, compare_ranks
from millstream.streams.datasets import EventTable
from millstream.streams.evaluate import Plan, evaluate
from millstream.streams.evaluation import FUSED, MISS, Evaluation
from millstream.streams.listing import decode_listing
from millstream.streams.replay import ANSWER_S, Replay, new_run
from millstream.streams.settings_reader import load_settings

QUICK: Final = 800
TELL_EVERY: Final = 5_000
CLOSE: Final = 0.02
"""Live is to be within this of evaluate."""


class Used(NamedTuple):
    """A list that somebody chose from: events sent when it was asked for and used; its model."""

    asked: int
    used: int
    model: int


@dataclass(slots=True)
class Seen:
    """What people saw when they chose, by row of the table."""

    ranks: dict[int, int] = field(default_factory=dict)
    lists: list[Used] = field(default_factory=list)
    without_list: int = 0
    sent: int = 0
    asked: dict[str, int] = field(default_factory=dict)  # user -> events sent at their last one


def live(
    bench: Rig, table: EventTable, places: Sequence[int], rate: float | None
) -> tuple[list[int], dict[str, Any]]:
    """Publish the events as people would; return where the `places` stood, and what it was like."""
    scored, seen = set(places), Seen()

    def look(rows: Sequence[int]) -> None:
        users = [table.users[row] for row in rows]
        listings = patiently(lambda: bench.store.listings(users))
        for row, stored in zip(rows, listings, strict=True):
            if row not in scored:
                continue
            seen.ranks[row] = MISS
            if stored is None:
                seen.without_list += 1
                continue
            listing = decode_listing(stored)
            items = [entry.item for entry in listing.items]
            if table.items[row] in items:
                seen.ranks[row] = items.index(table.items[row]) + 1
            seen.lists.append(Used(seen.asked[table.users[row]], seen.sent, listing.model))
        for row in rows:
            seen.sent += 1
            seen.asked[table.users[row]] = seen.sent

    def tick(sent: int) -> None:
        bench.check()
        if sent // TELL_EVERY > told[-1]:
            told.append(sent // TELL_EVERY)
            say(f"live: {sent} of {len(table)} events")

    told = [0]
    # A short name: of an id above 24 bytes profiles keep a hash, and events of one second, half of
    # MovieLens, would stand in its order. That alone costs 1.4 %.
    run = new_run(time.time_ns() // 1_000_000)
    replay = Replay(bench.log, bench.settings, run, rate, tick)
    done = replay.publish_faithfully(table, bench.store, ANSWER_S, look)
    return [seen.ranks[row] for row in places], {
        "events_per_second": done.events_per_second,
        "unanswered": done.unanswered,
        "without_list": seen.without_list,
        **_ages(bench, seen.lists),
    }


def _ages(bench: Rig, lists: Sequence[Used]) -> dict[str, dict[str, int]]:
    """Return, in events, how old lists were when used, and how far behind their item model was."""
    topic = bench.settings.topics.name("interactions")
    begin, end = bench.log.bounds(topic, 0)
    batches = [decode_batch(record.value) for record in bench.log.read(topic, 0, begin, end)]
    sizes = [len(batch.interactions) if batch else 0 for batch in batches]
    folded = list(accumulate(sizes, initial=0))  # a model's offset -> events it has learnt
    ages = {
        "model_behind_events": [one.asked - folded[one.model - begin] for one in lists],
        "list_age_events": [one.used - one.asked for one in lists],
    }
    return {
        name: {f"p{p}": round(float(np.percentile(events or [0], p))) for p in (50, 90, 99)}
        for name, events in ages.items()
    }


def compared(found: Evaluation, lived: Sequence[int], length: int) -> Comparison:
    """Return the lists that people had (b) against evaluate's (a), of `length` entries each."""
    ranks = np.array(found.ranks[FUSED], np.int32)
    listed = np.where(ranks <= length, ranks, MISS).astype(np.int32)
    users = np.array(found.scored_events.users, np.int32)
    return compare_ranks(listed, np.array(lived, np.int32), users)


def main() -> int:
    """Replay live, evaluate, and print both."""
    flags = parser((__doc__ or "").splitlines()[0], orders=False)
    flags.add_argument("--limit", type=int, help="so many events, the earliest; default: all")
    flags.add_argument("--rate", type=float, help="events a second at most; default: as lists come")
    given = flags.parse_args()

    def measure() -> dict[str, object]:
        table = positives(given.events, load_settings().data_path)
        table = part(table, 0, given.limit or (QUICK if given.quick else len(table)))
        say(f"{len(table)} events through evaluate")
        settings = load_settings()
        warm_up(settings)
        found = evaluate(table, settings, Plan(sources=False))
        with (
            servers(given.kafka, given.redis) as at,
            rig(at, ["recommend", "learn"]) as bench,
        ):
            say("live: the same, each after its person's list")
            lived, so = live(bench, table, found.scored_events.places, given.rate)
            pair = compared(found, lived, bench.settings.list.length)
        ratio = pair.recall.b / pair.recall.a if pair.recall.a else None
        return {
            "events": len(table),
            "scored": pair.scored,
            "live": {"recall@10": pair.recall.b, **so},
            "evaluate": {"recall@10": pair.recall.a},
            "live_minus_evaluate": msgspec.to_builtins(pair),
            "ratio": None if ratio is None else round(ratio, 4),
            "within_2_percent": ratio is not None and abs(ratio - 1.0) <= CLOSE,
        }

    return answer("live_equals_replay", measure, _tables, given.json)


def _tables(found: Mapping[str, Any]) -> list[Table]:
    one, two, pair = found["live"], found["evaluate"], found["live_minus_evaluate"]
    recall = pair["recall@10"]
    low, high = recall["ci95"]
    table = Table("", "", title=f"Live and replay: {found['scored']} events scored")
    table.add_row("Recall@10, live", f"{one['recall@10']:.4f}")
    table.add_row("Recall@10, evaluate", f"{two['recall@10']:.4f}")
    table.add_row("live / evaluate", str(found["ratio"]))
    table.add_row(
        "live − evaluate", f"{recall['difference']:+.4f} ({low:+.4f} to {high:+.4f}, by user)"
    )
    table.add_row("hits of one only", f"live {pair['only_b_hit']}, evaluate {pair['only_a_hit']}")
    table.add_row("events a second, live", f"{one['events_per_second']:,.0f}")
    for name in ("model_behind_events", "list_age_events"):
        percentiles = ", ".join(f"{p} {events}" for p, events in one[name].items())
        table.add_row(name.replace("_", " "), percentiles)
    table.add_row("lists that did not come in time", str(one["unanswered"]))
    table.add_row("events without any list", str(one["without_list"]))
    return [table]


if __name__ == "__main__":
    sys.exit(main())
