"""The readers of docs/redis.md: they stand there word for word, and they work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import pytest

from millstream.exporters.keys import Keys, Shared, quote_item, quote_user
from millstream.exporters.redis_store import RedisStore
from millstream.exporters.store import UserWrite
from millstream.streams.listing import Entry, Listing, decode_listing, encode_listing

if TYPE_CHECKING:
    from tests.exporters.conftest import OwnRedis

ROOT: Final = Path(__file__).resolve().parents[2]
READERS: Final = ROOT / "examples" / "readers"
FETCH_S: Final = 90.0
RUN_S: Final = 120.0


def listing(*items: str) -> bytes:
    entries = [{"item": item, "score": 1.0, "source": "co"} for item in items]
    return json.dumps({"id": "l-1", "user": "u", "made_at": 1, "items": entries}).encode()


def fetch(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
    """Run a package manager, or skip: the registry may be out of reach."""
    try:
        done = subprocess.run(
            command, cwd=folder, env=dict(env), capture_output=True, timeout=FETCH_S, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command[0]} could not fetch the client library within {FETCH_S:.0f} s")
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        pytest.skip(f"{command[0]} could not fetch the client library: {' '.join(last)}")


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} here")
    return found


def python_reader(folder: Path) -> list[str]:
    return [sys.executable, str(READERS / "python" / "reader.py")]


def go_reader(folder: Path) -> list[str]:
    go = tool("go")
    shutil.copytree(READERS / "go", folder / "go")
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    fetch([go, "mod", "download"], folder / "go", env)
    binary = folder / "reader"
    build = [go, "build", "-o", str(binary), "."]
    subprocess.run(build, cwd=folder / "go", env=env, timeout=RUN_S, check=True)
    return [str(binary)]


def javascript_reader(folder: Path) -> list[str]:
    node, npm = tool("node"), tool("npm")
    target = folder / "javascript"
    shutil.copytree(READERS / "javascript", target, ignore=shutil.ignore_patterns("node_modules"))
    fetch([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], target, os.environ)
    return [node, str(target / "reader.mjs")]


@pytest.mark.parametrize("make", [python_reader, go_reader, javascript_reader])
def test_a_reader_gets_the_list_the_fallback_or_nothing_and_drops_hidden_items(
    own_redis: OwnRedis, tmp_path: Path, make: object
) -> None:
    assert callable(make)
    reader = make(tmp_path)
    store = RedisStore(own_redis.url)

    def read(user: str) -> list[str]:
        command = [*reader, own_redis.url, user]
        done = subprocess.run(command, capture_output=True, timeout=RUN_S, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().splitlines()

    assert read("nobody") == []
    strange = "a{b}%c é☃"
    store.write_users(
        [
            UserWrite("u7", b"", b"version1", listing("m1", "m2", "m{3}:x", "ж4")),
            UserWrite(strange, b"", b"version1", listing("m9")),
            UserWrite("u8", b"", b"version1", listing()),
        ]
    )
    store.write_shared("trending", listing("t1", "t2"))
    assert read("u7") == ["m1", "m2", "m{3}:x", "ж4"]
    store.hide(["m2", "t1"])
    assert read("u7") == ["m1", "m{3}:x", "ж4"]
    assert read(strange) == ["m9"]
    assert read("u8") == []
    assert read("nobody") == ["t2"]
    store.close()


def test_the_docs_hold_the_readers_word_for_word() -> None:
    text = (ROOT / "docs" / "redis.md").read_text()
    for language, name in (
        ("python", "python/reader.py"),
        ("go", "go/main.go"),
        ("javascript", "javascript/reader.mjs"),
    ):
        assert f"```{language}\n{(READERS / name).read_text()}```\n" in text


def test_lock_files_name_no_registry() -> None:
    for name in ("go/go.mod", "go/go.sum", "javascript/package-lock.json"):
        text = (READERS / name).read_text()
        assert "http" not in text
        assert "resolved" not in text


def test_the_docs_show_a_list_as_it_is_written() -> None:
    text = (ROOT / "docs" / "redis.md").read_text()
    shown = text.partition("## A list")[2].partition("```json\n")[2].partition("```")[0]
    assert json.loads(encode_listing(decode_listing(shown.encode()))) == json.loads(shown)
    for field in (*Listing.__struct_fields__, *(f"items[].{f}" for f in Entry.__struct_fields__)):
        assert f"\n| `{field}` | " in text


def test_the_docs_name_every_key() -> None:
    text = (ROOT / "docs" / "redis.md").read_text()
    keys = Keys("ms")
    names = [keys.listing("USER"), keys.profile("USER"), keys.item("ITEM"), keys.similar("ITEM")]
    names += [keys.hidden, keys.progress, keys.digests]
    names += [keys.shared(name) for name in get_args(Shared)]
    for name in names:
        assert f"`{name.decode()}`" in text
    for character in "%{}":
        assert quote_user(character) in text
    assert quote_item(":") in text
