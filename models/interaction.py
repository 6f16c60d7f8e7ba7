"""What happened after what: the record from which the item model learns.

One record carries the interactions of a micro-batch, so that publishing, reading and
acknowledging cost once a batch and not once an event.
"""

from hashlib import blake2b
from typing import Final

import msgspec

FORMAT: Final = 1
BATCH_BYTES: Final = 96_000
"""Where a batch is cut in two; far below the 256 KB that a record may have."""


class Interaction(msgspec.Struct, array_like=True, gc=False):
    """One new event of a person, the history it followed, and where it was read.

    `user` is a keyed hash, `key` a hash of user and event id. History is newest first, distinct,
    only what teaches; ages are ms before `ts`, never negative. Weight 0 teaches nothing.
    """

    topic: int  # place of its topic id in the batch's `topics`
    partition: int
    offset: int
    user: int
    key: int
    item: str
    weight: float
    ts: int
    history: list[str]
    history_weights: list[float]
    history_ages: list[int]
    again: bool = False  # the person had met the item before


class InteractionBatch(msgspec.Struct, array_like=True, gc=False):
    """What one record of the `interactions` topic holds, in source order."""

    format: int
    topics: list[str]
    interactions: list[Interaction]


encode_batch = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(InteractionBatch).decode


def decode_batch(value: bytes | None) -> InteractionBatch | None:
    """Return the batch in a record, or None when it is not one of this format."""
    if value is None:
        return None
    try:
        batch = _decode(value)
    except msgspec.DecodeError:
        return None
    known = range(len(batch.topics))
    if batch.format != FORMAT or not all(i.topic in known for i in batch.interactions):
        return None
    return batch


def hash64(text: str, key: bytes = b"") -> int:
    """Return 64 bits of keyed BLAKE2b."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8, key=key).digest(), "little")
