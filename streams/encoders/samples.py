"""Made-up content, the same on every machine: to calibrate on, to check with, to measure by."""

from typing import Final

import numpy as np

from millstream.models.encoders.encoder import Pixels, Sound

SENTENCES: Final = (
    "Wireless headphones with noise cancelling and thirty hours of battery",
    "无线降噪耳机，续航三十小时",
    "A retired detective returns to his village for one last case",
    "一位退休侦探回到家乡，接手最后一案",
    "Braised beef noodles, hot and sour",
    "红烧牛肉面，酸辣味",
    "Running shoes for wide feet",
    "A documentary about the sea: whales, corals and those who live on them",
)
SIDE: Final = 192  # pixels
RATE: Final = 44_100  # Hz


def pictures(count: int, seed: int = 0) -> list[Pixels]:
    """Return pictures with the spectrum of photographs (1/f), shapes, bars of text and tints."""
    chance = np.random.default_rng(seed)
    across = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None]) + 1 / SIDE
    made = []
    for _ in range(count):
        noise = np.fft.fft2(chance.normal(size=(3, SIDE, SIDE))) / across ** chance.uniform(
            0.8, 1.6
        )
        values = np.fft.ifft2(noise).real
        values = (values - values.mean()) / values.std()
        picture = chance.uniform(40, 215, (3, 1, 1)) + chance.uniform(10, 70) * values
        for _ in range(int(chance.integers(0, 8))):
            top, left = chance.integers(0, SIDE - 8, 2)
            high, wide = chance.integers(4, SIDE // 2, 2)
            picture[:, top : top + high, left : left + wide] = chance.uniform(0, 255, (3, 1, 1))
        made.append(picture.clip(0, 255).astype(np.uint8).transpose(1, 2, 0).copy())
    return made


def sounds(count: int, seconds: float = 2.5, seed: int = 0) -> list[Sound]:
    """Return chords that fade, with noise that swells, at 44,100 Hz."""
    chance = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    made = []
    for _ in range(count):
        wave = np.zeros(len(time))
        for _ in range(int(chance.integers(1, 6))):
            pitch, fade = 2.0 ** chance.uniform(6, 13), chance.uniform(0, 4)
            wave += chance.uniform(0.1, 1) * np.sin(2 * np.pi * pitch * time) * np.exp(-fade * time)
        swell = np.sin(np.pi * time / seconds) ** chance.integers(1, 5)
        wave += chance.uniform(0, 0.5) * swell * chance.normal(size=len(time))
        made.append(Sound((wave / np.abs(wave).max()).astype(np.float32), RATE))
    return made


def sentences(count: int) -> list[str]:
    """Return titles and descriptions, in English and Chinese by turns."""
    return [f"{SENTENCES[n % len(SENTENCES)]} {n // len(SENTENCES) or ''}" for n in range(count)]
