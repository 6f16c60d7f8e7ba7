"""What encoders made of one item: a vector a modality, by which encoder, and of what input."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from millstream.models.errors import ModelError

Modality = Literal["text", "image", "audio", "categories", "numbers"]
MODALITIES: Final[tuple[Modality, ...]] = get_args(Modality)
DIGEST_BYTES: Final = 16
DIM_MAX: Final = 8192
NORM_SLACK: Final = 0.01
"""How far a vector's length may be from 1: float16 moves it by a few thousandths at most."""


class BadVector(ModelError):
    """An encoder gave something that is no unit vector of finite numbers."""


@dataclass(frozen=True, slots=True)
class Part:
    """One modality: `vector` float16 (dim,) of length 1, read-only.

    `version` names who made it; `digest` is `content_digest` of what it was given.
    """

    vector: npt.NDArray[np.float16]
    version: str
    digest: bytes

    def __eq__(self, other: object) -> bool:
        """Return whether both say the same, to the last bit of the vector."""
        if not isinstance(other, Part):
            return NotImplemented
        return (self.version, self.digest) == (other.version, other.digest) and (
            self.vector.tobytes() == other.vector.tobytes()
        )

    def __hash__(self) -> int:
        """Hash as what was encoded by whom."""
        return hash((self.version, self.digest))


Mark = tuple[Modality, str, bytes]
"""A modality, the version of its encoder and the digest of its input."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """An item's parts by modality; a modality that the item has not, or that failed, is absent."""

    parts: Mapping[Modality, Part] = field(default_factory=dict)

    def vector(self, modality: Modality) -> npt.NDArray[np.float16] | None:
        """Return the vector of one modality, None where there is none."""
        part = self.parts.get(modality)
        return None if part is None else part.vector

    def fingerprint(self) -> tuple[Mark, ...]:
        """Return what was encoded by whom, in the order of MODALITIES: the embedding's identity."""
        return tuple(
            (modality, part.version, part.digest)
            for modality in MODALITIES
            if (part := self.parts.get(modality)) is not None
        )


def content_digest(*content: bytes) -> bytes:
    """Return the BLAKE2b-128 of an encoder's input; parts are told apart by their lengths."""
    digest = blake2b(digest_size=DIGEST_BYTES)
    for one in content:
        digest.update(len(one).to_bytes(8, "little"))
        digest.update(one)
    return digest.digest()


def unit_vector(given: npt.NDArray[np.floating]) -> npt.NDArray[np.float16]:
    """Return one row of an encoder's output, shape (dim,), as float16, read-only.

    Raises BadVector where it is empty, too long, not finite or not of length 1.
    """
    if given.ndim != 1 or not 0 < len(given) <= DIM_MAX:
        raise BadVector(f"a vector of shape {given.shape}")
    norm = float(np.linalg.norm(given.astype(np.float32)))
    if not abs(norm - 1.0) <= NORM_SLACK:  # so written, NaN is refused too
        raise BadVector(f"a vector of length {norm:.3f}, not 1")
    vector = given.astype(np.float16)
    vector.flags.writeable = False
    return vector
