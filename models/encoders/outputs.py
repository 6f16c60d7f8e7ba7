"""Which output of a model is the vector, and how a row for each item is made of it."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from millstream.models.encoders.encoder import Modality, Vectors, unit_rows
from millstream.models.encoders.runtime import Array
from millstream.models.encoders.spec import Pooling
from millstream.models.errors import EncoderRefused

POOLED: Final[Mapping[Modality, tuple[str, ...]]] = {
    "text": ("sentence_embedding", "text_embeds", "pooler_output"),
    "image": ("sentence_embedding", "image_embeds", "pooler_output"),
    "audio": ("sentence_embedding", "audio_embeds", "pooler_output"),
}
TOKENS: Final = ("last_hidden_state", "token_embeddings")


def find_output(
    names: Sequence[str], modality: Modality, asked: str = "", tokens_first: bool = False
) -> str:
    """Return the output to read: the one asked for, else the first known one there is.

    `tokens_first` passes pooler_output over: a sentence embedder trained by pooling its tokens
    carries one that was trained for another task. Raises EncoderRefused("wrong-output").
    """
    if asked:
        if asked not in names:
            raise EncoderRefused(
                "wrong-output",
                f"the model has no output {asked!r}, it has {', '.join(names)}; name one of them "
                "as output in encoder.json",
            )
        return asked
    pooled = POOLED[modality]
    wanted = [*pooled[:-1], *TOKENS, pooled[-1]] if tokens_first else [*pooled, *TOKENS]
    for name in wanted:
        if name in names:
            return name
    raise EncoderRefused(
        "wrong-output",
        f"none of the outputs {', '.join(names)} is known ({', '.join(wanted)}); name one of "
        "them as output in encoder.json, with its pooling",
    )


def rows_of(found: Array, rows: int, pooling: Pooling, mask: Array | None = None) -> Vectors:
    """Return unit vectors, shape (rows, dim), of an output of 2 or 3 dimensions.

    `mask`, shape (rows, tokens), is 0 at padding. Raises EncoderRefused("wrong-shape"),
    EncoderRefused("not-finite").
    """
    if found.ndim == 3 and pooling == "none":
        raise EncoderRefused(
            "wrong-shape",
            f"the output has shape {found.shape}, a vector for each token; say in encoder.json "
            'whether to take their "mean" or the first ("cls") as pooling',
        )
    if found.dtype.kind != "f" or found.ndim not in (2, 3) or found.shape[0] != rows:
        raise EncoderRefused(
            "wrong-shape",
            f"the output is {found.dtype} of shape {found.shape} for {rows} items; one row of "
            "floats for each is needed: export it with a dynamic batch axis",
        )
    wide: NDArray[np.float64] = found.astype(np.float64)
    if wide.ndim == 3:
        wide = wide[:, 0] if pooling == "cls" else _mean(wide, mask)
    if not np.isfinite(wide).all():
        raise EncoderRefused(
            "not-finite",
            "the model computes numbers that are not finite; export it as float32, or another one",
        )
    return unit_rows(wide)


def _mean(tokens: NDArray[np.float64], mask: Array | None) -> NDArray[np.float64]:
    if mask is None or mask.shape != tokens.shape[:2]:
        means: NDArray[np.float64] = tokens.mean(axis=1)
        return means
    weights = mask.astype(np.float64)[:, :, None]
    mean: NDArray[np.float64] = (tokens * weights).sum(axis=1) / np.maximum(
        weights.sum(axis=1), 1.0
    )
    return mean
