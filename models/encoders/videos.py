"""Films as pictures: one frame a second, at most 32, pooled by the image encoder.

Needs PyAV, an extra: `pip install millstream[video]`.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import numpy as np

from millstream.models.encoders.encoder import Encoder, Pixels, Vectors, unit_rows
from millstream.models.errors import MediaRefused

if TYPE_CHECKING:
    from av import VideoFrame

BYTES_MAX: Final = 200_000_000
PIXELS_MAX: Final = 20_000_000
FRAMES_MAX: Final = 32
DECODED_MAX: Final = 4000  # of which one a second is kept
SIDE_MAX: Final = 512  # pixels; 32 frames at full size could take 2 GB
HEADS: Final = {"mp4": (4, b"ftyp"), "matroska": (0, b"\x1aE\xdf\xa3"), "avi": (8, b"AVI ")}
"""Formats by their first bytes. Left to guess, FFmpeg would read playlists, and what they name."""


def decode_video(content: bytes | Path) -> list[Pixels]:
    """Return one frame a second of MP4, MOV, Matroska, WebM or AVI. Raises MediaRefused, OSError.

    Frames are at most 512 pixels wide and high.
    """
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if not size:
        raise MediaRefused("empty", "the film has no bytes")
    if size > BYTES_MAX:
        raise MediaRefused("too-large", f"the film is above {BYTES_MAX:,} bytes")
    with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        head = file.read(16)
        file.seek(0)
        for name, (place, mark) in HEADS.items():
            if head[place:].startswith(mark):
                return _frames(file, name)
    raise MediaRefused("unknown-format", "the film is not MP4, MOV, Matroska, WebM or AVI")


def encode_video(encoder: Encoder[Pixels], frames: Sequence[Pixels]) -> Vectors:
    """Return shape (1, dim): the mean of the frames' vectors, at length 1."""
    return unit_rows(encoder.encode(frames).mean(axis=0, keepdims=True))


def _frames(file: IO[bytes], name: str) -> list[Pixels]:
    try:
        import av  # an extra
    except ImportError as error:
        raise MediaRefused(
            "unknown-format", "films need PyAV: pip install 'millstream[video]'"
        ) from error
    try:
        with av.open(file, "r", format=name, metadata_errors="ignore") as container:
            if not container.streams.video:
                raise MediaRefused("unknown-format", "the film has no pictures")
            found = [*_each_second(container.decode(container.streams.video[0]))]
    except (av.FFmpegError, ValueError, OverflowError, MemoryError) as error:
        raise MediaRefused("corrupt", f"the film cannot be decoded: {error}") from error
    if not found:
        raise MediaRefused("corrupt", "the film has no picture that can be decoded")
    return found


def _each_second(frames: "Iterator[VideoFrame]") -> Iterator[Pixels]:
    begin: float | None = None
    kept = 0
    for number, frame in enumerate(frames):
        if number >= DECODED_MAX or kept >= FRAMES_MAX:
            return
        if frame.width * frame.height > PIXELS_MAX:
            raise MediaRefused(
                "too-many-pixels", f"the film's frames are {frame.width} x {frame.height}"
            )
        at = float(number) if frame.pts is None else frame.time
        begin = at if begin is None else begin
        if at - begin >= kept:
            kept += 1
            shrink = min(1.0, SIDE_MAX / max(frame.width, frame.height))
            small = frame.reformat(
                max(1, round(frame.width * shrink)), max(1, round(frame.height * shrink)), "rgb24"
            )
            yield np.ascontiguousarray(small.to_ndarray(), np.uint8)
