"""docs/sources.md is true: its file and its line make a source that keeps every promise."""

import ast
import csv
import json
import random
import re
import sys
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

import millstream.models
from millstream.models.checks import CHECKS
from millstream.models.registry import SOURCES
from millstream.models.samples import small_source
from millstream.streams.cli import cli
from millstream.streams.errors import BadUsage
from millstream.streams.settings_reader import setting_types

PAGE: Final = Path(__file__).resolve().parent.parent / "docs/sources.md"
NAME: Final = "succession"
MODULE: Final = f"millstream.models.{NAME}"


@pytest.fixture
def succession(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the page's file and line in their places."""
    file, line = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / f"{NAME}.py").write_text(file)
    ((name, place),) = ast.literal_eval("{" + line + "}").items()
    monkeypatch.setattr(millstream.models, "__path__", [*millstream.models.__path__, str(folder)])
    monkeypatch.setitem(SOURCES, name, place)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)


@pytest.fixture
def walks(tmp_path: Path) -> Path:
    """A file of people who walk in circles: what comes next is easy to say from what came last."""
    chance = random.Random(1)
    at = {f"u{n}": chance.randrange(60) for n in range(40)}
    path = tmp_path / "walks.csv"
    with path.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["user", "item", "ts", "type"])
        for n in range(1500):
            user = chance.choice(list(at))
            at[user] = (at[user] + 1) % 60
            rows.writerow([user, f"m{at[user]}", 1_700_000_000 + n, "click"])
    return path


def refusal(change: str) -> str:
    result = CliRunner().invoke(cli, ["evaluate", "x", "--set", change])
    assert isinstance(result.exception, BadUsage)
    return str(result.exception)


@pytest.mark.usefixtures("succession")
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_source_of_the_page_keeps_its_promise(check):
    check(lambda: small_source(NAME))


@pytest.mark.usefixtures("succession")
def test_the_source_of_the_page_has_its_settings():
    keys = [key for key, _ in setting_types()]
    assert [key for key in keys if key.startswith(NAME)] == [f"{NAME}.proposals", f"{NAME}.width"]
    assert "a whole number of at least 1" in refusal(f"{NAME}.width=0")


@pytest.mark.usefixtures("succession")
def test_evaluate_says_what_the_source_of_the_page_is_worth(walks: Path):
    def evaluated(*changes: str) -> dict[str, dict[str, float]]:
        options = [part for change in changes for part in ("--set", change)]
        result = CliRunner().invoke(cli, ["evaluate", str(walks), "--json", *options])
        assert result.exit_code == 0, result.output
        answer = json.loads(result.stdout)
        return {"fused": answer["fused"], **answer["sources"]}

    before = evaluated("model.sources=pop")
    after = evaluated(f"model.sources=pop,{NAME}", f"{NAME}.width=20")
    assert NAME not in before
    assert after[NAME]["recall@10"] > 0.8
    assert after["fused"]["recall@10"] > before["fused"]["recall@10"] + 0.3


def test_without_the_line_there_is_no_such_source():
    said = refusal(f"model.sources=pop,{NAME}")
    assert (
        f"'{NAME}' is wrong; it must be a list, each item one of content, fism, mf, pairs, pop"
        in said
    )
