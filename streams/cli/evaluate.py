"""`millstream evaluate`: what the ranking is worth, on your own data."""

from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import click

from millstream.streams.assembly import warm_up
from millstream.streams.cli.evaluate_options import (
    changed,
    changes_option,
    described,
    item_columns_option,
    items_option,
    targets_option,
)
from millstream.streams.cli.evaluate_tables import show_comparison, show_evaluation
from millstream.streams.cli.options import json_option, print_json, settings_options
from millstream.streams.cli.progress import progress, say
from millstream.streams.cli.reading import reading_options
from millstream.streams.collector import calm_collector
from millstream.streams.compare import compare
from millstream.streams.datasets import Reading, read_events
from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.evaluate import BATCH, PROTOCOLS, Plan, evaluate
from millstream.streams.evaluation_json import Asked, as_json_answer
from millstream.streams.machine import machine
from millstream.streams.outcome import read_answer
from millstream.streams.report import write_report
from millstream.streams.settings import Settings

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("source", metavar="DATASET|FILE", required=False)
@reading_options
@targets_option
@items_option
@item_columns_option
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default=PROTOCOLS[0],
    show_default=True,
    help="Each event before it is learnt, or each person's last after all else is learnt.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=BATCH,
    show_default=True,
    help="Events of a micro-batch, ranked before any is learnt, as in a worker; 1: one by one.",
)
@click.option("--every", type=click.IntRange(1), default=1, help="Score every Nth event only.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    help="Of the choice among ties, and of a comparison's chance.",
)
@click.option("--no-sources", is_flag=True, help="Rank the fused list only: half the time.")
@changes_option
@click.option("--report", type=PATH, metavar="FILE.html", help="Write one page with plots.")
@click.option(
    "--compare",
    "compared",
    nargs=2,
    type=PATH,
    metavar="A.json B.json",
    help="Hold two answers of --json against each other.",
)
@settings_options
@json_option
def command(
    settings: Settings,
    reading: Reading,
    source: str | None,
    targets: str | None,
    items: str | None,
    item_columns: str | None,
    protocol: str,
    batch: int,
    every: int,
    seed: int,
    no_sources: bool,
    changes: tuple[str, ...],
    report: Path | None,
    compared: tuple[Path, Path] | None,
    as_json: bool,
) -> None:
    """Replay a data set through the production cores; each event is ranked, then learnt.

    Recall and reciprocal rank are over the whole catalogue, ties at random, nothing sampled. The
    fused list's rank is taken among what production would have listed, outside is a miss. The
    95 % intervals are clustered by person.

    The JSON holds the rank of every scored event, packed (70 KB for 54,000 of them), so that two
    such answers can be compared.

    \b
    Example:
      millstream evaluate movielens-100k --positive 'value>=4' --json > a.json
      millstream evaluate movielens-100k --positive 'value>=4' --set pairs.width=128 --json > b.json
      millstream evaluate --compare a.json b.json
      millstream evaluate movielens-100k --targets 'value>=4' --report graded.html
      millstream evaluate clicks.csv --columns user=session,item=sku,ts=time --limit 50000
      millstream evaluate clicks.csv --items goods.csv --item-columns item=sku,image=photo
    """
    if compared is not None:
        if source is not None or report is not None:
            raise BadUsage("--compare takes two answers and nothing else: no data set, no --report")
        result = compare(read_answer(compared[0]), read_answer(compared[1]), seed)
        if as_json:
            print_json(result)
        else:
            show_comparison(str(compared[0]), str(compared[1]), result)
        return
    if source is None:
        raise BadUsage("name a data set or a file, or two answers with --compare")
    if report is not None:
        _check_writable(report)
    settings = changed(settings, changes)
    asked = Asked(
        protocol,
        batch,
        every,
        seed,
        reading.positive,
        targets,
        reading.limit,
        list(changes),
        items,
        item_columns,
    )
    table = read_events(source, replace(reading, targets=targets), settings.data_path, say)
    catalogue = described(settings, items, item_columns, table.items)
    warm_up(settings)
    calm_collector()
    plan = Plan(
        cast(Literal["prequential", "leave-last-out"], protocol),
        every,
        seed=seed,
        batch=batch,
        sources=not no_sources,
        lists=as_json or report is not None,
    )
    with progress("evaluating", len(table)) as tick:
        found = evaluate(table, settings, plan, progress=tick, items=catalogue)
    if not found.scored:
        say(
            "nothing was scored: no event had an earlier one of its person and an item that was "
            "new to them; are user and item the right columns?"
        )
    if report is not None:
        write_report(report, source, found, asked, machine())
        say(f"the report is in {report}")
    if as_json:
        print_json(as_json_answer(source, found, asked, machine()))
    else:
        show_evaluation(source, found, machine())


def _check_writable(report: Path) -> None:
    """Refuse before the long run what would fail after it."""
    if report.is_dir():
        raise BadUsage(f"--report {report} is a folder; name a file such as {report / 'r.html'}")
    if not report.absolute().parent.is_dir():
        raise WorldMissing(f"--report: the folder {report.absolute().parent} is not there")
