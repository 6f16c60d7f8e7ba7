"""Pictures to vectors: resized and normalised as `preprocessor_config.json` says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from millstream.models.encoders.encoder import Pixels, Vectors
from millstream.models.encoders.model import Model
from millstream.models.encoders.outputs import rows_of
from millstream.models.encoders.spec import EncoderSpec, decode_file
from millstream.models.errors import EncoderRefused

PICTURES_A_RUN: Final = 8
Side = Annotated[int, msgspec.Meta(ge=1, le=2048)]


class Size(msgspec.Struct, frozen=True):
    """Height and width, or the side that the shorter one gets, in pixels."""

    height: Side | None = None
    width: Side | None = None
    shortest_edge: Side | None = None


class Preprocessing(msgspec.Struct, frozen=True):
    """What an image processor does, in this order; names are Hugging Face's."""

    do_pad_square: bool = False  # ours: white bars instead of a cut
    do_resize: bool = True
    size: Size | Side = Size(224, 224)
    resample: Annotated[int, msgspec.Meta(ge=0, le=5)] = 3  # Pillow's numbers; 3 is bicubic
    do_center_crop: bool = False
    crop_size: Size | Side | None = None
    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_normalize: bool = True
    image_mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    image_std: tuple[float, float, float] = (0.5, 0.5, 0.5)


class ImageReader:
    """Pictures of any size to vectors."""

    def __init__(self, model: Model, spec: EncoderSpec, preprocessing: Preprocessing) -> None:
        self._model = model
        self._spec = spec
        self._preprocessing = preprocessing

    def __call__(self, items: Sequence[Pixels]) -> Vectors:
        """Return shape (len(items), dim) of pictures of shape (height, width, 3), uint8."""
        size = 1 if self._model.alone else PICTURES_A_RUN
        rows = []
        for start in range(0, len(items), size):
            some = items[start : start + size]
            pixels = np.stack([prepare(one, self._preprocessing) for one in some])
            rows.append(rows_of(self._model.run({"pixels": pixels}), len(some), self._spec.pooling))
        return np.concatenate(rows)


def open_preprocessing(folder: Path, spec: EncoderSpec) -> Preprocessing:
    """Return how pictures are prepared. Raises EncoderRefused("bad-config"), OSError."""
    path = folder / spec.preprocessor
    said = decode_file(path, Preprocessing)
    if min(said.image_std) <= 0:
        raise EncoderRefused("bad-config", f"{path}: image_std must be above 0")
    return said


def prepare(pixels: Pixels, how: Preprocessing) -> NDArray[np.float32]:
    """Return one picture as the model reads it, shape (3, height, width), float32."""
    picture = Image.fromarray(np.ascontiguousarray(pixels, np.uint8))
    if how.do_pad_square:
        side = max(picture.size)
        square = Image.new("RGB", (side, side), (255, 255, 255))
        square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
        picture = square
    if how.do_resize:
        height, width = _target(picture, how.size)
        picture = picture.resize((width, height), Image.Resampling(how.resample))
    if how.do_center_crop:
        height, width = _box(how.crop_size or how.size)
        left, top = (picture.width - width) // 2, (picture.height - height) // 2
        picture = picture.crop((left, top, left + width, top + height))
    values = np.asarray(picture, np.float32)
    if how.do_rescale:
        values = values * np.float32(how.rescale_factor)
    if how.do_normalize:
        mean, std = (np.array(said, np.float32) for said in (how.image_mean, how.image_std))
        values = (values - mean) / std
    turned: NDArray[np.float32] = np.ascontiguousarray(values.transpose(2, 0, 1), np.float32)
    return turned


def _target(picture: Image.Image, size: Size | int) -> tuple[int, int]:
    """Return (height, width) after resizing."""
    edge = size if isinstance(size, int) else size.shortest_edge
    if edge is None:
        return _box(size)
    short, long = sorted(picture.size)
    other = min(int(edge * long / short), 64 * edge)  # a hair's breadth must not become a mile
    return (edge, other) if picture.width >= picture.height else (other, edge)


def _box(size: Size | int) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if size.height and size.width:
        return size.height, size.width
    edge = size.shortest_edge or 224
    return edge, edge
