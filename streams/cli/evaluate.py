"""`millstream evaluate`: what the ranking is worth, on your own data."""

import click
from rich.console import Console
from rich.table import Table

from millstream.streams.assembly import warm_up
from millstream.streams.cli.options import json_option, print_json, settings_options
from millstream.streams.cli.progress import progress, say
from millstream.streams.cli.reading import reading_options
from millstream.streams.collector import calm_collector
from millstream.streams.datasets import Reading, read_events
from millstream.streams.evaluate import Evaluation, evaluate
from millstream.streams.machine import machine
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import with_setting


@click.command()
@click.argument("source", metavar="DATASET|FILE")
@reading_options
@click.option("--every", type=click.IntRange(1), default=1, help="Score every Nth event only.")
@click.option("--seed", type=int, default=0, help="Of the random choice among ties.")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Try a setting.")
@settings_options
@json_option
def command(
    settings: Settings,
    reading: Reading,
    source: str,
    every: int,
    seed: int,
    changes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Replay a data set through the production cores; each event is ranked, then learnt.

    Recall and reciprocal rank are over the whole catalogue, ties at random, nothing sampled. The
    fused list's rank is taken among what production would have listed, outside is a miss.

    \b
    Example:
      millstream evaluate movielens-100k --positive 'value>=4' --json
      millstream evaluate clicks.csv --columns user=session,item=sku,ts=time --set sr.weight=2
    """
    for change in changes:
        key, _, value = change.partition("=")
        settings = with_setting(settings, key, value, f"--set {change}")
    table = read_events(source, reading, settings.data_path, say)
    warm_up(settings)
    calm_collector()
    with progress("evaluating", len(table)) as tick:
        found = evaluate(table, settings, every=every, seed=seed, progress=tick)
    if as_json:
        print_json(_answer(source, found))
    else:
        _show(source, found)


def _answer(source: str, found: Evaluation) -> dict[str, object]:
    return {
        "dataset": source,
        "events": found.events,
        "scored": found.scored,
        "fused": found.figures("fused"),
        "sources": {name: found.figures(name) for name in found.ranks if name != "fused"},
        "us_per_event": found.us_per_event,
        "machine": machine(),
    }


def _show(source: str, found: Evaluation) -> None:
    table = Table("", "recall@10", "mrr@20", title=f"{source}: {found.scored} events scored")
    for name in found.ranks:
        figures = found.figures(name)
        table.add_row(name, f"{figures['recall@10']:.4f}", f"{figures['mrr@20']:.4f}")
    console = Console()
    console.print(table)
    console.print(f"{found.us_per_event} µs an event to retrieve, score and learn; {machine()}")
