"""What an encoder is, and what it reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypedDict, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

Modality = Literal["text", "image", "audio"]
MODALITIES: Final[tuple[Modality, ...]] = get_args(Modality)

Pixels = NDArray[np.uint8]
"""A decoded picture: RGB, shape (height, width, 3)."""

Vectors = NDArray[np.float32]
"""Shape (N, dim), rows of length 1, or of zeros where there was nothing to encode; finite."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Mono samples, float32 within -1 to 1, shape (n,), and how many there are a second."""

    samples: NDArray[np.float32]
    rate: int


Content = TypeVar("Content", contravariant=True)


class Encoder(Protocol[Content]):
    """A pure function from content (`str`, `Pixels` or `Sound`) to vectors."""

    @property
    def modality(self) -> Modality:
        """Return what it reads."""

    @property
    def space(self) -> str:
        """Return the name of the space of its vectors.

        Vectors of two encoders may be compared only when their spaces are equal.
        """

    @property
    def dim(self) -> int:
        """Return how many numbers a vector has."""

    @property
    def version(self) -> str:
        """Return 16 hex digits over model file, config and preprocessing.

        Another version means other vectors: everything is embedded again.
        """

    def encode(self, items: Sequence[Content]) -> Vectors:
        """Return one row for each item, in the order given.

        A row does not depend, to within 1e-5, on who shares the batch. Nothing to encode (an
        empty text, for some encoders) is a row of zeros. Raises EncoderRefused("not-finite")
        when the model computes something that is not a number.
        """


class Encoders(TypedDict, total=False):
    """Encoders by modality; one that is off is not in it."""

    text: Encoder[str]
    image: Encoder[Pixels]
    audio: Encoder[Sound]


def unit_rows(rows: NDArray[np.floating]) -> Vectors:
    """Return the rows at length 1, shape and order as given; rows of zeros stay."""
    wide = rows.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: Vectors = (wide / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return unit
