"""Media as bytes: out of the message, a folder or an allowed host, each within its bounds."""

import binascii
import errno
import os
import stat
from base64 import b64decode
from pathlib import Path, PurePosixPath
from typing import Final, Literal, get_args

from millstream.models.embedding import content_digest
from millstream.streams.errors import MillstreamError
from millstream.streams.https_fetch import HttpsFetcher, NotFetched
from millstream.streams.item_content import AtUrl, InFolder, Inline, MediaField, MediaRef

MediaReason = Literal[
    "bad-image",
    "bad-audio",
    "bad-video",
    "bad-vector",
    "media-reference",
    "media-missing",
    "media-forbidden",
    "media-unreachable",
    "media-too-large",
]
MEDIA_REASONS: Final[tuple[MediaReason, ...]] = get_args(MediaReason)

BAD: Final[dict[MediaField, MediaReason]] = {
    "image": "bad-image",
    "audio": "bad-audio",
    "video": "bad-video",
}
"""The reason where the bytes are there and are no such medium."""
FORMATS: Final[dict[MediaField, str]] = {
    "image": "JPEG, PNG or WebP",
    "audio": "WAV, FLAC, Ogg or MP3",
    "video": "MP4, WebM or AVI",
}


class MediaRefused(MillstreamError):
    """A medium that cannot be had; `reason` is one of the closed list, `detail` for a person."""

    def __init__(self, reason: MediaReason, detail: str = "") -> None:
        self.reason: MediaReason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class MediaReader:
    """Reads what media fields refer to. Owned by one thread; opens a file or socket a call."""

    def __init__(self, folder: Path | None, bytes_max: int, fetcher: HttpsFetcher) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._fetcher = fetcher

    def local(self, ref: MediaRef) -> bytes | None:
        """Return the bytes of what is at hand, None of what would have to be fetched.

        Raises MediaRefused.
        """
        if isinstance(ref, Inline):
            return self._inline(ref.base64)
        if isinstance(ref, InFolder):
            return self._in_folder(ref.path)
        if isinstance(ref, AtUrl):
            return None
        raise MediaRefused("media-reference", "neither base64 data, a path nor an https URL")

    def fetch(self, ref: AtUrl) -> bytes:
        """Return what is at a URL. Raises MediaRefused."""
        try:
            return self._fetcher.get(ref.url)
        except NotFetched as error:
            raise MediaRefused(error.reason, error.detail) from error

    def _inline(self, text: str) -> bytes:
        try:
            content = b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise MediaRefused("media-reference", "not base64") from error
        return self._within(content)

    def _in_folder(self, path: str) -> bytes:
        if self._folder is None:
            raise MediaRefused("media-forbidden", "encode.media_dir is not set")
        pure = PurePosixPath(path)
        try:
            root = self._folder.resolve(strict=True)
            away = pure.is_absolute() and not pure.is_relative_to(root)
            if away or ".." in pure.parts or "\0" in path or "\\" in path:
                raise MediaRefused("media-forbidden", "not a path below the media folder")
            found = (root / pure).resolve(strict=True)
            if not found.is_relative_to(root):
                raise MediaRefused("media-forbidden", "a link out of the media folder")
            return self._within(_read(found, self._bytes_max + 1))
        except (OSError, RuntimeError) as error:  # RuntimeError: links in a ring, before 3.13
            raise MediaRefused("media-missing", type(error).__name__) from error

    def _within(self, content: bytes) -> bytes:
        if len(content) > self._bytes_max:
            raise MediaRefused("media-too-large", f"more than {self._bytes_max} bytes")
        return content


def digest_of_url(ref: AtUrl) -> bytes:
    """Return what stands for a URL's content: what changes behind it is not seen."""
    return content_digest(b"url", ref.url.encode())


def check_kind(field: MediaField, content: bytes) -> None:
    """Raise MediaRefused where the first bytes are of no such medium, whatever was claimed."""
    if not _looks_like(field, content[:16]):
        said = "it has no bytes" if not content else f"its first bytes are not of {FORMATS[field]}"
        raise MediaRefused(BAD[field], said)


def _looks_like(field: MediaField, head: bytes) -> bool:
    riff = head[8:12] if head.startswith((b"RIFF", b"RF64")) else b""
    if field == "image":
        return head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or riff == b"WEBP"
    if field == "audio":
        # A frame of MPEG audio; layer 0 is none, and marks AAC.
        mpeg = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0
        return riff == b"WAVE" or mpeg or head.startswith((b"fLaC", b"OggS", b"ID3"))
    return riff == b"AVI " or head[4:8] == b"ftyp" or head.startswith(b"\x1aE\xdf\xa3")


def _read(path: Path, most: int) -> bytes:
    """Return at most so many bytes of a regular file; a pipe or device is refused unopened."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(most)
