"""Small real encoders and decoders, and the media that they read."""

import io
import struct
import wave
import zlib
from base64 import b64encode
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.encoders import Modality as Encodable
from millstream.models.encoders import Pixels, Sound
from millstream.models.errors import MediaRefused
from millstream.streams.media_decoders import MediaDecoders

PIXELS_MAX: Final = 10_000
SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


class WordHashes:
    """Texts as sums of a random unit vector a word, the same for ever."""

    modality: Encodable = "text"
    space = "word hashes"

    def __init__(self, version: str = "a1", dim: int = 16) -> None:
        self.version = version
        self.dim = dim
        self.calls: list[int] = []

    def encode(self, items: Sequence[str]) -> npt.NDArray[np.float32]:
        self.calls.append(len(items))
        return np.stack([self._one(text) for text in items])

    def _one(self, text: str) -> npt.NDArray[np.float32]:
        total = np.zeros(self.dim)
        for word in text.split():
            seed = blake2b(f"{self.version}{word}".encode(), digest_size=8).digest()
            total += np.random.default_rng(int.from_bytes(seed, "little")).standard_normal(self.dim)
        return np.asarray(total / np.linalg.norm(total), np.float32)


class MeanColours:
    """Pictures as their mean colour."""

    modality: Encodable = "image"
    space = "mean colours"
    dim = 4

    def __init__(self, version: str = "b1") -> None:
        self.version = version
        self.calls: list[int] = []

    def encode(self, items: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        self.calls.append(len(items))
        rows = np.array([[*pixels.mean((0, 1)) / 255.0, 1.0] for pixels in items])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class Loudness:
    """Sounds as how loud they are."""

    modality: Encodable = "audio"
    space = "loudness"
    dim = 2

    def __init__(self, version: str = "c1") -> None:
        self.version = version
        self.calls: list[int] = []

    def encode(self, items: Sequence[Sound]) -> npt.NDArray[np.float32]:
        self.calls.append(len(items))
        rows = np.array([[float(np.abs(sound.samples).mean()), 1.0] for sound in items])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def png(red: int, green: int, blue: int, side: int = 4) -> bytes:
    """A picture of one colour."""
    rows = b"".join(b"\0" + bytes([red, green, blue]) * side for _ in range(side))
    return png_of(side, side, zlib.compress(rows))


def png_of(width: int, height: int, packed: bytes) -> bytes:
    """A PNG that says it has this size, whatever its data hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def read_png(content: bytes) -> Pixels:
    """Decode what `png` made; raises MediaRefused for all else."""
    if len(content) < 41 or not content.startswith(SIGNATURE):
        raise MediaRefused("unknown-format", "not a PNG")
    width, height = struct.unpack(">II", content[16:24])
    if width * height > PIXELS_MAX:
        raise MediaRefused("too-many-pixels", "too many")
    (size,) = struct.unpack(">I", content[33:37])
    try:
        rows = zlib.decompress(content[41 : 41 + size])
    except zlib.error as error:
        raise MediaRefused("corrupt", "torn") from error
    found = np.frombuffer(rows, np.uint8).reshape(height, 1 + 3 * width)
    return found[:, 1:].reshape(height, width, 3)


def wav(level: float) -> bytes:
    """A second of a square wave."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes((np.tile([level, -level], 4000) * 32767).astype("<i2").tobytes())
    return out.getvalue()


def read_wav(content: bytes) -> Sound:
    """Decode what `wav` made."""
    try:
        with wave.open(io.BytesIO(content)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    except (wave.Error, EOFError) as error:
        raise MediaRefused("unknown-format", "not a WAV") from error
    return Sound(np.asarray(samples / 32767, np.float32), 8000)


def film(*frames: bytes) -> bytes:
    """Pictures one after another, behind the first bytes of an MP4."""
    packed = b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)
    return b"\0\0\0\x18ftypisom\0\0\0\0" + packed


def read_film(content: bytes) -> list[Pixels]:
    """Decode what `film` made."""
    frames, at = [], 16
    while at < len(content):
        (size,) = struct.unpack(">I", content[at : at + 4])
        frames.append(read_png(content[at + 4 : at + 4 + size]))
        at += 4 + size
    return frames


DECODERS: Final = MediaDecoders(read_png, read_wav, read_film)


def inline(content: bytes) -> dict[str, str]:
    """A medium as it stands in a message."""
    return {"base64": b64encode(content).decode()}
