"""`millstream audit`: is everything counted once, and is every list what it should be?"""

import click
from rich.console import Console

from millstream.streams.assembly import new_snapshots
from millstream.streams.audit import Audit, audit
from millstream.streams.cli.options import json_option, print_json, settings_options
from millstream.streams.cli.progress import say
from millstream.streams.settings import Settings
from millstream.streams.world import open_log, open_store


@click.command()
@settings_options
@json_option
def command(settings: Settings, as_json: bool) -> int:
    """Hold profiles, lists, model and progress against a fold of the log; name what differs.

    Exit code 0 only if nothing is wrong and nothing is unchecked. Safe on a running system;
    events that no worker has reached yet are counted as waiting.

    \b
    Example:
      millstream audit --json
    """
    log, store = open_log(settings), open_store(settings)
    try:
        found = audit(settings, log, store, new_snapshots(settings), say)
    finally:
        store.close()
        log.close()
    if as_json:
        print_json(found.as_json())
    else:
        _show(found)
    return 0 if found.clean else 1


def _show(found: Audit) -> None:
    console = Console(highlight=False)
    for name, value in found.as_json().items():
        if name != "faults":
            console.print(f"{name:20} {value}")
    for fault in found.faults:
        console.print(f"- {fault}", style="red", markup=False)
