"""`millstream doctor`: what is here, what is missing, what to do."""

from collections.abc import Sequence

import click
from rich.table import Table
from rich.text import Text

from millstream.streams.cli.options import json_option, settings_options
from millstream.streams.cli.output import print_json, stdout
from millstream.streams.doctor import Finding, examine
from millstream.streams.errors import WorldMissing
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import cache_dir


@click.command()
@settings_options
@json_option
def command(settings: Settings, as_json: bool) -> None:
    """Say what is here, what is missing, and what to do; changes nothing.

    \b
    Example:
      millstream doctor
    """
    findings = examine(settings, cache_dir())
    missing = [finding for finding in findings if finding.state == "missing"]
    if as_json:
        print_json({"ok": not missing, "findings": findings})
    else:
        stdout().print(_table(findings))
    if missing:
        first = missing[0]
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise WorldMissing(f"{first.name}: {first.found}: {first.todo}{more}")


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("", "what", "found", "to do"):
        table.add_column(column, overflow="fold")
    marks = {"ok": "✓", "missing": "✗", "could be": "–"}
    for one in findings:
        table.add_row(*(Text(c) for c in (marks[one.state], one.name, one.found, one.todo)))
    return table
