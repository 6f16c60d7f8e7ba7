"""A fetched folder is whole or not there, whatever happened and whoever else fetched it."""

from pathlib import Path

import pytest

from millstream.streams.fetched import fetched_into


def put(folder: Path, content: str = "ours", torn: bool = False) -> None:
    with fetched_into(folder, lambda: (folder / "whole").is_file()) as (aside, ready):
        (aside / "archive").write_text("what was downloaded")
        (ready / "whole").write_text(content)
        if torn:
            raise ValueError("torn")


def content(folder: Path) -> dict[str, str]:
    """All files near a folder, hidden ones too."""
    return {
        str(path.relative_to(folder.parent)): path.read_text()
        for path in folder.parent.rglob("*")
        if path.is_file()
    }


def test_what_was_filled_stands_there_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path / "sets" / "one")
    assert content(tmp_path / "sets" / "one") == {"one/whole": "ours"}
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["one"]


def test_when_filling_fails_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="torn"):
        put(tmp_path / "one", torn=True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_and_not_whole_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "half").write_text("x")
    put(tmp_path / "one")
    assert content(tmp_path / "one") == {"one/whole": "ours"}


def test_who_was_quicker_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    with fetched_into(folder, lambda: (folder / "whole").is_file()) as (_, ready):
        (ready / "whole").write_text("ours")
        put(folder, "theirs")
    assert content(folder) == {"one/whole": "theirs"}


def test_a_place_that_is_taken_by_a_file_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("a file")
    with pytest.raises(OSError, match="one"):
        put(tmp_path / "one")
    assert content(tmp_path / "one") == {"one": "a file"}
