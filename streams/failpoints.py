"""Crashes on demand: tests end a worker at a named place in its work, as kill -9 would."""

import os
import signal
from collections.abc import Callable


def failpoint_of(setting: str) -> Callable[[str], None]:
    """Return what the cores call at each failpoint; `NAME:N` kills the process at the Nth NAME."""
    name, _, nth = setting.partition(":")
    left = int(nth or 1)

    def pass_by(met: str) -> None:
        nonlocal left
        if met == name:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    return pass_by if name else lambda _: None
