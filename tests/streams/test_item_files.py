"""Media files beside a catalogue: into the message, or left where the workers find them."""

from base64 import b64decode
from pathlib import Path

import msgspec
import pytest

from millstream.streams.item_fields import ItemMessage
from millstream.streams.item_files import FILE_BYTES_MAX, MediaFiles
from millstream.streams.item_message import ITEM_BYTES_MAX


def packed(files: MediaFiles, **fields: object) -> dict[str, object]:
    message = files.packed(ItemMessage("m1", msgspec.json.encode(fields)))
    assert len(message.value) <= ITEM_BYTES_MAX
    found: dict[str, object] = msgspec.json.decode(message.value)
    return found


def test_a_file_goes_into_the_message(tmp_path: Path) -> None:
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "a.png").write_bytes(b"\x89PNG")
    files = MediaFiles(tmp_path, None)
    found = packed(files, title="A", image="posters/a.png", audio=str(tmp_path / "posters/a.png"))
    assert found == {
        "title": "A",
        "image": {"base64": "iVBORw=="},
        "audio": {"base64": "iVBORw=="},
    }
    assert b64decode("iVBORw==") == b"\x89PNG"
    assert files.said() == []


def test_a_file_of_the_media_folder_stays_a_path_relative_to_it(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    (media / "a.png").write_bytes(b"x" * (FILE_BYTES_MAX + 1))
    files = MediaFiles(tmp_path, media)
    assert packed(files, image="media/a.png") == {"image": "a.png"}
    assert packed(files, image="a.png") == {"image": "a.png"}, "relative to the folder already"
    assert files.said() == []


@pytest.mark.parametrize("image", ["https://a.example/1.png", "data:image/png;base64,AA=="])
def test_what_is_no_path_is_left_as_it_is(tmp_path: Path, image: str) -> None:
    assert packed(MediaFiles(tmp_path, None), image=image) == {"image": image}


def test_what_is_missing_or_does_not_fit_is_left_out_and_said(tmp_path: Path) -> None:
    for name, size in (("large", FILE_BYTES_MAX + 1), ("half", FILE_BYTES_MAX * 2 // 3)):
        (tmp_path / name).write_bytes(b"x" * size)
    files = MediaFiles(tmp_path, None)
    assert packed(files, title="A", image="none.png") == {"title": "A"}
    assert packed(files, title="A", image="large") == {"title": "A"}
    assert packed(files, title="A", image=".") == {"title": "A"}
    both = packed(files, title="A", image="half", video="half")
    assert set(both) == {"title", "image"}, "the second does not fit beside the first"
    assert files.said() == [
        "2 media are not there; the first left out is none.png of item m1",
        "2 media are too large for a message and belong into the folder encode.media_dir; "
        "the first left out is large of item m1",
    ]


def test_what_is_no_path_at_all_is_left_out(tmp_path: Path) -> None:
    files = MediaFiles(tmp_path, None)
    assert packed(files, image="a\0b") == packed(files, image="R0lGOD" * 1000) == {}
    assert all("2 media are not there" in one and len(one) < 200 for one in files.said())
