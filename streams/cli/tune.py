"""`millstream tune`: which settings suit your data, and whether that is more than chance."""

import time
from collections.abc import Callable
from dataclasses import replace

import click
import msgspec

from millstream.streams.assembly import warm_up
from millstream.streams.cli.evaluate_options import (
    changed,
    changes_option,
    described,
    item_columns_option,
    items_option,
    targets_option,
)
from millstream.streams.cli.evaluate_tables import show_tuned
from millstream.streams.cli.options import json_option, print_json, settings_options
from millstream.streams.cli.progress import progress, say
from millstream.streams.cli.reading import reading_options
from millstream.streams.collector import calm_collector
from millstream.streams.datasets import Reading, read_events
from millstream.streams.machine import machine
from millstream.streams.ranges import ranges_of
from millstream.streams.settings import Settings
from millstream.streams.tune import Search, Tuner

INTERRUPTED = 130


@click.command()
@click.argument("source", metavar="DATASET|FILE")
@reading_options
@targets_option
@items_option
@item_columns_option
@click.option("--trials", type=click.IntRange(1), default=40, show_default=True)
@click.option(
    "--budget",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Of search; the report on the rest comes after.",
)
@click.option(
    "--share",
    type=click.FloatRange(0.1, 0.9),
    default=0.6,
    show_default=True,
    help="Of the events, the first: what is searched on.",
)
@click.option("--every", type=click.IntRange(1), default=1, help="Score every Nth event only.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Of the search.")
@changes_option
@settings_options
@json_option
def command(
    settings: Settings,
    reading: Reading,
    source: str,
    targets: str | None,
    items: str | None,
    item_columns: str | None,
    trials: int,
    budget: float | None,
    share: float,
    every: int,
    seed: int,
    changes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Search settings on the first part of a data set; report on the rest, which no trial saw.

    Every trial is a replay as `evaluate` makes it; the figure is recall@10. Random draws come
    first, then one setting after another. Ctrl-C gives the best so far. What is printed at the
    end is TOML for your settings file, and whether the gain on the rest is more than noise.

    \b
    Example:
      millstream tune movielens-100k --positive 'value>=4' --trials 30 --every 3
      millstream tune clicks.csv --columns user=session,item=sku,ts=time --budget 600
    """
    settings = changed(settings, changes)
    table = read_events(source, replace(reading, targets=targets), settings.data_path, say)
    search = Search(trials, budget, share, every, seed)
    catalogue = described(settings, items, item_columns, table.items)
    tuner = Tuner(table, settings, ranges_of(settings), search, time.monotonic, items=catalogue)
    warm_up(settings)
    calm_collector()
    interrupted = False
    rest = None
    try:
        with progress("searching", trials) as tick:
            tuner.on_trial = _teller(tick)
            tuner.run()
        if tuner.changed:
            with progress("on the rest", 2 * len(table)) as tick:
                rest = tuner.rest(tick)
    except KeyboardInterrupt:
        interrupted = True
    answer = tuner.answer(rest)
    if as_json:
        told = {"dataset": source, "interrupted": interrupted, "machine": machine()}
        print_json({**told, **msgspec.structs.asdict(answer)})
    else:
        show_tuned(source, answer)
    if interrupted:
        click.get_current_context().exit(INTERRUPTED)


def _teller(tick: Callable[[int], None]) -> Callable[[Tuner], None]:
    """Return what hears of each trial: moves the bar, and says so when it was the best."""
    best = 0.0

    def tell(tuner: Tuner) -> None:
        nonlocal best
        tick(tuner.tried)
        if tuner.best > best and tuner.tried > 1:
            said = ", ".join(f"{key} = {value:g}" for key, value in tuner.changed.items())
            say(f"trial {tuner.tried}: recall@10 {tuner.best:.4f} with {said}")
        best = tuner.best

    return tell
