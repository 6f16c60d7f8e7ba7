"""Text vectors without a model: hashed words and character n-grams (Weinberger et al. 2009).

A fallback: it finds shared spelling, not shared meaning, and nothing across languages. It keeps no
counts of a corpus, so a vector is a function of its text alone; the inverse document frequency
that it cannot know is stood in for by length, since common words are short.
"""

import hashlib
import math
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from millstream.models.encoders.encoder import Modality, Vectors, unit_rows

DIM: Final = 512
CHARACTERS_MAX: Final = 20_000
RECIPE: Final = "hashing 1: NFKC, casefold, words, 3-5 grams, Han bigrams, crc32+fmix32, 1+ln tf"
LONG: Final = 5  # letters from which on a word counts in full
GRAMS: Final = (3, 4, 5)
WORD: Final = np.uint64(0xFFFFFFFF)

_UNSPACED: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # kana and Han
_TOKENS: Final = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_IS_UNSPACED: Final = re.compile(rf"[{_UNSPACED}]")


class HashingText:
    """An `Encoder[str]` that is always there. Empty text is a row of zeros."""

    modality: Modality = "text"
    space = "hashing"
    dim = DIM
    version = hashlib.sha256(f"{RECIPE} {DIM}".encode()).hexdigest()[:16]

    def encode(self, items: Sequence[str]) -> Vectors:
        """Return shape (len(items), 512); reads the first 20,000 characters of each text."""
        rows = np.zeros((len(items), DIM), np.float64)
        for row, text in zip(rows, items, strict=True):
            counts = Counter(_features(text[:CHARACTERS_MAX]))
            if not counts:
                continue
            features, weights = zip(*counts, strict=True)
            tf = np.log(np.fromiter(counts.values(), np.float64)) + 1.0
            hashed = _hashes(features)
            signs = np.where(hashed >> np.uint64(31), -1.0, 1.0)
            np.add.at(row, hashed % np.uint64(DIM), signs * tf * np.asarray(weights))
        return unit_rows(rows)


def _features(text: str) -> Iterator[tuple[str, float]]:
    """Yield (feature, weight), one for each time that it occurs."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    for token in _TOKENS.findall(plain):
        if _IS_UNSPACED.match(token):
            yield from ((character, 0.5) for character in token)
            yield from ((token[i : i + 2], 1.0) for i in range(len(token) - 1))
            continue
        weight = min(1.0, len(token) / LONG)
        yield f"={token}", weight
        marked = f"<{token}>"
        grams = [marked[i : i + n] for n in GRAMS for i in range(len(marked) - n + 1)]
        yield from ((gram, weight / math.sqrt(len(grams))) for gram in grams)


def _hashes(features: Sequence[str]) -> NDArray[np.uint64]:
    """Return 32 well mixed bits of each: CRC-32, then the finaliser of MurmurHash3."""
    bits = np.array(
        [zlib.crc32(feature.encode(errors="replace")) for feature in features], np.uint64
    )
    bits = ((bits ^ (bits >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & WORD
    bits = ((bits ^ (bits >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & WORD
    mixed: NDArray[np.uint64] = bits ^ (bits >> np.uint64(16))
    return mixed
