"""Sounds to vectors: resampled, cut into windows, and the windows' vectors averaged."""

from collections.abc import Sequence
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from millstream.models.encoders.encoder import Sound, Vectors, unit_rows
from millstream.models.encoders.mel import log_mel, mel_filters
from millstream.models.encoders.model import Model, Role
from millstream.models.encoders.outputs import rows_of
from millstream.models.encoders.runtime import Array
from millstream.models.encoders.spec import EncoderSpec
from millstream.models.errors import EncoderRefused

WINDOWS_A_RUN: Final = 4
Wave = NDArray[np.float32]


class AudioReader:
    """Sounds of any length and rate to vectors."""

    def __init__(self, model: Model, spec: EncoderSpec) -> None:
        self._model = model
        self._spec = spec
        self._length = round(spec.window_s * spec.sample_rate)
        self._hop = max(1, round(spec.hop_s * spec.sample_rate))
        said = spec.features
        if said is None and "features" in model.inputs:
            raise EncoderRefused(
                "wrong-input",
                f"the model reads {model.inputs['features']}, and how these are made of sound is "
                "not said; add features to encoder.json",
            )
        self._filters = (
            None
            if said is None
            else mel_filters(
                spec.sample_rate, said.fft, said.mels, said.low_hz, said.high_hz, "slaney", "area"
            )
        )

    def __call__(self, items: Sequence[Sound]) -> Vectors:
        """Return shape (len(items), dim); the first `max_s` seconds of each sound count."""
        return unit_rows(np.stack([self._vector(sound) for sound in items]))

    def _vector(self, sound: Sound) -> Array:
        windows = self._windows(sound)
        size = 1 if self._model.alone else WINDOWS_A_RUN
        vectors = []
        for start in range(0, len(windows), size):
            some = windows[start : start + size]
            feed: dict[Role, Array] = {"wave": some}
            if self._filters is not None and self._spec.features is not None:
                said = self._spec.features
                mels = [log_mel(one, self._filters, said.fft, said.hop) for one in some]
                feed["features"] = np.stack(mels)[:, None]
                feed["longer"] = np.zeros((len(some), 1), np.bool_)
            vectors.append(rows_of(self._model.run(feed), len(some), self._spec.pooling))
        mean: Array = np.concatenate(vectors).mean(axis=0)
        return mean

    def _windows(self, sound: Sound) -> Wave:
        """Return shape (windows, length); a sound shorter than one is filled up to it."""
        wave = resampled(sound, self._spec.sample_rate, self._spec.max_s)
        if self._spec.peak_normalize:
            wave = wave / np.float32(max(1e-6, float(np.abs(wave).max(initial=0.0))))
        if 0 < len(wave) < self._length and self._spec.repeat_short:
            wave = np.tile(wave, self._length // len(wave))
        wave = np.pad(wave, (0, max(0, self._length - len(wave))))
        return np.lib.stride_tricks.sliding_window_view(wave, self._length)[:: self._hop]


def resampled(sound: Sound, rate: int, seconds: float) -> Wave:
    """Return the first seconds of a sound at another rate, float32."""
    wave = np.asarray(sound.samples, np.float32)[: int(seconds * sound.rate)]
    if sound.rate == rate or not len(wave):
        return wave
    common = gcd(rate, sound.rate)
    other: Wave = resample_poly(wave, rate // common, sound.rate // common).astype(np.float32)
    return other
