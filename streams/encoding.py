"""What ENCODE asks of encoders and decoders of media: small protocols, whoever makes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from millstream.models.embedding import Modality
from millstream.models.errors import ModelError

Pixels = npt.NDArray[np.uint8]
"""A picture, RGB, shape (height, width, 3)."""


class MediaError(ModelError):
    """Bytes that are no medium of their kind, or one that is too large to be decoded."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Encoder(Protocol):
    """Turns inputs of one modality into vectors; equal inputs and version give equal vectors."""

    @property
    def modality(self) -> Modality:
        """Return what it encodes."""

    @property
    def version(self) -> str:
        """Return what names its weights and its preparation of inputs, hex."""

    @property
    def dim(self) -> int:
        """Return the length of its vectors."""

    # Texts, pictures or sounds, as the modality says: a union would be cast at every call.
    def encode(self, items: Sequence[Any]) -> npt.NDArray[np.float32]:
        """Return one L2-normalised row an input, shape (len(items), dim)."""


@dataclass(frozen=True, slots=True)
class MediaDecoders:
    """Bytes to what encoders take. Each raises MediaError."""

    picture: Callable[[bytes], Pixels]
    sound: Callable[[bytes], object]
    video: Callable[[bytes], Sequence[Pixels]]
    """The frames that stand for a film: at least one."""
