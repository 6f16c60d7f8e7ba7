"""Every command and every snippet of the README, run in the README's order on a stack it starts."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millstream.streams.errors import WorldMissing
from millstream.streams.settings_reader import cache_dir
from millstream.streams.stack import Stack
from millstream.streams.worker import end_processes

ROOT: Final = Path(__file__).resolve().parent.parent
LINE_S: Final = 120
LAST: Final = "millstream stack stop"


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    text = (ROOT / "README.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


LINES: Final = [line for block in blocks("sh") for line in block.splitlines()]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A data folder of one's own, and `millstream` on the PATH; what is left running is ended."""
    _put_data_set(tmp_path)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MILLSTREAM_")}
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    stack = Stack(tmp_path, cache_dir())
    try:
        yield {**clean, "PATH": path, "MILLSTREAM_DATA_DIR": str(tmp_path)}
    finally:
        stack.stop(lambda _: None)


def test_the_two_commands_come_first() -> None:
    assert LINES[:2] == ["make demo", "make test"]


def test_every_command_and_snippet_works_in_the_order_given(environment: dict[str, str]) -> None:
    background: list[subprocess.Popen[bytes]] = []
    commands = [line for line in LINES if not line.startswith("make ") and line != LAST]
    assert LAST in LINES
    try:
        for line in commands:
            if line.endswith("&"):
                command = ["sh", "-c", f"exec {line.removesuffix('&')}"]
                background.append(subprocess.Popen(command, env=environment))
                continue
            done = _run(["sh", "-c", line], environment)
            if line.endswith("stack start") and done.returncode == WorldMissing.exit_code:
                _without_stack(done.stderr)
            assert done.returncode == 0, f"{line}: {done.stderr}"
        assert all(process.poll() is None for process in background)
        for snippet in blocks("python"):
            done = _run([sys.executable, "-c", _addressed(snippet, environment)], environment)
            assert done.returncode == 0, done.stderr
            assert "import redis" not in snippet or "'" in done.stdout  # a list with items
    finally:
        end_processes(background)
    assert _run(["sh", "-c", LAST], environment).returncode == 0


def _put_data_set(data_dir: Path) -> None:
    """Lay MovieLens 100K where it would be fetched to, if the tests' data are here."""
    data = Path(os.environ.get("MILLSTREAM_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (data / "movielens100k").is_dir():
        return
    folder = data_dir / "datasets" / "movielens-100k"
    folder.mkdir(parents=True)
    events = pq.read_table(data / "movielens100k/events.parquet").to_pydict()
    users, rated = (list(map(str, events[name])) for name in ("user_id", "item_id"))
    table = {"user": users, "item": rated, "value": events["value"], "ts": events["ts"]}
    pq.write_table(pa.table(table), folder / "events.parquet")
    items = pq.read_table(data / "movielens100k/items.parquet").to_pydict()
    known = list(map(str, items["item_id"]))
    pq.write_table(pa.table({"item": known, "title": items["title"]}), folder / "items.parquet")


def _run(command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=LINE_S, check=False
    )


def _without_stack(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have the stack: {why}")
    pytest.skip(why)


def _addressed(snippet: str, environment: dict[str, str]) -> str:
    """The snippet with the addresses of the stack that runs in place of the usual ones."""
    said = _run(["millstream", "stack", "status", "--json"], environment).stdout
    status = json.loads(said)
    return snippet.replace("localhost:9092", status["kafka"]).replace(
        "redis://localhost:6379/0", status["redis"]
    )
