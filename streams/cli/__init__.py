"""The command line: `main` finds the command, translates faults, and ends with an exit code.

0 done, 1 found wrong, 2 bad usage, 3 the world is missing, 130 interrupted.

No `list(...)` in here: once the command of that name is imported, it is a module.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from types import FrameType
from typing import Final

import click

from millstream.exporters.errors import ExporterError, StoreError
from millstream.models.errors import ModelError
from millstream.streams.cli.output import Answer, print_json, stderr
from millstream.streams.errors import FoundWrong, MillstreamError, WorldMissing

COMMANDS: Final = {
    "demo": "Show it all at once, on real data.",
    "stack": "Start, stop and look at a local Kafka and Redis.",
    "topics": "Create and check the topics.",
    "worker": "Run a worker: recommend, learn, encode, or all.",
    "replay": "Publish a data set or a file as events.",
    "items": "Publish a catalogue.",
    "list": "Show a person's list.",
    "watch": "Show a person's list as it changes.",
    "why": "Say why an item is in a person's list, or why not.",
    "evaluate": "Measure the ranking on a data set, event by event.",
    "tune": "Search settings on part of a data set, judge them on the rest.",
    "audit": "Hold what Redis and the topics hold against a fold of the log.",
    "data": "List and fetch data sets.",
    "encoders": "List, fetch, check and time encoders.",
    "doctor": "Say what is here, what is missing, and what to do.",
}
INTERRUPTED: Final = 130
GRACE_S: Final = 25.0


class _Lazy(click.Group):
    """A group whose commands are imported when asked for: --help takes 0.2 s, not 2.

    So little is imported before `run` that Ctrl-C is silent from the first moment on.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"{__name__}.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"{cmd_name} has no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("millstream"), prog_name="millstream")
def cli() -> None:
    """A real-time recommender: a click enters Kafka, a moment later the list in Redis is better.

    \b
    Example:
      millstream demo
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    # Before NumPy is imported. Products are small: a second thread costs more than it brings, and
    # a worker's neighbours have use for its core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with _ended_by_sigterm():
        code = run(arguments)
        sys.stdout.flush()
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code of one command, every fault told as a sentence on standard error."""
    answer = Answer()
    try:
        code = cli.main(
            [*arguments] if arguments is not None else None,
            prog_name="millstream",
            standalone_mode=False,
            obj=answer,
        )
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        error.show()
        return _failed(answer, error.format_message(), error.exit_code)
    except click.ClickException as error:
        return _told(answer, error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except MillstreamError as error:
        return _told(answer, str(error), error.exit_code)
    except (StoreError, ModelError) as error:
        return _told(answer, str(error), FoundWrong.exit_code)
    except ExporterError as error:
        return _told(answer, str(error), WorldMissing.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does; nothing more can be told to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _told(answer, str(error), WorldMissing.exit_code)


def _told(answer: Answer, sentence: str, code: int) -> int:
    stderr.print(f"error: {sentence}", style="bold red", markup=False)
    return _failed(answer, sentence, code)


def _failed(answer: Answer, sentence: str, code: int) -> int:
    if answer.wanted and not answer.given:
        print_json({"error": sentence, "exit_code": code})
    return code


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Turn SIGTERM into what Ctrl-C does, with a timer that ends the process if that hangs."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        timer = threading.Timer(GRACE_S, os._exit, (INTERRUPTED,))
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
