"""`millstream` in a process of its own, to be interrupted."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

PROGRAM: Final = [sys.executable, "-c", "from millstream.streams.cli import main; main()"]


@contextmanager
def begun(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """A command that heeds Ctrl-C, its output in pipes; killed if it has not ended."""
    # A shell's background job is begun with SIGINT ignored; tests that run in one are not such.
    heeded = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, heeded)
    with process:
        try:
            yield process
        finally:
            process.kill()
