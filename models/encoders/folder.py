"""Encoders out of folders: one with an `encoder.json`, or any Hugging Face ONNX export."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec
import numpy as np

from millstream.models.encoders import huggingface, spec
from millstream.models.encoders.audio import AudioReader
from millstream.models.encoders.encoder import (
    Encoder,
    Modality,
    Pixels,
    Sound,
    Vectors,
)
from millstream.models.encoders.image import ImageReader, open_preprocessing
from millstream.models.encoders.model import open_model
from millstream.models.encoders.spec import EncoderSpec
from millstream.models.encoders.text import TextReader, open_tokenizer
from millstream.models.errors import EncoderRefused

PREPARATION: Final = 1
"""Part of every version: raised when the code that prepares content changes what it gives."""

THREADS: Final = 1
Content = TypeVar("Content")


@dataclass(frozen=True, slots=True)
class FolderEncoder(Generic[Content]):
    """An `Encoder` that a folder holds."""

    modality: Modality
    space: str
    dim: int
    version: str
    read: Callable[[Sequence[Content]], Vectors]

    def encode(self, items: Sequence[Content]) -> Vectors:
        """Return shape (len(items), dim)."""
        return self.read(items) if len(items) else np.zeros((0, self.dim), np.float32)


def modalities(folder: Path) -> tuple[Modality, ...]:
    """Return what a folder can encode. Raises EncoderRefused("bad-config"), OSError."""
    if (folder / spec.FILE).is_file():
        return (spec.read_spec(folder).modality,)
    return tuple(huggingface.modalities(folder))


def model_files(folder: Path, modality: Modality) -> tuple[str, ...]:
    """Return the model files that encode a modality, relative to the folder: floats, 8 bits."""
    if (folder / spec.FILE).is_file():
        return tuple(sorted(path.name for path in folder.glob("*.onnx")))
    file = huggingface.model_file(folder, modality)
    return (file,) if file else ()


def open_text(
    folder: Path,
    allowed: Collection[str] | None = None,
    threads: int = THREADS,
    file: str | None = None,
) -> Encoder[str]:
    """Return the text encoder of a folder; `allowed` sha256 of model files, None allows any.

    `file` is another model file of the folder than the one it names, such as its floats. Raises
    EncoderRefused, and OSError for files that cannot be read; so do the other two.
    """
    said = _spec(folder, "text", file)
    model = open_model(folder, said, allowed, threads)
    read = TextReader(model, said, open_tokenizer(folder, said))
    return _encoder(folder, said, model.sha256, read, ["a", "two words", "a"])


def open_image(
    folder: Path,
    allowed: Collection[str] | None = None,
    threads: int = THREADS,
    file: str | None = None,
) -> Encoder[Pixels]:
    """Return the image encoder of a folder."""
    said = _spec(folder, "image", file)
    model = open_model(folder, said, allowed, threads)
    read = ImageReader(model, said, open_preprocessing(folder, said))
    ramp = np.linspace(0, 255, 16 * 24 * 3).astype(np.uint8).reshape(16, 24, 3)
    return _encoder(folder, said, model.sha256, read, [ramp, ramp[:, ::-1]])


def open_audio(
    folder: Path,
    allowed: Collection[str] | None = None,
    threads: int = THREADS,
    file: str | None = None,
) -> Encoder[Sound]:
    """Return the audio encoder of a folder."""
    said = _spec(folder, "audio", file)
    model = open_model(folder, said, allowed, threads)
    rate = said.sample_rate
    tone = np.sin(2 * np.pi * 440 / rate * np.arange(rate)).astype(np.float32)
    return _encoder(folder, said, model.sha256, AudioReader(model, said), [Sound(tone, rate)])


def _spec(folder: Path, modality: Modality, file: str | None) -> EncoderSpec:
    if not folder.is_dir():
        raise FileNotFoundError(f"the folder {folder} is not there")
    if (folder / spec.FILE).is_file():
        said = spec.read_spec(folder)
        if said.modality != modality:
            raise EncoderRefused("bad-config", f"{folder} encodes {said.modality}, not {modality}")
    else:
        said = huggingface.read_export(folder, modality)
    return msgspec.structs.replace(said, file=file) if file else said


def _encoder(
    folder: Path,
    said: EncoderSpec,
    sha256: str,
    read: Callable[[Sequence[Content]], Vectors],
    samples: Sequence[Content],
) -> FolderEncoder[Content]:
    """Return the encoder once it has encoded samples, so that what is wrong is said now."""
    rows = read(samples)
    dim = rows.shape[1]
    if said.dim and dim != said.dim:
        raise EncoderRefused(
            "wrong-shape",
            f"the model gives {dim} numbers where encoder.json says {said.dim}; correct dim",
        )
    config = hashlib.sha256(msgspec.json.encode(said, order="sorted"))
    for name in {"text": (said.tokenizer,), "image": (said.preprocessor,), "audio": ()}[
        said.modality
    ]:
        config.update(hashlib.sha256((folder / name).read_bytes()).digest())
    version = hashlib.sha256(f"{PREPARATION} {sha256} {config.hexdigest()}".encode()).hexdigest()
    space = said.space or _space(folder, said, version)
    return FolderEncoder(said.modality, space, dim, version[:16], read)


def _space(folder: Path, said: EncoderSpec, version: str) -> str:
    """Return one name for the towers of one export, and for a single encoder its own."""
    if (folder / spec.FILE).is_file():
        return f"{said.modality}-{version[:16]}"
    files = sorted({huggingface.model_file(folder, one) or "" for one in modalities(folder)})
    if len(modalities(folder)) < 2:
        return f"{said.modality}-{version[:16]}"
    towers = hashlib.sha256()
    for name in files:
        with (folder / name).open("rb") as file:
            towers.update(hashlib.file_digest(file, "sha256").digest())
    return f"shared-{towers.hexdigest()[:16]}"
