"""What is fetched ahead has a bound, in records and in bytes."""

import time
from collections.abc import Callable

import pytest

from millstream.streams.log import Message, TopicSpec
from millstream.streams.memory_log import MemoryLog
from millstream.streams.prefetch import BUFFERED_BYTES_MAX, BUFFERED_MAX, Prefetched


def waits(prefetched: Prefetched) -> int:
    return len(prefetched._waiting)


def settled(prefetched: Prefetched) -> int:
    """How many records wait once none are added any more."""
    before = -1
    while (now := waits(prefetched)) != before or not now:
        before = now
        time.sleep(0.3)
    return now


@pytest.mark.parametrize(
    ("size", "bounded"),
    [
        (10, lambda n: BUFFERED_MAX <= n < BUFFERED_MAX + 500),
        (200_000, lambda n: n * 200_000 < BUFFERED_BYTES_MAX + 500 * 200_000),
    ],
)
def test_what_waits_is_bounded_and_all_of_it_comes(
    size: int, bounded: Callable[[int], bool]
) -> None:
    log = MemoryLog()
    log.create([TopicSpec("t", 1)])
    value = b"x" * size
    log.append("t", [Message(None, value) for _ in range(3_000)])
    prefetched = Prefetched(log.follow({("t", 0): 0}), {("t", 0): 0})
    try:
        assert bounded(settled(prefetched))
        offsets: list[int] = []
        while len(offsets) < 3_000:
            offsets += [record.offset for record in prefetched.poll(5.0)]
        assert offsets == list(range(3_000))
        assert prefetched.position("t", 0) == 3_000
        assert prefetched._waiting_bytes == 0
    finally:
        prefetched.close()
