"""`millstream replay`: a data set or a file becomes events in the log."""

from functools import partial

import click

from millstream.streams.cli.options import json_option, settings_options
from millstream.streams.cli.output import print_json
from millstream.streams.cli.progress import progress, say
from millstream.streams.cli.reading import reading_options
from millstream.streams.datasets import Reading, read_events
from millstream.streams.memory_log import wall_clock_ms
from millstream.streams.replay import Replay, new_run
from millstream.streams.settings import Settings
from millstream.streams.world import open_log, open_store


@click.command()
@click.argument("source", metavar="DATASET|FILE")
@reading_options
@click.option("--rate", type=float, metavar="N", help="Events a second; else as fast as it goes.")
@click.option("--run", metavar="NAME", help="Ids are NAME-row; else a new name each time.")
@click.option("--faithful", is_flag=True, help="A user's next event waits for their list.")
@settings_options
@json_option
def command(
    settings: Settings,
    reading: Reading,
    source: str,
    rate: float | None,
    run: str | None,
    faithful: bool,
    as_json: bool,
) -> None:
    """Publish a data set or a file (CSV, JSONL, Parquet) as events, in the order of time.

    The same run twice is harmless: its events have the same ids.

    \b
    Example:
      millstream replay movielens-100k --positive 'value>=4' --rate 200
    """
    table = read_events(source, reading, settings.data_path, say)
    log = open_log(settings)
    try:
        with progress("publishing", len(table)) as tick:
            replay = Replay(log, settings, run or new_run(wall_clock_ms()), rate, tick)
            publish = replay.publish
            if faithful:
                store = open_store(settings)
                publish = partial(replay.publish_faithfully, store=store)
            done = publish(table)
    finally:
        log.close()
    say(f"published {done.published} events in {done.seconds} s as run {done.run}")
    if done.unanswered:
        say(f"{done.unanswered} of them were followed by no list in time")
    if as_json:
        print_json(done)
