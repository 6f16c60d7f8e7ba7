"""Who makes each part of an item's embedding: encoders, and of attributes plain hashing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from millstream.models.attributes import DIM, VERSION, Floats, categories_vector, numbers_vector
from millstream.models.embedding import Modality
from millstream.models.encoders import Encoders, Vectors
from millstream.streams.item_content import Attributes


class Maker(Protocol):
    """Turns inputs of one modality into vectors: an `Encoder` does, and so do attributes.

    Equal inputs and version give equal vectors.
    """

    @property
    def version(self) -> str:
        """Return what names its weights and its preparation of inputs."""

    # Texts, pictures, sounds or attributes, as the modality says.
    def encode(self, items: Sequence[Any]) -> Vectors:
        """Return one row an input, of length 1, or of zeros where there is nothing to encode.

        Raises EncoderRefused for what comes to no number.
        """


Makers = Mapping[Modality, Maker]


@dataclass(frozen=True, slots=True)
class AttributeVectors:
    """A maker of vectors out of an item's fields: nothing is learnt, nothing is opened."""

    vector: Callable[[Attributes], Floats | None]
    version: str = VERSION

    def encode(self, items: Sequence[Attributes]) -> Vectors:
        """Return shape (len(items), DIM)."""
        rows = [self.vector(one) for one in items]
        none = np.zeros(DIM, np.float32)
        return np.array([none if row is None else row for row in rows], np.float32).reshape(-1, DIM)


OF_ATTRIBUTES: Final[Makers] = {
    "categories": AttributeVectors(lambda one: categories_vector(one.categories, one.language)),
    "numbers": AttributeVectors(lambda one: numbers_vector(one.year, one.price)),
}


def makers_of(encoders: Encoders) -> Makers:
    """Return who makes each modality, with these encoders."""
    return {**_by_modality(encoders), **OF_ATTRIBUTES}


def _by_modality(encoders: Encoders) -> dict[Modality, Maker]:
    found: dict[Modality, Maker] = {}
    if "text" in encoders:
        found["text"] = encoders["text"]
    if "image" in encoders:
        found["image"] = encoders["image"]
    if "audio" in encoders:
        found["audio"] = encoders["audio"]
    return found
