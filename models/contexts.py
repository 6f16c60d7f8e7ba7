"""What the fusion hears of a person beside the features: how long their history and visit are."""

from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.elementary import signed_log
from millstream.models.histories import Histories
from millstream.models.jit import kernel

Floats = npt.NDArray[np.float32]

BUCKET_EDGES: Final = (0, 2, 8, 30)
"""A bucket ends at so many items of history; the first, of none, is not learned."""
SESSION_MS: Final = 30 * 60 * 1000


def contexts(histories: Histories) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return each user's bucket, 0 for strangers, and what the network hears of them (B, 2)."""
    bucket = np.empty(len(histories), np.int64)
    context = np.empty((len(histories), 2), np.float32)
    _read_contexts(histories.ptr, histories.ts_ms, bucket, context)
    return bucket, context


@kernel
def _read_contexts(
    ptr: npt.NDArray[np.int64],
    ts_ms: npt.NDArray[np.int64],
    bucket: npt.NDArray[np.int64],
    context: Floats,
) -> None:
    """A session is the newest items between which less than half an hour passed."""
    for b in range(len(bucket)):
        begin, n = ptr[b], ptr[b + 1] - ptr[b]
        bucket[b] = 0
        for edge in BUCKET_EDGES:
            bucket[b] += n > edge
        session = min(n, 1)
        while 0 < session < n:
            if ts_ms[begin + session - 1] - ts_ms[begin + session] >= SESSION_MS:
                break
            session += 1
        context[b, 0], context[b, 1] = n, session
        signed_log(context[b])
        for x in range(2):
            context[b, x] = min(context[b, x] / np.float32(3.0), np.float32(2.0)) - np.float32(1.0)
