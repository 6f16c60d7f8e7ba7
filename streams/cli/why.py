"""`millstream why`: why an item is in a person's list, or why not."""

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from millstream.streams.assembly import wall_clock_ms
from millstream.streams.cli.list import user_id
from millstream.streams.cli.options import json_option, settings_options
from millstream.streams.cli.output import print_json, stdout
from millstream.streams.errors import BadUsage
from millstream.streams.event_fields import valid_id
from millstream.streams.settings import Settings
from millstream.streams.why import Answer, ask
from millstream.streams.world import open_log, open_store


@click.command()
@click.argument("user")
@click.argument("item")
@settings_options
@json_option
def command(settings: Settings, user: str, item: str, as_json: bool) -> int:
    """Say why an item is in a person's list, or why not, by ranking now as a worker does.

    Reads Redis, the item model and the catalogue; writes nothing. Exit code 0: it is listed;
    1: it is not.

    \b
    Example:
      millstream why 42 50
      millstream why 42 50 --json
    """
    person, wanted = user_id(user), valid_id(item)
    if wanted is None:
        raise BadUsage(f"{item!r} is no item id: 1 to 128 bytes of text")
    log, store = open_log(settings), open_store(settings)
    try:
        answer = ask(settings, log, store, person, wanted, wall_clock_ms)
    finally:
        store.close()
        log.close()
    if as_json:
        print_json(answer)
    else:
        stdout().print(answer_table(answer))
    return 0 if answer.why.verdict == "listed" else 1


def answer_table(answer: Answer) -> Group:
    """Return the sentence, and what each feature gave the item and the list's last entry."""
    found = answer.why
    lines = [Text(answer.sentence)]
    if not answer.known:
        lines.append(Text(f"{found.user} is not known: ranked as a stranger", style="dim"))
    shown = [one for one in (found.contender, found.last) if one is not None]
    if found.contender is None:
        return Group(*lines)
    table = Table(box=None, pad_edge=False)
    table.add_column("feature")
    for one in shown:
        title = answer.titles.get(one.item) or one.item
        table.add_column(Text(f"{title} (number {one.rank})"), justify="right")
    values = found.contender.features
    for name in sorted(values, key=lambda name: -abs(values[name])):
        table.add_row(Text(name), *(f"{one.features[name]:+.3f}" for one in shown))
    table.add_row(Text("learned on top"), *(f"{one.learned:+.3f}" for one in shown))
    table.add_row(Text("score"), *(f"{one.score:+.3f}" for one in shown))
    return Group(*lines, table)
