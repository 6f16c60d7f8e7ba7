"""Saturated: how fast one RECOMMEND, with LEARN beside it, works off a backlog, and on what.

python benchmarks/throughput.py [--json]
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, too

from benchmarks.faust_alone import faust_alone
from benchmarks.orders import COPIES, Order, in_order, part, positives
from benchmarks.processes import between
from benchmarks.report import answer, parser
from benchmarks.rig import QUIET_S, Servers, rig, say, servers
from millstream.streams.datasets import EventTable
from millstream.streams.settings_reader import load_settings

HISTORY: Final[Mapping[Order, int]] = {"ml100k": 12_000, "spread": 120_000}
"""Events applied before: ten seconds of people in order of time, or 20 events of everybody."""
BACKLOG: Final = 40_000
STEADY: Final = (0.15, 0.95)
"""The part of the backlog that is measured: caches are warm, and the work has not run out."""


def measure_order(
    at: Servers, table: EventTable, order: Order, history: int, backlog: int
) -> dict[str, object]:
    """Return the figures of one order, with Faust alone on the same topics."""
    events = in_order(order, table, history + backlog)
    history = len(events) - backlog
    with rig(at, ["recommend", "learn"]) as bench:
        say(f"throughput, {order}: {history} events of history")
        bench.publish(part(events, 0, history))
        bench.settle()
        bench.stop("recommend")
        bench.publish(part(events, history, len(events)))
        say(f"throughput, {order}: a backlog of {backlog} events")
        bench.start("recommend")
        first, last = (history + int(backlog * share) for share in STEADY)
        bench.wait(lambda: bench.applied() >= first, "the backlog to be begun", QUIET_S)
        begin = bench.reading()
        bench.wait(lambda: bench.applied() >= last, "the backlog to be worked off", QUIET_S)
        end = bench.reading()
        bench.stop()
        say(f"throughput, {order}: Faust alone on the same topics")
        alone = faust_alone(bench.settings, len(events))
    return {"history": history, "backlog": backlog, **between(begin, end), "faust_alone": alone}


def main() -> int:
    """Measure the orders and print what was found."""
    flags = parser((__doc__ or "").splitlines()[0])
    flags.add_argument("--history", type=int, help="events applied before")
    flags.add_argument("--backlog", type=int, default=BACKLOG, help="events worked off")
    given = flags.parse_args()

    def measure() -> dict[str, object]:
        table = positives(given.events, load_settings().data_path)
        found: dict[str, object] = {}
        with servers(given.kafka, given.redis) as at:
            for order in given.orders or list(HISTORY):
                history = 500 if given.quick else given.history or HISTORY[order]
                backlog = 6_000 if given.quick else given.backlog
                found[order] = measure_order(at, table, order, history, backlog)
        return {"copies_of_each_person": COPIES, "orders": found}

    return answer("throughput", measure, _tables, given.json)


def _tables(found: Mapping[str, Any]) -> list[Table]:
    orders: Mapping[str, Any] = found["orders"]
    rates = Table("", *orders, title="Saturated: one RECOMMEND, LEARN beside it")
    for name in ("events_per_second", "lists_per_second", "learnt_per_second", "events_per_batch"):
        rates.add_row(name.replace("_", " "), *(f"{o[name]:,.0f}" for o in orders.values()))
    rates.add_row("lists per event", *(f"{o['lists_per_event']:.2f}" for o in orders.values()))
    rates.add_row(
        "Faust alone, events per second",
        *(f"{o['faust_alone']['events_per_second']:,.0f}" for o in orders.values()),
    )
    stages = Table("stage", *orders, title="Where the time goes: µs of an event")
    for name in next(iter(orders.values()))["stages_us_per_event"]:
        stages.add_row(name, *(f"{o['stages_us_per_event'][name]:,.0f}" for o in orders.values()))
    costs = Table("process", *orders, title="CPU µs of an event, cores, peak memory in MB")
    for name in next(iter(orders.values()))["processes"]:
        costs.add_row(name, *(_cost(o["processes"].get(name)) for o in orders.values()))
    return [rates, stages, costs]


def _cost(process: Mapping[str, float] | None) -> str:
    if process is None:
        return ""
    cpu_us, cores, peak_mb = (process[name] for name in ("cpu_us_per_event", "cores", "peak_mb"))
    return f"{cpu_us:.0f} µs, {cores:.2f}, {peak_mb:.0f} MB"


if __name__ == "__main__":
    sys.exit(main())
