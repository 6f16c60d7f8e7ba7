"""`millstream evaluate` and `tune` as they are typed, on small files."""

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.streams.cli.begun import begun

from millstream.streams.cli import run

S = 1_700_000_000
MODEL = ["--set", "mf.users_max=64", "--set", "pairs.width=32", "--set", "fism.factors=8"]
FIGURES = {"recall@10", "recall@50", "mrr@20", "ci95"}


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MILLSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MILLSTREAM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """People who walk in circles, with stars that say nothing."""
    chance = random.Random(2)
    at = {f"u{n}": chance.randrange(30) for n in range(12)}
    rows = []
    for n in range(240):
        user = chance.choice(list(at))
        at[user] = (at[user] + 1) % 30
        rows.append(f"{user},i{at[user]},{S + n},{n % 5 + 1}")
    path = tmp_path / "walks.csv"
    path.write_text("\n".join(["user,item,ts,value", *rows]))
    return path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert run([*arguments, "--json"]) == code
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_the_answer_has_all_that_is_promised(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "evaluate", str(file), "--positive", "value>=2", *MODEL)
    assert (found["dataset"], found["protocol"]) == (str(file), "prequential")
    assert found["events"] == 192
    assert set(found["fused"]) == FIGURES
    assert {"co", "sr", "pop", "mf", "fism"} <= set(found["sources"])
    assert all(set(of) == FIGURES for of in found["sources"].values())
    assert set(found["slices"]) == {"user_events_2_6", "item_events_1_5", "first_event"}
    assert all(set(of) == {*FIGURES, "scored"} for of in found["slices"].values())
    assert set(found["lists"]) == {"coverage", "gini", "intra_list_distance", "novelty"}
    assert sum(window["scored"] for window in found["windows"]) == found["scored"]
    assert found["windows"][-1]["to_event"] == 192
    assert found["us_per_event"] == pytest.approx(found["us_score"] + found["us_learn"], abs=0.2)
    assert found["machine"]
    assert found["asked"]["set"] == MODEL[1::2]


def test_two_answers_are_compared_as_they_were_printed(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, change in (("a", "pairs.proposals=200"), ("b", "pairs.proposals=0")):
        capsys.readouterr()
        arguments = ["evaluate", str(file), *MODEL, "--set", change, "--no-sources", "--json"]
        assert run(arguments) == 0
        (tmp_path / f"{name}.json").write_text(capsys.readouterr().out)
    found = answer(capsys, "evaluate", "--compare", "a.json", "b.json")
    assert {"recall@10", "mrr@20", "p_mcnemar", "only_a_hit", "verdict"} <= set(found)
    assert set(found["recall@10"]) == {"a", "b", "difference", "ci95", "p_sign_flip"}
    assert run(["evaluate", "--compare", "a.json", "b.json"]) == 0
    shown = capsys.readouterr().out
    assert "McNemar p" in shown
    assert "b.json against a.json" in shown
    arguments = ["evaluate", str(file), *MODEL, "--every", "2", "--no-sources", "--json"]
    assert run(arguments) == 0
    (tmp_path / "c.json").write_text(capsys.readouterr().out)
    refused = answer(capsys, "evaluate", "--compare", "a.json", "c.json", code=2)
    assert "scored different events" in refused["error"]


def test_graded_rows_teach_and_the_chosen_are_scored(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graded = answer(capsys, "evaluate", str(file), "--targets", "value>=4", *MODEL)
    plain = answer(capsys, "evaluate", str(file), "--positive", "value>=4", *MODEL)
    assert (graded["events"], plain["events"]) == (240, 96)
    assert graded["scored"] <= 96
    clicks = answer(
        capsys, "evaluate", str(file), "--targets", "value>=4", "--type", "click", *MODEL
    )
    assert clicks["scored"] == graded["scored"]
    assert clicks["outcome"]["events"] == graded["outcome"]["events"]


def test_leave_last_out_scores_each_person_once(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, "evaluate", str(file), "--protocol", "leave-last-out", *MODEL)
    assert (found["protocol"], found["scored"]) == ("leave-last-out", 12)


def test_a_table_and_a_page(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", str(file), "--limit", "100", *MODEL, "--report", "r.html"]
    assert run(arguments) == 0
    said = capsys.readouterr()
    assert "an item's first event" in said.out
    assert "µs an event" in said.out
    assert "the report is in r.html" in said.err
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


def test_nothing_to_score_is_zeros_and_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.csv").write_text(f"user,item,ts\nu,a,{S}\nv,b,{S}\n")
    capsys.readouterr()
    assert run(["evaluate", "one.csv", *MODEL, "--json"]) == 0
    said = capsys.readouterr()
    assert "nothing was scored" in said.err
    found = json.loads(said.out)
    assert found["scored"] == 0
    assert found["fused"] == {"recall@10": 0.0, "recall@50": 0.0, "mrr@20": 0.0, "ci95": [0.0, 1.0]}
    assert run(["evaluate", "one.csv", *MODEL]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ([], 2, "name a data set or a file, or two answers with --compare"),
        (["walks.csv", "--compare", "a", "b"], 2, "--compare takes two answers"),
        (["--compare", "none.json", "b.json"], 3, "none.json is not there"),
        (["walks.csv", "--set", "pairs.width"], 2, "write KEY=VALUE"),
        (["walks.csv", "--set", "pairs.breadth=3"], 2, "there is no setting pairs.breadth"),
        (["walks.csv", "--targets", "value>="], 2, "--targets 'value>='"),
        (["walks.csv", "--targets", "stars>=4"], 2, "--targets 'stars>=4'"),
        (["walks.csv", "--report", "none/r.html"], 3, "is not there"),
        (["walks.csv", "--report", "."], 2, "is a folder"),
        (["walks.csv", "--protocol", "random-split"], 2, "leave-last-out"),
        (["walks.csv", "--seed", "-1"], 2, "--seed"),
    ],
)
def test_what_cannot_be_is_said_at_once(
    arguments: list[str],
    code: int,
    sentence: str,
    file: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert file.name == "walks.csv"
    assert sentence in answer(capsys, "evaluate", *arguments, code=code)["error"]


def test_settings_are_tuned_and_the_gain_is_judged(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt = ["--set", "model.sources=pop,mf"]  # two that are far from their best here
    arguments = [str(file), *MODEL, *spoilt, "--trials", "10", "--share", "0.5"]
    found = answer(capsys, "tune", *arguments)
    assert (found["trials"], found["searched_events"], found["interrupted"]) == (10, 120, False)
    assert found["best"] > found["base"]
    assert found["rest"]["scored"] > 0
    assert run(["tune", *arguments]) == 0
    said = capsys.readouterr()
    assert found["toml"] in said.out
    assert found["verdict"][1:] in said.out
    assert "trial" in said.err


def test_a_search_that_is_interrupted_says_the_best_so_far(file: Path) -> None:
    """Told to stop at its first find, among more trials than anybody waits for."""
    endless = ["--set", "model.sources=pop,mf", "--trials", "1000000", "--share", "0.5", "--json"]
    with begun("tune", str(file), *MODEL, *endless) as searching:
        assert searching.stderr is not None
        first = next(line for line in searching.stderr if line.startswith("trial "))
        searching.send_signal(signal.SIGINT)
        printed, errors = searching.communicate(timeout=60)
    assert searching.returncode == 130
    (line,) = printed.splitlines()
    found = json.loads(line)
    assert (found["interrupted"], found["rest"]) == (True, None)
    assert found["trials"] >= int(first.split()[1].rstrip(":"))
    assert found["best"] > found["base"]
    assert found["changed"]
    assert "Traceback" not in errors


def test_a_file_that_is_too_short_to_tune_on_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.csv").write_text(f"user,item,ts\nu,a,{S}\n")
    assert "too few" in answer(capsys, "tune", "one.csv", code=2)["error"]
