"""What an encoder's folder says of it: how content is prepared, which file runs, what comes out.

`encoder.json` says it all; huggingface.py reads the same out of an export's own files.
"""

from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from millstream.models.encoders.encoder import Modality
from millstream.models.errors import EncoderRefused

FILE: Final = "encoder.json"
FORMAT: Final = 1
CONFIG_BYTES_MAX: Final = 64_000_000  # a tokenizer for 250,000 pieces has 17

Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Pooling = Literal["none", "mean", "cls"]
"""Of an output of shape (N, tokens, dim): the mean over what is not padding, or the first."""


class MelFeatures(msgspec.Struct, frozen=True):
    """The log-mel picture that CLAP reads; frequencies in Hz, lengths in samples."""

    mels: Count = 64
    fft: Count = 1024
    hop: Count = 480
    low_hz: Annotated[float, msgspec.Meta(ge=0)] = 50.0
    high_hz: Positive = 14_000.0


class EncoderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `encoder.json`; what is not of a modality is not read for it."""

    format: Literal[1] = 1
    modality: Modality
    file: str = "model.onnx"
    output: str = ""  # empty: found by name, see outputs.py
    pooling: Pooling = "none"
    tokens_first: bool = False  # pool tokens even where there is a pooler_output
    dim: Annotated[int, msgspec.Meta(ge=0)] = 0  # 0: as the model gives it
    space: str = ""  # empty: of its own
    inputs: dict[str, str] = {}  # ids, mask, types; pixels; wave, features -> the model's names
    # text
    tokenizer: str = "tokenizer.json"
    prefix: str = ""
    max_length: Annotated[int, msgspec.Meta(ge=2, le=32_768)] = 128  # tokens
    pad_to_max: bool = False
    pad_id: int = 0
    # image
    preprocessor: str = "preprocessor_config.json"
    # audio
    sample_rate: Annotated[int, msgspec.Meta(ge=1000, le=192_000)] = 44_100  # Hz
    window_s: Positive = 10.0
    hop_s: Positive = 10.0
    max_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 60.0
    peak_normalize: bool = False
    repeat_short: bool = False  # fill a window by repetition, not by silence
    features: MelFeatures | None = None  # None: the model reads the wave itself


def read_spec(folder: Path) -> EncoderSpec:
    """Return what `encoder.json` says. Raises EncoderRefused("bad-config"), FileNotFoundError."""
    spec = decode_file(folder / FILE, EncoderSpec)
    for name in (spec.file, spec.tokenizer, spec.preprocessor):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise EncoderRefused(
                "bad-config", f"{folder / FILE} names {name!r}; a file must lie in the folder"
            )
    return spec


T = TypeVar("T")


def decode_file(path: Path, type_: type[T]) -> T:
    """Return a JSON file as this type. Raises EncoderRefused("bad-config"), OSError."""
    try:
        return msgspec.json.decode(read_config(path), type=type_)
    except (msgspec.DecodeError, RecursionError) as error:
        raise EncoderRefused("bad-config", f"{path} cannot be understood: {error}") from error


def read_config(path: Path) -> bytes:
    """Return a small file. Raises EncoderRefused("bad-config") when it is too big, OSError."""
    if path.stat().st_size > CONFIG_BYTES_MAX:
        raise EncoderRefused("bad-config", f"{path} is above {CONFIG_BYTES_MAX:,} bytes")
    return path.read_bytes()
