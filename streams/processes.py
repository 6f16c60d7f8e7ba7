"""Servers as processes of their own: begun apart from us, known again later, ended by id."""

import os
import platform
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from millstream.streams.errors import WorldMissing

PROC: Final = Path("/proc")
POLL_S: Final = 0.05


class ProcessMark(msgspec.Struct, frozen=True):
    """A process, told apart from a later one that was given the same id.

    `mark` is the boot and the moment in it at which the process began.
    """

    pid: int
    mark: str

    @property
    def alive(self) -> bool:
        """Return whether that very process still runs; what only waits to be reaped does not."""
        return _mark(self.pid) == self.mark


def spawn(command: Sequence[str], folder: Path, log: Path) -> ProcessMark:
    """Begin a process that outlives this one and its terminal; its output is appended to `log`.

    A shell begins it in the background and ends, so that it is nobody's child here: nothing
    is left to be reaped, and Ctrl-C in our terminal does not reach it.
    """
    with log.open("ab") as output:
        shell = subprocess.run(
            ["/bin/sh", "-c", 'exec 3>&1 1>&2; "$@" </dev/null 3>&- & echo $! >&3', "sh", *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
            check=True,
        )
    process = find(int(shell.stdout))
    if process is None:
        raise WorldMissing(f"{command[0]} ended at once: {last_words(log)}")
    return process


def find(pid: int) -> ProcessMark | None:
    """Return the process that has this id now, or None."""
    mark = _mark(pid)
    return None if mark is None else ProcessMark(pid, mark)


def end(processes: Sequence[ProcessMark], grace_s: float) -> None:
    """End these processes and wait for it: asked first, killed after `grace_s`."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            if process.alive:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, number)
        deadline = time.monotonic() + grace_s
        while any(process.alive for process in processes) and time.monotonic() < deadline:
            time.sleep(POLL_S)


def free_port(wanted: int | None = None, taken: Sequence[int] = ()) -> int:
    """Return the wanted loopback port if nobody has it, else any free one."""
    for port in (wanted, *[0] * 50):
        if port is None or port in taken:
            continue
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = listener.getsockname()[1]
        if found not in taken:
            return found
    raise WorldMissing("no free port on 127.0.0.1")


def last_words(log: Path, lines: int = 3) -> str:
    """Return the end of a log on one line, or say that it is empty."""
    try:
        with log.open("rb") as text:
            text.seek(max(log.stat().st_size - 4000, 0))
            said = text.read().decode(errors="replace").split("\n")
    except OSError:
        said = []
    kept = [line.strip() for line in said if line.strip()][-lines:]
    return " | ".join(kept) or "it said nothing"


def trim_log(log: Path, bytes_max: int = 10_000_000) -> None:
    """Keep a log within twice `bytes_max`: beyond it, the text moves to `NAME.1` and starts anew.

    Its writer appends, so that cutting the file under it is safe.
    """
    if log.exists() and log.stat().st_size > bytes_max:
        with log.open("rb") as text:
            text.seek(-bytes_max, os.SEEK_END)
            log.with_name(log.name + ".1").write_bytes(text.read(bytes_max))
        os.truncate(log, 0)


def _mark(pid: int) -> str | None:
    """Return when a process began, or None when there is none."""
    if platform.system() != "Linux":
        return _mark_by_ps(pid)
    try:
        stat = (PROC / str(pid) / "stat").read_text(errors="replace")
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    # The name, in brackets, may itself hold spaces and brackets.
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return None if state in "ZX" else f"{boot}/{started}"


def _mark_by_ps(pid: int) -> str | None:
    """Return what `ps` says of the start, where there is no /proc (macOS)."""
    said = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    return None if not said or said[0].startswith("Z") else " ".join(said[1:])
