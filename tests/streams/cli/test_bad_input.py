"""Odd and broken files through the commands: a right answer, or what is wrong and what to do."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from millstream.streams.cli import run

S: Final = 1_700_000_000
Ask = Callable[..., tuple[Any, str]]


def csv(*rows: tuple[object, ...], header: str = "user,item,ts") -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def walk(count: int = 40) -> list[tuple[object, ...]]:
    """Five people who each meet seven items in turn, a second apart."""
    return [(f"u{n % 5}", f"i{n % 7}", S + n) for n in range(count)]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command over a file of this content; return its JSON and what it said."""
    for name in [name for name in os.environ if name.startswith("MILLSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MILLSTREAM_DATA_DIR", str(tmp_path / "data"))

    def asked(
        command: str, content: str, *flags: str, code: int = 0, name: str = "e.csv"
    ) -> tuple[Any, str]:
        (tmp_path / name).write_text(content)
        assert run([command, str(tmp_path / name), *flags, "--json"]) == code
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        (line,) = said.out.splitlines()
        return json.loads(line), said.err

    return asked


def test_unsorted_rows_are_worth_what_sorted_ones_are(ask: Ask) -> None:
    tidy, _ = ask("evaluate", csv(*walk()))
    mixed, _ = ask("evaluate", csv(*reversed(walk())))
    assert tidy["scored"] == 30
    assert mixed["fused"] == tidy["fused"]
    assert mixed["sources"] == tidy["sources"]


@pytest.mark.parametrize(
    ("content", "events", "scored", "sentence"),
    [
        (csv(*((u, i, S) for u, i, _ in walk())), 40, 30, "all 40 events have one ts"),
        (csv(*(("u", f"i{n}", S + n) for n in range(20))), 20, 19, "events are of one user"),
        (csv(*((f"u{n % 4}", "i", S + n) for n in range(20))), 20, 0, "there is nothing to rank"),
        (csv(*walk(10), *walk(10)), 20, 5, "rows with the user, item, type and ts of another: 10"),
        (csv(("u", "i", S)), 1, 0, ""),
        (csv(*((u, i, n) for n, (u, i, _) in enumerate(walk()))), 40, 30, "read as seconds"),
        (
            csv(*((u, i, "nan" if n % 4 == 0 else t) for n, (u, i, t) in enumerate(walk()))),
            30,
            None,
            "10 rows left out: 10 with no usable ts; the first is e.csv line 2",
        ),
        (
            csv(*((*row, "nan") for row in walk()), header="user,item,ts,value"),
            40,
            30,
            "",
        ),
    ],
    ids=["ties", "one user", "one item", "twice", "one row", "counted", "nan ts", "nan value"],
)
def test_an_odd_file_is_evaluated_and_what_is_odd_is_said(
    ask: Ask, content: str, events: int, scored: int | None, sentence: str
) -> None:
    answer, said = ask("evaluate", content)
    assert answer["events"] == events
    assert scored is None or answer["scored"] == scored
    assert all(0.0 <= answer["fused"][name] <= 1.0 for name in ("recall@10", "mrr@20"))
    assert sentence in said


@pytest.mark.parametrize("command", ["evaluate", "replay"])
@pytest.mark.parametrize(
    ("content", "flags", "sentence"),
    [
        ("", [], "e.csv is empty"),
        ("\n\n", [], "e.csv is empty"),
        ("user,item,ts\n", [], "e.csv has no rows"),
        (csv((1, 2, 3), header="foo,bar,baz"), [], "foo, bar, baz: say which it is with --columns"),
        (csv(*walk()), ["--columns", "user=who"], "no column 'who' for user; it has user, item"),
        (csv(*((u, i, "nan") for u, i, _ in walk())), [], "all have no usable ts; --columns says"),
        (csv(*((u, "", t) for u, _, t in walk())), [], "all have no usable item"),
        (csv(*walk()), ["--type", "rating"], "a rating needs --columns value=NAME"),
        (csv(*walk()), ["--positive", "value>=4"], "has no column 'value'; it has user, item, ts"),
        (csv(*walk()), ["--positive", "item==none"], "no row is left by --positive"),
        (csv(*walk(), ("u",)), [], "line 42: 1 fields where the first line names 3"),
        (csv(("u", "i", S), ("u", "j", S * 1000)), [], "say which it is with --ts-unit"),
        (csv(*walk()), ["--types", "pv=view"], "which column do --types speak of"),
        (
            csv(*((*row, "pv") for row in walk()), header="user,item,ts,event"),
            ["--columns", "type=event"],
            "say what other words mean with --types pv=view",
        ),
    ],
)
def test_what_cannot_be_read_is_bad_usage_with_what_to_do(
    ask: Ask, command: str, content: str, flags: list[str], sentence: str
) -> None:
    answer, said = ask(command, content, *flags, code=2)
    assert sentence in said
    assert answer["exit_code"] == 2


def test_a_name_that_is_neither_file_nor_data_set_is_told_from_both(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", "movielens"]) == 3
    assert "no data set is called movielens; known: movielens-100k" in capsys.readouterr().err


def test_what_is_not_fetched_says_where_it_is_got(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "fetch", "yelp"]) == 3
    assert "agree to its terms at https://" in capsys.readouterr().err
    assert run(["evaluate", "mind"]) == 3
    assert "name the file or folder in place of mind" in capsys.readouterr().err


def test_data_list_says_what_each_is_its_terms_and_whence(
    ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "list", "--json"]) == 0
    held = {one["name"]: one for one in json.loads(capsys.readouterr().out)["datasets"]}
    assert {"movielens-1m", "amazon-reviews", "yelp", "yoochoose", "mind"} < set(held)
    for one in held.values():
        assert one["title"]
        assert one["terms"].endswith(".")
        assert one["home"].startswith("https://")
        assert one["get"]
        assert one["here"] is False
    assert run(["data", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(one["home"] in shown for one in held.values())
