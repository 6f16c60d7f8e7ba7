"""How many items a second an encoder takes, and how much memory."""

import os
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Final, TypeVar

import msgspec

from millstream.models.encoders.encoder import Encoder, Modality
from millstream.models.encoders.folder import open_audio, open_image, open_text
from millstream.models.encoders.hashing import HashingText
from millstream.streams.encoders import samples

COUNTS: Final = {"text": 64, "image": 16, "audio": 4}
ROUNDS: Final = 5

Content = TypeVar("Content")


class Timing(msgspec.Struct, frozen=True):
    """What one model file came to, on one thread; the median of five rounds."""

    modality: Modality
    file: str
    megabytes: float  # of the file
    items_per_s: float
    us_per_item: float
    memory_mb: float  # that the process grew by, from opening to the end


def bench_apart(modality: Modality, folder: Path, file: str, threads: int) -> Timing:
    """Return how fast a model file is, in a process of its own: memory is not left by others."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(bench, modality, folder, file, threads).result()


def bench(modality: Modality, folder: Path, file: str, threads: int) -> Timing:
    """Return how fast a model file is. Raises EncoderRefused, OSError."""
    before = _resident_mb()
    count = COUNTS[modality]
    if modality == "text":
        text = open_text(folder, threads=threads, file=file)
        us = _us_per_item(text, samples.sentences(count))
    elif modality == "image":
        image = open_image(folder, threads=threads, file=file)
        us = _us_per_item(image, samples.pictures(count))
    else:
        audio = open_audio(folder, threads=threads, file=file)
        us = _us_per_item(audio, samples.sounds(count))
    grown = max(0.0, _resident_mb() - before)
    size = (folder / file).stat().st_size / 1e6
    return Timing(modality, file, round(size, 1), round(1e6 / us, 1), round(us, 1), round(grown, 1))


def bench_hashing() -> Timing:
    """Return how fast the fallback is."""
    us = _us_per_item(HashingText(), samples.sentences(COUNTS["text"]))
    return Timing("text", "hashing", 0.0, round(1e6 / us, 1), round(us, 1), 0.0)


def _us_per_item(encoder: Encoder[Content], items: Sequence[Content]) -> float:
    encoder.encode(items[:2])
    clock: Callable[[], float] = perf_counter
    times = []
    for _ in range(ROUNDS):
        begin = clock()
        encoder.encode(items)
        times.append(clock() - begin)
    return statistics.median(times) / len(items) * 1e6


def _resident_mb() -> float:
    """Return the memory of this process, 0 where /proc is not."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
