"""A peer in a process of its own, with its own packages and one thread."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.peers.install import ensure_installed
from benchmarks.peers.prequential import Stream
from benchmarks.peers.registry import PEERS

ROOT: Final = Path(__file__).resolve().parent.parent.parent
ONE_THREAD: Final = {
    f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA")
}


class PeerFailed(Exception):
    """A peer began and did not come to its end; the sentence says its last words."""


@dataclass(frozen=True, slots=True)
class Found:
    """Ranks of the scored events, and CPU µs of each score and each learn."""

    ranks: list[int]
    score_us: float
    learn_us: float


def run_peer(
    name: str, stream: Stream, every: int, seed: int, cache: Path, say: Callable[[str], None]
) -> Found:
    """Return what a peer's ranks are worth. Raises NotInstalled and PeerFailed."""
    pins = PEERS[name].pins
    if pins:
        say(
            f"{name}: looking for {pins[0]}; the first time it is installed, into {cache / 'peers'}"
        )
    packages = ensure_installed(pins, cache)
    paths = [str(ROOT)] if packages is None else [str(packages), str(ROOT)]
    given = {"users": stream.users, "items": stream.items, "ts_ms": stream.ts_ms}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.peers", name],
        input=json.dumps({**given, "every": every, "seed": seed}),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(paths)},
        check=False,
    )
    if done.returncode:
        raise PeerFailed(f"{name} has ended with code {done.returncode}; its words are above")
    return Found(**json.loads(done.stdout.splitlines()[-1]))
