"""Pictures out of bytes that anybody may have sent: JPEG, PNG, WebP; one frame, bounded."""

from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from millstream.models.encoders.encoder import Pixels
from millstream.models.errors import MediaRefused

BYTES_MAX: Final = 20_000_000
PIXELS_MAX: Final = 20_000_000
FORMATS: Final = ("JPEG", "PNG", "WEBP")
WHITE: Final = (255, 255, 255, 255)
BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def decode_picture(content: bytes) -> Pixels:
    """Return the first frame, upright, what is transparent on white. Raises MediaRefused.

    How large it is is read from its head and judged before anything is unpacked.
    """
    if not content:
        raise MediaRefused("empty", "the picture has no bytes")
    if len(content) > BYTES_MAX:
        raise MediaRefused("too-large", f"the picture is above {BYTES_MAX:,} bytes")
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            if picture.width * picture.height > PIXELS_MAX:
                raise _too_many(f"{picture.width} x {picture.height}")
            return _pixels(picture)
    except MediaRefused:
        raise
    except BOMBS as error:
        raise _too_many("many more") from error
    except UnidentifiedImageError as error:
        raise MediaRefused(
            "unknown-format", "the picture is not a JPEG, PNG or WebP; convert it"
        ) from error
    except Exception as error:  # decoders raise a dozen types on what is cut or twisted
        raise MediaRefused("corrupt", f"the picture cannot be decoded: {error}") from error


def _pixels(picture: Image.Image) -> Pixels:
    if picture.mode.startswith("I"):  # 16 bits of grey, which `convert` would clip at 255
        grey = (np.asarray(picture).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    upright = ImageOps.exif_transpose(picture)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", layer.size, WHITE), layer)
    return np.array(upright.convert("RGB"), np.uint8)


def _too_many(found: str) -> MediaRefused:
    return MediaRefused(
        "too-many-pixels", f"the picture has {found} pixels; at most {PIXELS_MAX:,} are decoded"
    )
