"""Sounds out of bytes that anybody may have sent: WAV, FLAC, Ogg, MP3; a minute, mono."""

from io import BytesIO
from typing import Final

import numpy as np
import soundfile

from millstream.models.encoders.encoder import Sound
from millstream.models.errors import MediaRefused

BYTES_MAX: Final = 50_000_000
SECONDS_MAX: Final = 60
RATES: Final = (1000, 192_000)  # Hz
CHANNELS_MAX: Final = 8
FORMATS: Final = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3", "MPEG")
BLOCK: Final = 1 << 16


def decode_sound(content: bytes) -> Sound:
    """Return the first 60 s, its channels averaged, at its own rate. Raises MediaRefused."""
    if not content:
        raise MediaRefused("empty", "the sound has no bytes")
    if len(content) > BYTES_MAX:
        raise MediaRefused("too-large", f"the sound is above {BYTES_MAX:,} bytes")
    try:
        with soundfile.SoundFile(BytesIO(content)) as file:
            if file.format not in FORMATS:
                raise MediaRefused(
                    "unknown-format", f"the sound is {file.format}, not WAV, FLAC, Ogg or MP3"
                )
            rate, channels = int(file.samplerate), int(file.channels)
            if not RATES[0] <= rate <= RATES[1] or channels > CHANNELS_MAX:
                raise MediaRefused(
                    "corrupt", f"the sound says {rate} Hz and {channels} channels; not decoded"
                )
            blocks = file.blocks(BLOCK, frames=SECONDS_MAX * rate, dtype="float32", always_2d=True)
            mono = [block.mean(axis=1, dtype=np.float32) for block in blocks]
    except soundfile.LibsndfileError as error:
        raise MediaRefused(
            "unknown-format", f"the sound is not WAV, FLAC, Ogg or MP3, or is cut: {error}"
        ) from error
    samples = np.concatenate(mono) if mono else np.zeros(0, np.float32)
    if not len(samples):
        raise MediaRefused("empty", "the sound has no samples")
    if not np.isfinite(samples).all():
        raise MediaRefused("corrupt", "the sound has samples that are not numbers")
    return Sound(samples, rate)
