"""The process of one peer: events from standard input, ranks to standard output, both JSON."""

import json
import sys
from typing import Final

from benchmarks.peers.prequential import Stream, replay
from benchmarks.peers.registry import PEERS

TELL_EVERY: Final = 10_000


def main() -> int:
    """Replay the events given through the peer that is named."""
    name = sys.argv[1]
    given = json.load(sys.stdin)
    stream = Stream(given["users"], given["items"], given["ts_ms"])

    def progress(count: int) -> None:
        if count % TELL_EVERY == 0:
            print(f"{name}: {count} of {len(stream.users)} events", file=sys.stderr, flush=True)

    found = replay(
        PEERS[name].begin(), stream, every=given["every"], seed=given["seed"], progress=progress
    )
    answer = {
        "ranks": found.ranks,
        "score_us": found.score_ns / 1000 / max(len(found.ranks), 1),
        "learn_us": found.learn_ns / 1000 / max(len(stream.users), 1),
    }
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
