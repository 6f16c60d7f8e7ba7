"""Media out of messages and folders: within their bounds, and nowhere else."""

import os
from base64 import b64encode
from pathlib import Path

import pytest
from tests.streams.embedding import film, png, wav

from millstream.streams.https_fetch import HttpsFetcher
from millstream.streams.item_content import (
    MEDIA_FIELDS,
    AtUrl,
    InFolder,
    Inline,
    MediaField,
    Unclear,
)
from millstream.streams.media import MediaReader, MediaRefused, check_kind, digest_of_url

MOST = 1000


@pytest.fixture
def reader(tmp_path: Path) -> MediaReader:
    (tmp_path / "media" / "deep").mkdir(parents=True)
    return MediaReader(tmp_path / "media", MOST, HttpsFetcher([], MOST, 1.0))


def refusal(reader: MediaReader, ref: InFolder | Inline | Unclear) -> str:
    with pytest.raises(MediaRefused) as refused:
        reader.local(ref)
    return refused.value.reason


def test_data_in_the_message_are_decoded(reader: MediaReader) -> None:
    assert reader.local(Inline(b64encode(b"abc").decode())) == b"abc"
    assert reader.local(Inline("YW\nJj")) == b"abc"
    assert refusal(reader, Inline("YWJ")) == "media-reference"
    assert refusal(reader, Inline("é")) == "media-reference"
    assert refusal(reader, Inline(b64encode(b"x" * (MOST + 1)).decode())) == "media-too-large"
    assert refusal(reader, Unclear()) == "media-reference"


def test_a_path_is_read_below_the_folder(reader: MediaReader, tmp_path: Path) -> None:
    (tmp_path / "media" / "deep" / "a").write_bytes(b"x" * MOST)
    (tmp_path / "media" / "link").symlink_to("deep/a")
    assert reader.local(InFolder("deep/a")) == b"x" * MOST
    assert reader.local(InFolder("link")) == b"x" * MOST, "a link that stays inside"
    assert reader.local(InFolder(str(tmp_path / "media/deep/a"))) == b"x" * MOST


@pytest.mark.parametrize("path", ["../secret", "deep/../../secret", "out", "outdir/secret"])
def test_nothing_outside_the_folder_is_read(reader: MediaReader, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "media" / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "media" / "outdir").symlink_to(tmp_path)
    assert refusal(reader, InFolder(path)) == "media-forbidden"
    assert refusal(reader, InFolder(str(tmp_path / "secret"))) == "media-forbidden"
    assert refusal(reader, InFolder(str(tmp_path / "missing"))) == "media-forbidden"


def test_what_is_no_file_within_bounds_is_refused(reader: MediaReader, tmp_path: Path) -> None:
    folder = tmp_path / "media"
    (folder / "large").write_bytes(b"x" * (MOST + 1))
    os.mkfifo(folder / "pipe")
    (folder / "ring").symlink_to("ring")
    assert refusal(reader, InFolder("large")) == "media-too-large"
    for name in ("pipe", "ring", "deep", "missing", "x" * 5000):
        assert refusal(reader, InFolder(name)) == "media-missing", name
    assert refusal(reader, InFolder("a\0b")) == "media-forbidden"


def test_without_a_folder_no_path_is_read() -> None:
    reader = MediaReader(None, MOST, HttpsFetcher([], MOST, 1.0))
    assert refusal(reader, InFolder("a")) == "media-forbidden"


def test_a_url_is_not_at_hand_and_is_known_by_itself(reader: MediaReader) -> None:
    one, two = AtUrl("https://a.example/1"), AtUrl("https://a.example/2")
    assert reader.local(one) is None
    assert digest_of_url(one) != digest_of_url(two)
    with pytest.raises(MediaRefused) as refused:
        reader.fetch(one)
    assert refused.value.reason == "media-forbidden"


@pytest.mark.parametrize(
    ("field", "content"),
    [
        ("image", png(1, 2, 3)),
        ("image", b"\xff\xd8\xff\xe0rest"),
        ("image", b"RIFF\0\0\0\0WEBPVP8 "),
        ("audio", wav(0.1)),
        ("audio", b"ID3\x04rest"),
        ("audio", b"\xff\xfb\x90\x00"),
        ("audio", b"OggSrest"),
        ("audio", b"fLaCrest"),
        ("video", film(png(1, 2, 3))),
        ("video", b"\x1a\x45\xdf\xa3rest"),
        ("video", b"RIFF\0\0\0\0AVI LIST"),
    ],
)
def test_a_medium_is_known_by_its_first_bytes(field: MediaField, content: bytes) -> None:
    check_kind(field, content)
    for other in MEDIA_FIELDS:
        if other != field:
            with pytest.raises(MediaRefused, match=f"bad-{other}"):
                check_kind(other, content)


@pytest.mark.parametrize("content", [b"", b"\xff", b"<svg/>", b"GIF89a", b"%PDF-1.4", b"PK\3\4"])
def test_all_else_is_no_medium(content: bytes) -> None:
    for field in MEDIA_FIELDS:
        with pytest.raises(MediaRefused):
            check_kind(field, content)
