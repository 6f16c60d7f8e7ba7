"""A SentencePiece unigram model (Kudo 2018) as a `tokenizer.json`, for some scripts or all."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

from millstream.streams.errors import FoundWrong

SPACE: Final = "\u2581"
SPECIAL: Final = 3  # unknown, begin, end
SCRIPTS: Final = (
    (0x20, 0x7E),  # ASCII
    (0xA0, 0x17F),  # accented Latin, single letters of it: names such as Amelie's
    (0x2000, 0x2BFF),  # punctuation and symbols
    (0x3000, 0x30FF),  # CJK punctuation, kana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),  # Han
    (0xFF00, 0xFFEF),  # full width
    (0x1F000, 0x1FAFF),  # emoji
)
"""What Chinese and English are written in; the rest of the vocabulary is left out."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A vocabulary, in the order of its ids, and its table of normalisations."""

    pieces: list[str]
    scores: list[float]
    charsmap: bytes


def read_pieces(content: bytes) -> Pieces:
    """Return what a model file in the older layout holds. Raises FoundWrong."""
    pieces: list[str] = []
    scores: list[float] = []
    charsmap = b""
    try:
        for field, value in _fields(content):
            if field == 1:
                said = dict(_fields(value))
                pieces.append(said[1].decode())
                scores.append(struct.unpack("<f", said[2])[0] if 2 in said else 0.0)
            elif field == 3:
                charsmap = dict(_fields(value)).get(2, b"")
    except (KeyError, IndexError, UnicodeDecodeError, struct.error) as error:
        raise FoundWrong(f"the SentencePiece model cannot be read: {error}") from error
    return Pieces(pieces, scores, charsmap)


def chinese_and_english(pieces: Pieces) -> NDArray[np.int64]:
    """Return the ids of the pieces that are kept, in order."""
    return np.array(
        [id_ for id_, piece in enumerate(pieces.pieces) if id_ < SPECIAL or _kept(piece)], np.int64
    )


def tokenizer_json(pieces: Pieces, ids: NDArray[np.int64]) -> str:
    """Return the tokenizer of these pieces, numbered anew in the order of `ids`."""
    vocabulary = [(pieces.pieces[id_], pieces.scores[id_]) for id_ in ids]
    tokenizer = Tokenizer(Unigram(vocabulary, unk_id=0, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(pieces.charsmap),
            normalizers.Strip(),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, "always", split=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    written: str = tokenizer.to_str()
    return written


def _kept(piece: str) -> bool:
    codes = [ord(character) for character in piece if character != SPACE]
    accented = any(0xA0 <= code <= 0x17F for code in codes)
    known = all(any(low <= code <= high for low, high in SCRIPTS) for code in codes)
    return known and not (accented and len(codes) > 1)


def _fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (number, value) of each field of a protobuf message; integers are passed over."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = content[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(content):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            varint()
            continue
        size = {1: 8, 5: 4}.get(kind) or varint()
        yield tag >> 3, content[place : place + size]
        place += size
