"""A bare Faust app that takes events and does nothing: what Faust leaves to whoever builds on it.

python benchmarks/faust_alone.py [--json]
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import faust
import uvloop
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, too

from benchmarks.orders import COPIES, in_order, positives
from benchmarks.report import answer, parser
from benchmarks.rig import BenchmarkFailed, rig, say, servers
from millstream.streams.settings import EVENT_ROLES, Settings
from millstream.streams.settings_reader import load_settings

COUNT: Final = "--count"
EVENTS: Final = 60_000
ALONE_S: Final = 300.0


def faust_alone(settings: Settings, events: int) -> dict[str, float]:
    """Return what a bare app in a process of its own does with the events in the topics."""
    given = {
        "kafka": settings.kafka.bootstrap,
        "topics": [settings.topics.name(role) for role in EVENT_ROLES],
        "batch_max": settings.worker.batch_max,
        "within_s": 0.005,
        "events": events,
        "datadir": str(settings.data_path / "faust"),
    }
    command = [sys.executable, __file__, COUNT, json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=ALONE_S, check=False)
    if done.returncode:
        raise BenchmarkFailed(f"the bare Faust app failed: {done.stderr.strip()[-300:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


async def _count(given: Mapping[str, Any]) -> dict[str, float]:
    """Count events as RECOMMEND takes them, with the same settings of Faust, and drop them."""
    app = faust.App(
        f"alone-{os.getpid()}-{time.time_ns()}",
        broker=f"kafka://{given['kafka']}",
        autodiscover=False,
        web_enabled=False,
        store="memory://",
        datadir=given["datadir"],
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=given["batch_max"],
        stream_buffer_maxsize=2_000,
        stream_wait_empty=False,
        worker_redirect_stdouts=False,
        value_serializer="raw",
        key_serializer="raw",
    )
    topic = app.topic(*given["topics"], key_type=bytes, value_type=bytes)
    ended = asyncio.get_running_loop().create_future()
    counted = first = 0
    began_s = began_cpu_s = 0.0

    @app.agent(topic, name="alone")
    async def count(stream: Any) -> None:
        nonlocal counted, first, began_s, began_cpu_s
        async for events in stream.take_events(given["batch_max"], given["within_s"]):
            if not counted:
                began_s, began_cpu_s, first = time.monotonic(), time.process_time(), len(events)
            counted += len(events)
            if counted >= given["events"] and not ended.done():
                ended.set_result((time.monotonic() - began_s, time.process_time() - began_cpu_s))

    await app.start()
    seconds, cpu_s = await ended
    await app.stop()
    events = counted - first
    return {
        "events": counted,
        "events_per_second": round(events / max(seconds, 1e-9), 1),
        "cpu_us_per_event": round(cpu_s / max(events, 1) * 1e6, 1),
    }


def main() -> int:
    """Publish events, let the bare app take them, and print how fast it was."""
    if sys.argv[1:2] == [COUNT]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(_count(json.loads(sys.argv[2])))))
        return 0
    flags = parser((__doc__ or "").splitlines()[0]).parse_args()
    count = 4_000 if flags.quick else EVENTS

    def measure() -> dict[str, object]:
        table = positives(flags.events, load_settings().data_path)
        found: dict[str, object] = {}
        with servers(flags.kafka, flags.redis) as at:
            for order in flags.orders or ["spread"]:
                with rig(at, []) as bare:
                    events = in_order(order, table, count)
                    bare.publish(events)
                    say(f"faust alone: {len(events)} events, {order}")
                    found[order] = faust_alone(bare.settings, len(events))
        return {"copies_of_each_person": COPIES, "orders": found}

    return answer("faust_alone", measure, _tables, flags.json)


def _tables(found: Mapping[str, Any]) -> list[Table]:
    table = Table("order", "events/s", "CPU µs an event", title="Faust alone")
    for order, figures in found["orders"].items():
        table.add_row(
            order, f"{figures['events_per_second']:,.0f}", f"{figures['cpu_us_per_event']:.0f}"
        )
    return [table]


if __name__ == "__main__":
    sys.exit(main())
