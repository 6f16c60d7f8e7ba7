"""Mel filters and log-mel pictures of sound (Stevens, Volkmann and Newman 1937; Slaney 1998)."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Scale = Literal["slaney", "htk"]
Norm = Literal["area", "sum"]  # bands of equal area per Hz, or of weights that sum to 1

LINEAR_HZ: Final = 200.0 / 3.0  # Slaney's scale is linear up to 1,000 Hz,
KNEE_HZ: Final = 1000.0  # and logarithmic above
LOG_STEP: Final = np.log(6.4) / 27.0
FLOOR: Final = 1e-10


def mel_filters(
    rate: int, fft: int, mels: int, low_hz: float, high_hz: float, scale: Scale, norm: Norm
) -> NDArray[np.float64]:
    """Return triangular filters, shape (mels, fft // 2 + 1): power spectrum to bands."""
    bins = np.linspace(0.0, rate / 2.0, fft // 2 + 1)
    low, high = _to_mel(np.array([low_hz, high_hz]), scale)
    edges = _to_hz(np.linspace(float(low), float(high), mels + 2), scale)
    widths = np.diff(edges)
    slopes = edges[:, None] - bins[None]
    falling = -slopes[:-2] / widths[:-1, None]
    rising = slopes[2:] / widths[1:, None]
    filters = np.maximum(0.0, np.minimum(falling, rising))
    if norm == "area":
        scaled: NDArray[np.float64] = filters * (2.0 / (edges[2:] - edges[:-2]))[:, None]
        return scaled
    sums = filters.sum(axis=1, keepdims=True)
    shared: NDArray[np.float64] = filters / np.where(sums > 0, sums, 1.0)
    return shared


def log_mel(
    wave: NDArray[np.float32], filters: NDArray[np.float64], fft: int, hop: int
) -> NDArray[np.float32]:
    """Return decibels of power, shape (1 + n // hop, mels), frames centred by reflection."""
    padded = np.pad(wave.astype(np.float64), fft // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, fft)[::hop]
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(fft) / fft)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    decibels: NDArray[np.float32] = (10.0 * np.log10(np.maximum(power @ filters.T, FLOOR))).astype(
        np.float32
    )
    return decibels


def _to_mel(hz: NDArray[np.float64], scale: Scale) -> NDArray[np.float64]:
    if scale == "htk":
        htk: NDArray[np.float64] = 2595.0 * np.log10(1.0 + hz / 700.0)
        return htk
    above = KNEE_HZ / LINEAR_HZ + np.log(np.maximum(hz, KNEE_HZ) / KNEE_HZ) / LOG_STEP
    return np.where(hz >= KNEE_HZ, above, hz / LINEAR_HZ)


def _to_hz(mel: NDArray[np.float64], scale: Scale) -> NDArray[np.float64]:
    if scale == "htk":
        htk: NDArray[np.float64] = 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
        return htk
    knee = KNEE_HZ / LINEAR_HZ
    return np.where(
        mel >= knee, KNEE_HZ * np.exp(LOG_STEP * (np.maximum(mel, knee) - knee)), mel * LINEAR_HZ
    )
