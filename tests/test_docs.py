"""What the documentation names is there, and what it must explain is explained."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

import click
import pytest

from millstream.exporters.metric_names import METRICS
from millstream.models.event import EVENT_TYPES, MERGE, EventWeights
from millstream.models.why import Verdict
from millstream.streams.audit import Audit
from millstream.streams.cli import cli
from millstream.streams.decode import REASONS
from millstream.streams.item_message import ItemWire
from millstream.streams.loaders.registry import DATASETS
from millstream.streams.media import MEDIA_REASONS
from millstream.streams.settings_reader import setting_types
from millstream.streams.why import SAID

ROOT: Final = Path(__file__).resolve().parent.parent
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS: Final = "models|streams|exporters|tests|benchmarks|deploy|docs|examples"

a_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    """The text without fenced blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(page: Path) -> Iterator[str]:
    """Every `millstream …` and `make …` in a code span or on a line of a shell block."""
    text = page.read_text()
    yield from re.findall(r"`([^`\n]+)`", prose(page))
    for block in re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        yield from block.splitlines()


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table(page: Path, first: str) -> list[list[str]]:
    """The rows, as cells, of the table whose first column has this heading."""
    rows: list[list[str]] = []
    inside = False
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith(f"| {first} |"):
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not set(line) <= set("|- :"):
            rows.append(cells)
    return rows


@a_page
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, fragment = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if fragment:
            assert fragment in anchors(linked), target


@a_page
def test_every_file_that_is_named_is_there(page: Path) -> None:
    for named in re.findall(rf"`((?:{FOLDERS})/[\w./-]*)", page.read_text()):
        assert (ROOT / named).exists(), named


@a_page
def test_every_command_that_is_named_exists_with_its_flags(page: Path) -> None:
    for line in commands(page):
        if not line.startswith("millstream "):
            continue
        command: click.Command = cli
        context = click.Context(cli)
        for word in shlex.split(line.rstrip("& "))[1:]:
            if word.startswith("--"):
                flag = word.partition("=")[0]
                assert flag in [o for p in command.get_params(context) for o in p.opts], line
            elif isinstance(command, click.Group) and word.islower():
                found = command.get_command(context, word)
                assert found is not None, line
                command = found


@a_page
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for line in commands(page):
        if line.startswith("make "):
            assert line.split()[1] in targets, line


@a_page
def test_every_setting_and_metric_that_is_named_exists(page: Path) -> None:
    keys = [key for key, _ in setting_types()]
    sections = {key.partition(".")[0] for key in keys}
    for named in re.findall(r"`([a-z_]+\.[a-z_]+)`", page.read_text()):
        if named.partition(".")[0] in sections and not named.endswith((".py", ".md", ".toml")):
            assert named in keys, named
    for named in re.findall(r"millstream_[a-z_]+", page.read_text()):
        assert re.sub("_(bucket|sum|count)$", "", named) in METRICS, named


def test_every_page_stands_in_the_index() -> None:
    index = ROOT / "docs/README.md"
    for page in PAGES:
        if page.name != "README.md":
            assert f"({page.relative_to(index.parent)})" in index.read_text()


def test_the_page_on_events_has_every_type_with_its_weight() -> None:
    rows = {cells[0].strip("`"): cells[1] for cells in table(ROOT / "docs/events.md", "type")}
    assert set(rows) == {*EVENT_TYPES, MERGE}
    for type_, weight in rows.items():
        if type_ not in ("rating", MERGE):
            assert float(weight) == EventWeights().weight(type_, 1.0), type_


def test_the_page_on_data_has_every_data_set() -> None:
    cells = [row[0] for row in table(ROOT / "docs/data.md", "name")]
    assert {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)} == set(DATASETS)


def test_the_page_on_events_has_every_reason_in_order() -> None:
    rows = table(ROOT / "docs/events.md", "reason")
    assert tuple(cells[0].strip("`") for cells in rows) == REASONS


def test_the_page_on_items_has_every_field_in_order() -> None:
    rows = table(ROOT / "docs/items.md", "item field")
    assert tuple(cells[0].strip("`") for cells in rows) == ItemWire.__struct_fields__


def test_the_page_on_items_has_every_reason_in_order() -> None:
    rows = table(ROOT / "docs/items.md", "media reason")
    assert tuple(cells[0].strip("`") for cells in rows) == MEDIA_REASONS


def test_the_page_on_why_has_every_verdict() -> None:
    cells = [row[0] for row in table(ROOT / "docs/why.md", "verdict")]
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(get_args(Verdict))
    assert set(SAID) == set(named)


def test_the_page_on_operations_explains_every_field_of_an_audit() -> None:
    cells = [row[0] for row in table(ROOT / "docs/operations.md", "field")]
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == set(
        Audit().as_json()
    )
