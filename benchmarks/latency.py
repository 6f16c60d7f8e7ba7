"""From a producer's send to a reader's GET that sees it in the person's list, at given rates.

python benchmarks/latency.py [--json]
"""

import queue
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from kafka import KafkaProducer
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, too

from benchmarks.orders import COPIES, Order, in_order, part, positives
from benchmarks.processes import between, stage_sums
from benchmarks.reader import Reader, Sent
from benchmarks.report import answer, parser
from benchmarks.rig import Rig, Servers, rig, say, servers
from millstream.streams.datasets import EventTable
from millstream.streams.replay import Replay
from millstream.streams.settings_reader import load_settings

HISTORY: Final[Mapping[Order, int]] = {"ml100k": 20_000, "spread": 120_000}
"""Events applied before: a model that has learnt, and 20 events of everybody in `spread`."""
RATES: Final = (100, 1_000)
SECONDS: Final = 20
LEAD_S: Final = 2
"""Seconds at the rate before those that are measured."""
FOLLOWED_PER_S: Final = 200
"""So many events a second are looked for; looking for all would cost what is measured."""


def measure_order(
    at: Servers, table: EventTable, order: Order, history: int, rates: list[int], seconds: int
) -> dict[str, object]:
    """Return the figures of one order, by rate."""
    counts = [rate * (seconds + LEAD_S) for rate in rates]
    events = in_order(order, table, history + sum(counts))
    found: dict[str, object] = {}
    with rig(at, ["recommend", "learn"]) as bench:
        say(f"latency, {order}: {history} events of history")
        bench.publish(part(events, 0, history))
        bench.settle()
        start = history
        for rate, count in zip(rates, counts, strict=True):
            say(f"latency, {order}: {rate} events a second for {seconds} s")
            found[str(rate)] = measure_rate(bench, part(events, start, start + count), rate)
            bench.settle()
            start += count
    return {"history": history, "rates": found}


def measure_rate(bench: Rig, table: EventTable, rate: int) -> dict[str, object]:
    """Return percentiles of one rate, with the worker's own stages and every process's cost."""
    reader = Reader(bench.settings).start()
    begin = bench.reading()
    achieved = play(bench, table, rate, reader)
    seen = reader.close()
    costs = between(begin, bench.reading())
    milliseconds = np.array(seen.latencies_ms or [np.nan])
    p50, p90, p99 = np.percentile(milliseconds, [50, 90, 99])
    return {
        "followed": len(seen.latencies_ms),
        "unanswered": seen.unanswered,
        "events_per_second": round(achieved, 1),
        "p50_ms": round(float(p50), 2),
        "p90_ms": round(float(p90), 2),
        "p99_ms": round(float(p99), 2),
        "max_ms": round(float(milliseconds.max()), 2),
        "events_per_batch": costs["events_per_batch"],
        "stages_ms_per_batch": _stages(begin.recommend, bench.reading().recommend),
        "processes": costs["processes"],
    }


def play(bench: Rig, table: EventTable, rate: int, reader: Reader) -> float:
    """Send events at a rate and tell the reader of those that are followed; return the rate had."""
    producer = KafkaProducer(
        bootstrap_servers=bench.settings.kafka.bootstrap,
        acks="all",
        linger_ms=0,
        max_in_flight_requests_per_connection=1,
    )
    replay = Replay(bench.log, bench.settings, f"live-{rate}-{time.time_ns()}")
    every = max(1, rate // FOLLOWED_PER_S)
    acknowledged: queue.SimpleQueue[Sent] = queue.SimpleQueue()

    def note(user: str, role: str, sent_ns: int, at: Any) -> None:
        acknowledged.put(Sent(user, f"{role}-{at.partition}", at.offset, sent_ns))

    began = time.monotonic()
    for row in range(len(table)):
        role, message = replay.message(table, row)
        while (ahead := row / rate - (time.monotonic() - began)) > 0:
            _tell(reader, acknowledged)
            time.sleep(min(ahead, 0.001))
        sent_ns = time.monotonic_ns()
        future = producer.send(
            bench.settings.topics.name(role), key=message.key, value=message.value
        )
        if row % every == 0 and row >= LEAD_S * rate:
            future.add_callback(partial(note, table.users[row], role, sent_ns))
    seconds = time.monotonic() - began
    producer.flush()
    _tell(reader, acknowledged)
    producer.close()
    return len(table) / seconds


def _tell(reader: Reader, acknowledged: "queue.SimpleQueue[Sent]") -> None:
    while not acknowledged.empty():
        reader.follow(acknowledged.get())


def _stages(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    was, means = stage_sums(before), {}
    for stage, (seconds, batches) in stage_sums(after).items():
        means[stage] = (seconds - was[stage][0]) / max(batches - was[stage][1], 1)
    return {stage: round(1000 * mean, 3) for stage, mean in means.items()}


def main() -> int:
    """Measure the orders and print what was found."""
    flags = parser((__doc__ or "").splitlines()[0])
    flags.add_argument("--history", type=int, help="events applied before")
    flags.add_argument("--rate", type=int, action="append", dest="rates", help="events a second")
    flags.add_argument("--seconds", type=int, default=SECONDS, help="of each rate")
    given = flags.parse_args()

    def measure() -> dict[str, object]:
        table = positives(given.events, load_settings().data_path)
        found: dict[str, object] = {}
        rates = [100] if given.quick else given.rates or list(RATES)
        seconds = 2 if given.quick else given.seconds
        with servers(given.kafka, given.redis) as at:
            for order in given.orders or list(HISTORY):
                history = 500 if given.quick else given.history or HISTORY[order]
                found[order] = measure_order(at, table, order, history, rates, seconds)
        return {"copies_of_each_person": COPIES, "orders": found}

    return answer("latency", measure, _tables, given.json)


def _tables(found: Mapping[str, Any]) -> list[Table]:
    table = Table(
        "order", "events/s", "p50", "p90", "p99", "max", "unanswered", "events a batch",
        title="Event → list in Redis, ms",
    )  # fmt: skip
    stages = Table("order", "events/s", title="The worker's stages: ms of a batch")
    measured = [
        (order, rate, figures)
        for order, of_order in found["orders"].items()
        for rate, figures in of_order["rates"].items()
    ]
    for stage in measured[0][2]["stages_ms_per_batch"]:
        stages.add_column(stage)
    for order, rate, figures in measured:
        percentiles = [f"{figures[f'{name}_ms']:.1f}" for name in ("p50", "p90", "p99", "max")]
        counts = [str(figures["unanswered"]), f"{figures['events_per_batch']:.1f}"]
        table.add_row(order, rate, *percentiles, *counts)
        means = figures["stages_ms_per_batch"].values()
        stages.add_row(order, rate, *(f"{ms:.2f}" for ms in means))
    return [table, stages]


if __name__ == "__main__":
    sys.exit(main())
