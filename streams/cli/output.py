"""Where commands speak: answers on standard output, everything else on standard error."""

from dataclasses import dataclass
from typing import Final

import click
import msgspec
from rich.console import Console

WIDE: Final = 200

stderr: Final = Console(stderr=True, highlight=False, soft_wrap=True)
"""Where everything for people goes that is not the answer."""


@dataclass(slots=True)
class Answer:
    """What this run of a command owes to standard output."""

    wanted: bool = False
    given: bool = False


def stdout() -> Console:
    """Return the console for answers people asked for; off a terminal, wide enough not to cut."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def print_json(answer: object) -> None:
    """Print the answer, anything msgspec can encode, as the one line of JSON."""
    context = click.get_current_context(silent=True)
    owed = context.find_object(Answer) if context else None
    click.echo(msgspec.json.encode(answer).decode())
    if owed:
        owed.given = True
