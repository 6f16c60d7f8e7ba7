"""`millstream demo`: everything in one, on real data."""

import sys
import time
from collections import deque

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from millstream.streams.audit import audit
from millstream.streams.catalogue_table import read_items
from millstream.streams.cli.options import embedded_option, print_json, settings_options
from millstream.streams.cli.progress import say
from millstream.streams.datasets import Reading, read_events
from millstream.streams.demo import Answered, Demo
from millstream.streams.demo_settings import with_own_namespace
from millstream.streams.demo_world import World, embedded_world, real_world
from millstream.streams.errors import FoundWrong
from millstream.streams.log import Message
from millstream.streams.logs import configure_logging
from millstream.streams.movielens import DATASETS
from millstream.streams.reader import read_list, titles
from millstream.streams.settings import Settings

DATASET = "movielens-100k"
LIST_SHOWN = 8
REFRESH_S = 0.2


@click.command()
@click.option("--history", default=10_000, show_default=True, help="Events at full speed first.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    help="Events in all; default 11,000, or all of them on a terminal.",
)
@click.option("--rate", default=100.0, show_default=True, help="Live events a second.")
@click.option("--persons", default=3, show_default=True, help="How many persons' lists to show.")
@embedded_option
@settings_options
def command(
    settings: Settings,
    history: int,
    limit: int | None,
    rate: float,
    persons: int,
    embedded: bool,
) -> int:
    """Show lists that change with every click, on MovieLens 100K, Kafka and Redis.

    Starts a local stack if none is given or running, and the workers; ends what it started.
    Without a terminal it plays 11,000 events, audits all of it, and ends with one line of JSON.
    Topics and keys are its own unless topics.namespace is set: what is there already stays.

    \b
    Example:
      millstream demo
      millstream demo --embedded --rate 20
    """
    terminal = sys.stdout.isatty()
    configure_logging("WARNING")
    wanted = limit or (None if terminal else 11_000)
    reading = Reading(positive="value>=4", limit=wanted)
    table = read_events(DATASET, reading, settings.data_path, say)
    say(DATASETS[DATASET].terms)
    world_of = embedded_world if embedded else real_world
    settings = with_own_namespace(settings)
    say(f"topics are called {settings.topics.name('clicks')} and so on")
    with world_of(settings, say) as world:
        _load_items(world)
        history = min(history, len(table) * 9 // 10)
        demo = Demo(world.settings, world.log, world.store, world.workers, table, history, rate)
        if terminal:
            _show(demo, world, persons)
        else:
            demo.play_history()
            for _ in demo.play_live():
                pass
        demo.settle()
        say("auditing")
        found = audit(world.settings, world.log, world.store, world.snapshots)
        if found.waiting:
            raise FoundWrong(f"{found.waiting} events are still waiting")
        summary = {
            "events": len(table),
            "lists": found.lists,
            **demo.figures(),
            "audit": found.as_json(),
            "kafka": world.kafka,
            "redis": world.redis,
        }
    print_json(summary)
    return 0 if found.clean else 1


def _load_items(world: World) -> None:
    topic = world.settings.topics.name("items")
    for item in read_items(DATASET, {}, world.settings.data_path):
        world.log.send(topic, Message(item.item.encode(), item.value))
    world.log.flush()


def _show(demo: Demo, world: World, persons: int) -> None:
    """Play on the terminal until the table ends or Ctrl-C."""
    console = Console()
    with console.status("history") as status:
        demo.tick = lambda what, done, of: status.update(f"{what}: {done:,} of {of:,} events")
        demo.play_history()
    say(f"history: {demo.events_per_second:,.0f} events/s; live from here, Ctrl-C ends it")
    shown = demo.persons(persons)
    last: deque[Answered] = deque(maxlen=200)
    began = time.monotonic()
    try:
        with Live(console=console, auto_refresh=False) as live:
            drawn = 0.0
            for answered in demo.play_live():
                last.append(answered)
                now = time.monotonic()
                if answered.user in shown or now - drawn > REFRESH_S:
                    rate = len(demo.list_ms) / (now - began)
                    live.update(_picture(world, shown, last, rate), refresh=True)
                    drawn = now
    except KeyboardInterrupt:
        say("stopped; settling and auditing what was played")


def _picture(world: World, shown: list[str], last: "deque[Answered]", rate: float) -> Group:
    waits = sorted(answered.list_ms for answered in last)
    newest = last[-1]
    title = titles(world.store, [newest.item]).get(newest.item, newest.item)
    head = Text(
        f"{rate:,.0f} events/s   event → list p50 {waits[len(waits) // 2]:.1f} ms   "
        f"now: person {newest.user} clicked {title} → list after {newest.list_ms:.1f} ms"
    )
    table = Table(expand=True)
    for user in shown:
        marked = f"[bold green]person {user}[/]" if user == newest.user else f"person {user}"
        table.add_column(marked, ratio=1)
    columns = []
    for user in shown:
        entries = read_list(world.store, user, LIST_SHOWN).items
        columns.append(
            [
                Text.assemble(
                    entry.title or entry.item,
                    (f"  {entry.why()}", "dim"),
                )
                for entry in entries
            ]
        )
    for row in range(LIST_SHOWN):
        table.add_row(*(column[row] if row < len(column) else "" for column in columns))
    return Group(head, table)
