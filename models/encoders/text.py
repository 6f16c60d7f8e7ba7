"""Texts to vectors: tokens, grouped by how many there are, through a model."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from tokenizers import Tokenizer

from millstream.models.encoders.encoder import Vectors
from millstream.models.encoders.model import Model, Role
from millstream.models.encoders.outputs import rows_of
from millstream.models.encoders.runtime import Array
from millstream.models.encoders.spec import EncoderSpec, read_config
from millstream.models.errors import EncoderRefused

CHARACTERS_MAX: Final = 20_000
TOKENS_A_RUN: Final = 2048  # memory grows with it, speed beyond it does not


class TextReader:
    """Texts of equal length share a run, so that nothing is padded and nobody leans on others."""

    def __init__(self, model: Model, spec: EncoderSpec, tokenizer: Tokenizer) -> None:
        self._model = model
        self._spec = spec
        self._tokenizer = tokenizer

    def __call__(self, items: Sequence[str]) -> Vectors:
        """Return shape (len(items), dim); the first `max_length` tokens of each text count."""
        texts = [self._spec.prefix + text[:CHARACTERS_MAX] for text in items]
        found = self._tokenizer.encode_batch([_encodable(text) for text in texts])
        tokens = [(one.ids, one.attention_mask, one.type_ids) for one in found]
        rows: list[Array] = [np.empty(0)] * len(items)
        for places in _groups([len(ids) for ids, _, _ in tokens], self._model.alone):
            ids, mask, types = (
                np.array([tokens[place][kind] for place in places], np.int64) for kind in range(3)
            )
            shape = np.arange(ids.shape[1])[None].repeat(len(places), 0)
            feed: dict[Role, Array] = {"ids": ids, "mask": mask, "types": types, "positions": shape}
            vectors = rows_of(self._model.run(feed), len(places), self._spec.pooling, mask)
            for place, vector in zip(places, vectors, strict=True):
                rows[place] = vector
        stacked: Vectors = np.stack(rows).astype(np.float32)
        return stacked


def open_tokenizer(folder: Path, spec: EncoderSpec) -> Tokenizer:
    """Return the tokenizer of a spec. Raises EncoderRefused("bad-config"), OSError."""
    path = folder / spec.tokenizer
    content = read_config(path).decode("utf-8", "replace")
    try:
        tokenizer = Tokenizer.from_str(content)
    except Exception as error:  # it raises no narrower type
        raise EncoderRefused("bad-config", f"{path} is no tokenizer: {error}") from error
    tokenizer.enable_truncation(spec.max_length)
    tokenizer.no_padding()
    if spec.pad_to_max:
        token = tokenizer.id_to_token(spec.pad_id) or "<pad>"
        tokenizer.enable_padding(pad_id=spec.pad_id, pad_token=token, length=spec.max_length)
    return tokenizer


def _groups(lengths: Sequence[int], alone: bool) -> Iterator[list[int]]:
    """Yield the places of texts of one length, at most 2,048 tokens together."""
    by_length: dict[int, list[int]] = {}
    for place, length in enumerate(lengths):
        by_length.setdefault(length, []).append(place)
    for length, places in by_length.items():
        size = 1 if alone else max(1, TOKENS_A_RUN // max(length, 1))
        yield from (places[start : start + size] for start in range(0, len(places), size))


def _encodable(text: str) -> str:
    """Return the text without lone surrogates, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()
