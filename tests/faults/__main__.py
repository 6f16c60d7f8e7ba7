"""`python -m tests.faults --seeds 20`: many runs of faults on a stack of their own, in a table."""

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from millstream.streams.machine import machine
from millstream.streams.settings_reader import Flag, cache_dir, load_settings
from millstream.streams.stack import Stack
from tests.faults.harness import run


def main() -> int:
    """Run the seeds; return 0 only if every run survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many runs")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--events", type=int, default=20_000, help="events a run")
    parser.add_argument("--faults", type=int, default=5, help="faults a run")
    given = parser.parse_args()
    survived = 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends what it started, too

    def say(sentence: str) -> None:
        print(sentence, file=sys.stderr, flush=True)

    for seed in range(given.first, given.first + given.seeds):
        with tempfile.TemporaryDirectory(prefix="millstream-faults-") as name:
            folder = Path(name)
            stack = Stack(folder, cache_dir())
            status = stack.start(say)
            try:
                flags = {
                    "data_dir": Flag("faults", name),
                    "kafka.bootstrap": Flag("faults", str(status.kafka)),
                    "redis.url": Flag("faults", str(status.redis)),
                }
                settings = load_settings(environ={}, flags=flags)
                result = run(settings, folder, seed, given.events, given.faults, say)
            finally:
                stack.stop(say)
        survived += result.survived
        print(json.dumps(result.as_json()), flush=True)
    print(json.dumps({"runs": given.seeds, "survived": survived, "machine": machine()}))
    return 0 if survived == given.seeds else 1


if __name__ == "__main__":
    sys.exit(main())
