"""The rank of every scored event, small enough to stand in a line of JSON, and read back.

One byte a rank (255: beyond the 254th place, or a miss) and four a user, deflated, in base64:
about 70 KB for the 54,433 scored events of MovieLens 100K.
"""

import base64
import binascii
import zlib
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.evaluation import FUSED, Evaluation

BEYOND: Final = 255
SCORED_MAX: Final = 200_000_000
"""Events that an answer may claim: what is inflated from a file is bounded."""


class Outcome(msgspec.Struct, frozen=True):
    """`events` is a fingerprint of the scored events; ranks and users are packed arrays."""

    events: str
    ranks: str
    users: str


class Answer(msgspec.Struct, frozen=True):
    """As much of an `evaluate --json` line as a comparison needs."""

    dataset: str
    scored: Annotated[int, msgspec.Meta(ge=0, le=SCORED_MAX)]
    protocol: str
    outcome: Outcome

    def ranks(self) -> npt.NDArray[np.int32]:
        """Return the fused rank of each scored event, 255 for whatever is beyond 254."""
        return np.frombuffer(_unpack(self.outcome.ranks, self.scored), np.uint8).astype(np.int32)

    def users(self) -> npt.NDArray[np.int32]:
        """Return the number of each scored event's user."""
        planes = np.frombuffer(_unpack(self.outcome.users, 4 * self.scored), np.uint8)
        return planes.reshape(4, self.scored).T.copy().view(np.int32).reshape(-1)


def outcome_of(found: Evaluation) -> Outcome:
    """Return what `Answer` reads back."""
    ranks = np.minimum(np.array(found.ranks[FUSED], np.int64), BEYOND).astype(np.uint8)
    users = np.array(found.scored_events.users, np.int32)
    # Byte planes: the high bytes of small numbers are alike, and deflate to nothing.
    planes = users.view(np.uint8).reshape(-1, 4).T
    return Outcome(found.fingerprint, _pack(ranks.tobytes()), _pack(planes.tobytes()))


def read_answer(path: Path) -> Answer:
    """Return what `evaluate --json > FILE` wrote. Raises WorldMissing and BadUsage."""
    try:
        answer = msgspec.json.decode(path.read_bytes(), type=Answer)
        if len(answer.ranks()) != len(answer.users()):
            raise ValueError("ranks and users differ in number")
    except FileNotFoundError as error:
        raise WorldMissing(f"the file {path} is not there") from error
    except OSError as error:
        raise WorldMissing(f"the file {path} cannot be read: {error.strerror}") from error
    except (ValueError, binascii.Error, zlib.error) as error:
        raise BadUsage(
            f"{path} does not hold the answer of an evaluation ({error}); "
            f"make it with: millstream evaluate DATASET --json > {path}"
        ) from error
    return answer


def _pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 9)).decode()


def _unpack(text: str, size: int) -> bytes:
    """Return exactly `size` bytes; ValueError for more or fewer."""
    inflate = zlib.decompressobj()
    data = inflate.decompress(base64.b64decode(text, validate=True), size + 1)
    if len(data) != size:
        raise ValueError(f"{size} bytes were promised, and it holds others")
    return data
