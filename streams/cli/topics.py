"""`millstream topics`: made and checked by the table of streams/topics.py."""

import click

from millstream.streams.cli.options import json_option, print_json, settings_options, stderr
from millstream.streams.settings import Settings
from millstream.streams.topics import TopicsWrong, check_topics, ensure_topics, topic_specs
from millstream.streams.world import open_log


@click.group()
def command() -> None:
    """Create and check the topics.

    \b
    Example:
      millstream topics create
    """


@command.command()
@settings_options
@json_option
def create(settings: Settings, as_json: bool) -> None:
    """Create the topics that are missing; harmless when all are there.

    A topic that is there with another partition count or policy is refused, never changed.

    \b
    Example:
      millstream topics create --kafka localhost:9092
    """
    log = open_log(settings)
    try:
        made = ensure_topics(log, settings)
    except TopicsWrong as wrong:
        if as_json:
            print_json({"created": [], "faults": wrong.faults})
        raise
    finally:
        log.close()
    if as_json:
        print_json({"created": made, "faults": []})
    for name in made:
        stderr.print(f"created {name}", markup=False)
    if not made:
        stderr.print("all topics are there")


@command.command()
@settings_options
@json_option
def check(settings: Settings, as_json: bool) -> None:
    """Say whether the topics are as they must be; changes nothing.

    \b
    Example:
      millstream topics check --json
    """
    log = open_log(settings)
    try:
        faults = check_topics(log, settings)
    finally:
        log.close()
    topics = [spec.name for spec in topic_specs(settings)]
    if as_json:
        print_json({"topics": topics, "faults": faults})
    if faults:
        raise TopicsWrong(faults)
    stderr.print(f"{len(topics)} topics are as they must be")
