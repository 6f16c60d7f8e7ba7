"""`millstream encoders` answers with one line and an exit code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.models.encoders.folders import clip_in_two_files, sentence_embedder

from millstream.streams.cli import run

Ask = Callable[..., Any]


@pytest.fixture
def answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ask:
    """Run a command with --json, with nothing fetched; return its one line."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def ask(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert run(["encoders", *arguments, "--json"]) == code
        (line,) = capsys.readouterr().out.splitlines()
        return json.loads(line)

    return ask


def test_list_says_what_is_here(answer: Ask) -> None:
    said = answer("list")
    here = {one["name"]: one["here"] for one in said["encoders"]}
    assert here == {
        "use-multilingual": False,
        "efficientnet-lite0": False,
        "aisfx": False,
        "hashing": True,
    }
    assert said["settings"] == {"text": "auto", "image": "auto", "audio": "auto"}


def test_check_tells_what_a_folder_gives(answer: Ask, tmp_path: Path) -> None:
    clip_in_two_files(tmp_path / "clip")
    said = answer("check", str(tmp_path / "clip"))
    assert said["refused"] is None
    text, image = said["encoders"]
    assert (text["modality"], image["modality"]) == ("text", "image")
    assert text["space"] == image["space"]


def test_check_tells_why_a_folder_is_refused(answer: Ask, tmp_path: Path) -> None:
    sentence_embedder(tmp_path / "bad")
    (tmp_path / "bad/onnx/model.onnx").write_bytes(b"x")
    said = answer("check", str(tmp_path / "bad"), code=1)
    assert said["refused"] == "corrupt"
    assert answer("check", str(tmp_path), code=1)["refused"] == "bad-config"


def test_what_is_not_here_is_missing_and_what_is_not_known_is_bad_usage(answer: Ask) -> None:
    assert answer("check", "aisfx", code=3)["exit_code"] == 3
    assert answer("check", "/no/such/folder", code=3)["exit_code"] == 3
    assert "known: use-multilingual" in answer("fetch", "bert", code=2)["error"]


def test_bench_times_files_and_names_the_machine(answer: Ask, tmp_path: Path) -> None:
    sentence_embedder(tmp_path / "e5")
    said = answer("bench", str(tmp_path / "e5"))
    assert "cores" in said["machine"]
    (hashing, folder) = said["encoders"]
    assert hashing["name"] == "hashing"
    assert folder["items_per_s"] > 0
