"""The lists that people would have had, through Kafka and Redis, against evaluate's figure.

python benchmarks/live_equals_replay.py [--json]

Each event waits until its person's list has taken in the one before; then that list is read from
Redis, and the event is a hit if its item is among the first ten. `evaluate` over the same events
ranks them by the same rule, with an item side that is never behind.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, too

from benchmarks.orders import part, positives
from benchmarks.paired import paired
from benchmarks.report import answer, parser
from benchmarks.rig import BenchmarkFailed, Rig, rig, say, servers
from millstream.models.interaction import decode_batch
from millstream.streams.assembly import warm_up
from millstream.streams.datasets import EventTable
from millstream.streams.evaluate import evaluate
from millstream.streams.evaluation import RECALL_AT
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

    hits: dict[int, bool] = field(default_factory=dict)
    lists: list[Used] = field(default_factory=list)
    without_list: int = 0
    sent: int = 0
    asked: dict[str, int] = field(default_factory=dict)  # user -> events sent at their last one


def scored_rows(table: EventTable) -> list[int]:
    """Return the rows that evaluate ranks: their user has been there, the item is new to them."""
    met: dict[str, set[str]] = {}
    rows = []
    for row, (user, item) in enumerate(zip(table.users, table.items, strict=True)):
        known = met.setdefault(user, set())
        if known and item not in known:
            rows.append(row)
        known.add(item)
    return rows


def live(bench: Rig, table: EventTable, rate: float | None) -> dict[str, Any]:
    """Publish the events as people would, and return what their lists were worth."""
    scored, seen = set(scored_rows(table)), Seen()

    def look(rows: Sequence[int]) -> None:
        listings = bench.store.listings([table.users[row] for row in rows])
        for row, stored in zip(rows, listings, strict=True):
            if row not in scored:
                continue
            seen.hits[row] = False
            if stored is None:
                seen.without_list += 1
                continue
            listing = decode_listing(stored)
            first = [entry.item for entry in listing.items[:RECALL_AT]]
            seen.hits[row] = table.items[row] in first
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
    return {
        "hits": [seen.hits[row] for row in sorted(seen.hits)],
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


def compare(bench: Rig, table: EventTable, rate: float | None) -> dict[str, object]:
    """Return live's figure beside evaluate's, over the same events with the same settings."""
    found = live(bench, table, rate)
    bench.stop()  # both cores are evaluate's from here
    say("the same events through evaluate")
    warm_up(bench.settings)
    ranks = evaluate(table, bench.settings).ranks["fused"]
    hits = found.pop("hits")
    if len(ranks) != len(hits):
        raise BenchmarkFailed(f"evaluate scored {len(ranks)} events and live {len(hits)}")
    users = [table.users[row] for row in scored_rows(table)]
    pair = paired(users, hits, [rank <= RECALL_AT for rank in ranks])
    return {
        "events": len(table),
        "scored": pair.scored,
        "live": {"recall@10": round(pair.first, 5), **found},
        "evaluate": {"recall@10": round(pair.second, 5)},
        "live_minus_evaluate": pair.answer(),
        "within_2_percent": abs(pair.ratio - 1.0) <= CLOSE,
    }


def main() -> int:
    """Replay live, evaluate, and print both."""
    flags = parser((__doc__ or "").splitlines()[0], orders=False)
    flags.add_argument("--limit", type=int, help="so many events, the earliest; default: all")
    flags.add_argument("--rate", type=float, help="events a second at most; default: as lists come")
    given = flags.parse_args()

    def measure() -> dict[str, object]:
        table = positives(given.events, load_settings().data_path)
        table = part(table, 0, given.limit or (QUICK if given.quick else len(table)))
        with (
            servers(given.kafka, given.redis) as at,
            rig(at, ["recommend", "learn"]) as bench,
        ):
            say(f"live: {len(table)} events, each after its person's list")
            return compare(bench, table, given.rate)

    return answer("live_equals_replay", measure, _tables, given.json)


def _tables(found: Mapping[str, Any]) -> list[Table]:
    one, two, pair = found["live"], found["evaluate"], found["live_minus_evaluate"]
    low, high = pair["ci95"]
    table = Table("", "", title=f"Live and replay: {found['scored']} events scored")
    table.add_row("Recall@10, live", f"{one['recall@10']:.4f}")
    table.add_row("Recall@10, evaluate", f"{two['recall@10']:.4f}")
    table.add_row("live / evaluate", str(pair["ratio"]))
    table.add_row(
        "live − evaluate", f"{pair['difference']:+.4f} ({low:+.4f} to {high:+.4f}, by user)"
    )
    table.add_row("hits of one only", f"live {pair['only_first']}, evaluate {pair['only_second']}")
    table.add_row("events a second, live", f"{one['events_per_second']:,.0f}")
    for name in ("model_behind_events", "list_age_events"):
        percentiles = ", ".join(f"{p} {events}" for p, events in one[name].items())
        table.add_row(name.replace("_", " "), percentiles)
    table.add_row("lists that did not come in time", str(one["unanswered"]))
    table.add_row("events without any list", str(one["without_list"]))
    return [table]


if __name__ == "__main__":
    sys.exit(main())
