"""What decodes media for encoders: models/encoders/, or in tests something small."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from millstream.models.encoders import Pixels, Sound
from millstream.models.encoders.pictures import decode_picture
from millstream.models.encoders.sounds import decode_sound
from millstream.models.encoders.videos import decode_video


@dataclass(frozen=True, slots=True)
class MediaDecoders:
    """Bytes to what encoders take. Each raises the models' MediaRefused."""

    picture: Callable[[bytes], Pixels]
    sound: Callable[[bytes], Sound]
    video: Callable[[bytes], Sequence[Pixels]]
    """The frames that stand for a film: at least one."""


DECODERS: Final = MediaDecoders(decode_picture, decode_sound, decode_video)
