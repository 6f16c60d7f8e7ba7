"""Logs as a program and a person read them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from millstream.streams.errors import BadUsage
from millstream.streams.logs import LINES_REMEMBERED, REPEAT_S, Quiet, configure_logging


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def record(text: str, name: str = "millstream") -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, "file.py", 1, text, None, None)


def test_where_a_program_reads_each_incident_is_one_line_of_json() -> None:
    stream = io.StringIO()
    configure_logging("INFO", stream)
    logger = logging.getLogger("millstream")
    logger.info("recommend owns %d partitions", 3, extra={"worker": "w1"})
    try:
        raise ValueError("of no use")
    except ValueError:
        logger.exception("a batch\nfailed")
    logger.debug("not asked for")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["message"] == "recommend owns 3 partitions"
    assert (first["level"], first["logger"], first["worker"]) == ("info", "millstream", "w1")
    assert first["at"].endswith("Z")
    assert (second["message"], second["error"]) == ("a batch\nfailed", "ValueError: of no use")
    assert "test_logs.py" in second["trace"]


def test_on_a_terminal_it_is_a_line_of_text_without_tricks() -> None:
    stream = Terminal()
    configure_logging("INFO", stream)
    logging.getLogger("millstream").warning("user \x1b[31mred\nand more", extra={"reason": "bad"})
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("warning user ?[31mred | and more reason=bad")


def test_libraries_speak_from_warnings_on_and_known_noise_is_dropped() -> None:
    stream = io.StringIO()
    configure_logging("INFO", stream)
    logging.getLogger("faust.transport").info("joining")
    logging.getLogger("aiokafka.consumer.group_coordinator").error(
        "Group Coordinator Request failed: [Error 15] GroupCoordinatorNotAvailableError"
    )
    logging.getLogger("faust.transport").warning("something real")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["message"] == "something real"


def test_what_is_harmless_on_a_fresh_broker_is_said_later() -> None:
    now = [0.0]
    quiet = Quiet(clock_s=lambda: now[0])
    line = record("[Error 15] GroupCoordinatorNotAvailableError", "aiokafka")
    assert not quiet.filter(line)
    now[0] = 100.0
    assert quiet.filter(line)


def test_the_same_line_is_said_again_only_after_a_while_and_few_are_remembered() -> None:
    now = [0.0]
    quiet = Quiet(clock_s=lambda: now[0])
    assert [quiet.filter(record("redis is away")) for _ in range(3)] == [True, False, False]
    assert quiet.filter(record("kafka is away"))
    now[0] = REPEAT_S + 1
    assert quiet.filter(record("redis is away"))
    for number in range(LINES_REMEMBERED):
        quiet.filter(record(f"line {number}"))
    assert quiet.filter(record("redis is away"))


def test_the_last_configuration_counts() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logging("INFO", first)
    configure_logging("WARNING", second)
    logging.getLogger("millstream").warning("once")
    assert (first.getvalue(), len(second.getvalue().splitlines())) == ("", 1)


def test_an_unknown_level_is_named() -> None:
    with pytest.raises(BadUsage, match="LOUD"):
        configure_logging("loud".upper())
