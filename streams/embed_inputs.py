"""What each part of an embedding is made of, known by its digest before it is decoded."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from millstream.models.embedding import Modality, content_digest
from millstream.models.errors import MediaRefused as NotDecoded
from millstream.streams.item_content import (
    MODALITY_OF,
    Attributes,
    AtUrl,
    ItemContent,
    MediaField,
    MediaRef,
)
from millstream.streams.media import (
    BAD,
    MediaReader,
    MediaReason,
    MediaRefused,
    check_kind,
    digest_of_url,
)
from millstream.streams.media_decoders import MediaDecoders


@dataclass(frozen=True, slots=True)
class Failure:
    """A field of an item that gives no input, and why."""

    field: str
    modality: Modality
    reason: MediaReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """One input of an item: `load` returns what the encoder takes, several for a film's frames.

    `load` raises MediaRefused; `field` is where it came from.
    """

    field: str
    digest: bytes
    load: Callable[[], list[object]]


@dataclass(slots=True)
class Inputs:
    """An item's inputs by modality, best first, and what failed already."""

    by_modality: dict[Modality, list[Input]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


class InputReader:
    """Reads inputs for the modalities that there are encoders for; attributes need none."""

    def __init__(
        self,
        reader: MediaReader,
        modalities: Collection[Modality],
        decoders: MediaDecoders | None,
    ) -> None:
        """Without decoders media are passed over, whatever the modalities."""
        self._reader = reader
        self._modalities = frozenset(modalities)
        self._decoders = decoders

    def inputs(self, content: ItemContent) -> Inputs:
        """Return an item's inputs: text; its picture, else its film; sound; its attributes."""
        found = Inputs(_of_attributes(content.attributes))
        if content.text and "text" in self._modalities:
            text = content.text
            found.by_modality["text"] = [
                Input("text", content_digest(text.encode()), lambda: [text])
            ]
        for media_field, ref in content.media.items() if self._decoders else ():
            modality = MODALITY_OF[media_field]
            if modality in self._modalities:
                try:
                    one = self._input(media_field, ref)
                except MediaRefused as error:
                    found.failures.append(
                        Failure(media_field, modality, error.reason, error.detail)
                    )
                else:
                    found.by_modality.setdefault(modality, []).append(one)
        return found

    def _input(self, media_field: MediaField, ref: MediaRef) -> Input:
        if isinstance(ref, AtUrl):
            url = ref
            return Input(
                media_field,
                digest_of_url(url),
                lambda: self._decoded(media_field, self._reader.fetch(url)),
            )
        digest = content_digest(media_field.encode(), self._local(media_field, ref))
        # Read again when it is encoded: the media of a whole batch would be much to hold.
        return Input(
            media_field,
            digest,
            lambda: self._decoded(media_field, self._local(media_field, ref, digest)),
        )

    def _local(self, media_field: MediaField, ref: MediaRef, digest: bytes = b"") -> bytes:
        content = self._reader.local(ref)
        assert content is not None, "not at a URL"
        check_kind(media_field, content)
        if digest and digest != content_digest(media_field.encode(), content):
            raise MediaRefused("media-missing", "it changed while it was read")
        return content

    def _decoded(self, media_field: MediaField, content: bytes) -> list[object]:
        check_kind(media_field, content)
        assert self._decoders is not None
        try:
            if media_field == "image":
                return [self._decoders.picture(content)]
            if media_field == "audio":
                return [self._decoders.sound(content)]
            frames: list[object] = list(self._decoders.video(content))
        except NotDecoded as error:
            raise MediaRefused(BAD[media_field], f"{error.reason}: {error}") from error
        if not frames:
            raise MediaRefused("bad-video", "no frames")
        return frames


def _of_attributes(given: Attributes) -> dict[Modality, list[Input]]:
    """Return the inputs of categories and numbers, of each where an item has any."""
    found: dict[Modality, list[Input]] = {}
    if given.categories or given.language:
        words = [word.encode() for word in (given.language, *given.categories)]
        found["categories"] = [Input("categories", content_digest(*words), lambda: [given])]
    if given.year is not None or given.price:
        numbers = repr((given.year, given.price)).encode()
        found["numbers"] = [Input("numbers", content_digest(numbers), lambda: [given])]
    return found


def pooled(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the mean of rows, shape (n, dim), as one of length 1.

    Rows that cancel each other out have no direction: what is returned is then not finite.
    """
    mean = rows.mean(axis=0, dtype=np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(mean / np.linalg.norm(mean), np.float32)


def weight(loaded: object) -> int:
    """Return the bytes of a picture's pixels or a sound's samples, 0 of a text."""
    array = getattr(loaded, "samples", loaded)
    return array.nbytes if isinstance(array, np.ndarray) else 0
