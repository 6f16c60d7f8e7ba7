"""The list as it stands in Redis: the public schema of docs/redis.md."""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from millstream.models.recommender import Listed

Entry = Listed
"""One item of a list, as the domain makes it."""


class Listing(msgspec.Struct, frozen=True, gc=False):
    """A person's list and all that it was made from, so that it can be computed again."""

    id: str
    user: str
    made_at: int
    as_of: dict[str, int]
    model: int
    settings: str
    catalogue: list[int]
    items: Sequence[Listed]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Listing).decode


def encode_listing(listing: Listing) -> bytes:
    """Return the JSON that Redis holds."""
    return _encode(listing)


def decode_listing(value: bytes) -> Listing:
    """Return the list in a JSON. Raises msgspec.DecodeError."""
    return _decode(value)


def listing_id(user: str, profile_version: bytes, model: int, made_at: int) -> str:
    """Return a list's id: 8 hex digits that stand for its inputs."""
    text = f"{user}\0{model}\0{made_at}".encode()
    return "l-" + blake2b(text + profile_version, digest_size=4).hexdigest()
