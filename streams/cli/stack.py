"""`millstream stack`: a local Kafka and Redis, for whoever has none at hand."""

import click

from millstream.streams.cli.options import json_option, print_json, settings_options, stderr
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import cache_dir
from millstream.streams.stack import Stack, StackStatus

FOUND_WRONG = 1
NOT_THERE = 3


@click.group()
def command() -> None:
    """Start, stop and look at a local Kafka and Redis.

    They live in the data folder, listen on 127.0.0.1 only, and go on when the terminal is
    closed. Every other command finds them there by itself.

    \b
    Example:
      millstream stack start
    """


@command.command()
@settings_options
@json_option
def start(settings: Settings, as_json: bool) -> None:
    """Start what does not run yet; harmless when all does.

    A part that has crashed is started again over its own data.

    \b
    Example:
      millstream stack start --data-dir ./data
    """
    with stderr.status("starting") as progress:
        status = _stack(settings).start(progress.update)
    _tell(status, as_json)


@command.command()
@settings_options
@json_option
def stop(settings: Settings, as_json: bool) -> None:
    """Stop it and wait until nothing of it runs; data are kept.

    \b
    Example:
      millstream stack stop
    """
    stack = _stack(settings)
    with stderr.status("stopping") as progress:
        stack.stop(progress.update)
    _tell(stack.status(), as_json)


@command.command()
@settings_options
@json_option
@click.pass_context
def status(context: click.Context, settings: Settings, as_json: bool) -> None:
    """Say what runs: exit code 0 if all does, 1 if some has crashed, 3 if nothing was started.

    \b
    Example:
      millstream stack status --json
    """
    found = _stack(settings).status()
    _tell(found, as_json)
    if not found.running:
        context.exit(FOUND_WRONG if "crashed" in found.parts.values() else NOT_THERE)


def _stack(settings: Settings) -> Stack:
    return Stack(settings.data_path, cache_dir())


def _tell(status: StackStatus, as_json: bool) -> None:
    if as_json:
        print_json(status)
        return
    addresses = {"kafka": status.kafka, "redis": status.redis}
    for name, health in status.parts.items():
        colour = {"running": "green", "crashed": "red"}.get(health, "dim")
        about = [status.versions.get(name, ""), addresses[name] if health != "stopped" else ""]
        if health == "crashed":
            about.append("mend it with: millstream stack start")
        words = "  ".join(word for word in about if word)
        stderr.print(f"{name:<6} [{colour}]{health}[/]  {words}")
    stderr.print(f"data   {status.data_dir}", markup=False)
