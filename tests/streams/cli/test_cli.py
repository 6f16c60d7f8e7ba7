"""The command line as a whole: help, exit codes, one line of JSON, and being interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import click
import pytest
from tests.streams.cli.begun import begun

from millstream.exporters.errors import StoreError, StoreUnavailable
from millstream.models.errors import StateRefused
from millstream.streams import cli as cli_module
from millstream.streams.cli import COMMANDS, run
from millstream.streams.cli.options import json_option
from millstream.streams.cli.output import print_json
from millstream.streams.errors import BadUsage, FoundWrong, WorldMissing


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with nothing in it, and an environment that says nothing."""
    for name in [name for name in os.environ if name.startswith("MILLSTREAM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MILLSTREAM_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = import_module(f"millstream.streams.cli.{name}").command
    inner = command.commands if isinstance(command, click.Group) else []
    for words in ([name], *([name, one] for one in inner)):
        assert run([*words, "--help"]) == 0
        said = capsys.readouterr().out
        assert said.startswith(f"Usage: millstream {' '.join(words)}")
        assert f"Example:\n    millstream {name}" in said


def test_the_list_of_commands_says_what_each_says_of_itself(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    for name, what in COMMANDS.items():
        assert f"  {name} " in said
        assert what in said


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("millstream, version ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["list"],
        ["list", "u", "--nonsense"],
        ["list", "u", "--kafka", "localhost"],
        ["list", "u", "--settings", __file__],
        ["list", "\n"],
        ["watch", "u", "--for", "-1"],
        ["items", "load"],
        ["items", "load", "--delete", ""],
        ["data", "fetch", "netflix"],
        ["replay", __file__],
        ["replay", "x.csv", "--columns", "user"],
    ],
)
def test_bad_usage_is_2_and_a_sentence(
    arguments: list[str], nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    redis = ["--redis", "redis://127.0.0.1:1/0"] if arguments[0] in ("list", "watch") else []
    assert run([*arguments, *(redis if len(arguments) > 1 else [])]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "rror: " in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["list", "u"], "start one with: millstream stack start"),
        (["watch", "u"], "start one with: millstream stack start"),
        (["items", "load", "--delete", "x"], "start one with: millstream stack start"),
        (["topics", "check"], "start one with: millstream stack start"),
        (["replay", "none.csv"], "the file none.csv is not there"),
        (["list", "u", "--settings", "none.toml"], "the settings file none.toml is not there"),
        (["list", "u", "--redis", "redis://127.0.0.1:1/0"], "127.0.0.1:1"),
    ],
)
def test_a_missing_world_is_3_and_says_what_to_do(
    arguments: list[str], sentence: str, nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments, "--json"]) == 3
    said = capsys.readouterr()
    assert sentence in said.err
    assert "Traceback" not in said.err
    (line,) = said.out.splitlines()
    answer = json.loads(line)
    assert answer["exit_code"] == 3
    assert sentence in answer["error"]


def test_an_unknown_variable_of_ours_is_refused(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MILLSTREAM_LIST_LENGHT", "3")
    assert run(["data", "list"]) == 2
    assert "MILLSTREAM_LIST_LENGTH" in capsys.readouterr().err


def command_that(fault: BaseException | None, answers: bool = False) -> click.Command:
    @click.command()
    @json_option
    def command(as_json: bool) -> None:
        """Do as it is told."""
        if answers and as_json:
            print_json({"faults": 2})
        if fault is not None:
            raise fault

    return command


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (None, 0),
        (FoundWrong("it is wrong"), 1),
        (BadUsage("it is wrong"), 2),
        (WorldMissing("it is wrong"), 3),
        (StoreUnavailable("it is wrong", 1.0), 3),
        (StoreError("it is wrong"), 1),
        (StateRefused("it is wrong"), 1),
        (PermissionError(13, "it is wrong"), 3),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
    ],
)
def test_each_fault_has_its_exit_code_and_is_told_as_a_sentence(
    fault: BaseException | None,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli_module.cli, "get_command", lambda *_: command_that(fault))
    assert run(["anything"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    if isinstance(fault, Exception) and not isinstance(fault, click.Abort):
        assert said.err.startswith("error: ")
        assert "it is wrong" in said.err
    else:
        assert said.err.strip() == ""


def test_a_bad_answer_is_printed_once_and_is_the_only_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = command_that(FoundWrong("it is wrong"), answers=True)
    monkeypatch.setattr(cli_module.cli, "get_command", lambda *_: bad)
    assert run(["anything", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"faults": 2}


def test_a_bug_is_not_dressed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    bug = command_that(ZeroDivisionError())
    monkeypatch.setattr(cli_module.cli, "get_command", lambda *_: bug)
    with pytest.raises(ZeroDivisionError):
        run(["anything"])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_ends_soon_and_silently(
    redis_url: str, sent: signal.Signals
) -> None:
    with begun("watch", "somebody", "--redis", redis_url) as watching:
        assert watching.stdout is not None
        watching.stdout.readline()
        began = time.monotonic()
        watching.send_signal(sent)
        _, errors = watching.communicate(timeout=30)
    assert watching.returncode == 130
    assert time.monotonic() - began < 10
    assert errors.strip() == ""


def test_a_reader_that_leaves_is_no_fault() -> None:
    shown = subprocess.run(
        f"{sys.executable} -c 'from millstream.streams.cli import main; main()' --help | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.startswith("Usage: millstream")
    assert shown.stderr == ""
