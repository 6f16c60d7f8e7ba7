"""One run of faults: workers killed, ended and joined at random under a replay, then audited.

Every random choice comes from the seed; what the machine does in between does not, so a run is
a sample and not a replay.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from millstream.exporters.store import Store
from millstream.models.interaction import decode_batch
from millstream.streams.assembly import new_snapshots
from millstream.streams.audit import audit
from millstream.streams.listing import decode_listing
from millstream.streams.log import Log, Message
from millstream.streams.settings import EVENT_ROLES, Settings
from millstream.streams.settings_reader import as_environment
from millstream.streams.topics import ensure_topics
from millstream.streams.world import open_log, open_store

FAULTS: Final = ("kill", "kill", "kill", "term", "join")
SETTLE_S: Final = 240.0
USERS: Final = 600
IMPRESSIONS: Final = 0.15
RENEW_AFTER_S: Final = 2.0
SNAPSHOT_EVERY_S: Final = 5.0


@dataclass(slots=True)
class Result:
    """What a run did and what the audit found."""

    seed: int
    standby: bool
    events: int
    kills: int = 0
    terms: int = 0
    joins: int = 0
    with_work_in_hand: int = 0
    reapplied: int = 0
    renewed: int = 0  # lists seen to be made again in idle time
    left_alone: int = 0  # workers that ended by themselves and were started again
    seconds: float = 0.0
    audit: dict[str, object] = field(default_factory=dict)

    @property
    def survived(self) -> bool:
        """Return whether nothing was lost, doubled or different, and nothing is left undone."""
        return bool(self.audit.get("clean")) and self.audit.get("waiting") == 0

    def as_json(self) -> dict[str, object]:
        """Return the result with its verdict."""
        return {**asdict(self), "survived": self.survived}


def events(
    seed: int, count: int, start_ms: int, users: int = USERS, items: int = 400
) -> Iterator[Message]:
    """Yield events of a made-up shop, one a second from `start_ms` on: clicks and impressions.

    Repeats of ids, late ones, log-ins and poison are among them.
    """
    chance = random.Random(seed)
    sent: list[tuple[str, bytes]] = []
    for n in range(count):
        kind = chance.random()
        if sent and kind < 0.01:
            user, value = chance.choice(sent)
            yield Message(user.encode(), value)
            continue
        user = f"u{chance.randrange(users)}"
        if 0.02 <= kind < 0.023:
            into = f"u{chance.randrange(users)}"
            merge = {"id": f"e{n:08d}", "user": user, "type": "merge", "into": into}
            value = msgspec.json.encode({**merge, "ts": start_ms + 1000 * n})
            sent.append((user, value))
            yield Message(user.encode(), value)
            continue
        item = f"m{min(int(chance.paretovariate(0.9)), items)}"
        late = chance.randrange(n + 1) if kind < 0.02 else n
        event = {"id": f"e{n:08d}", "user": user, "item": item, "ts": start_ms + 1000 * late}
        shown = {"type": "impression"} if chance.random() < IMPRESSIONS else {}
        value = msgspec.json.encode(event | shown)
        sent.append((user, value))
        yield Message(user.encode(), value[: len(value) // 2] if kind > 0.995 else value)


class Workers:
    """Worker processes under a supervisor: whoever ends by itself is started again."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._folder = folder
        self._environment = {**os.environ, **as_environment(settings)}
        self.running: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.left_alone = 0
        self._started = 0

    def start(self, name: str) -> None:
        """Start a worker; its words go to a file of its own."""
        self._started += 1
        said = (self._folder / f"{self._started:03d}-{name}.log").open("wb")
        command = [sys.executable, "-m", "millstream.streams", "worker", name]
        with said:
            process = subprocess.Popen(command, env=self._environment, stdout=said, stderr=said)
        self.running.append((name, process))

    def strike(self, chance: random.Random, number: signal.Signals) -> str:
        """Send a signal to one worker and wait for its end; return its name."""
        name, process = self.running.pop(chance.randrange(len(self.running)))
        process.send_signal(number)
        process.wait(40)
        return name

    def mend(self) -> None:
        """Start again whoever has ended by itself."""
        ended = [one for one in self.running if one[1].poll() is not None]
        self.running = [one for one in self.running if one not in ended]
        for name, _ in ended:
            self.left_alone += 1
            self.start(name)

    def stop(self) -> None:
        """End all."""
        for _, process in self.running:
            process.terminate()
        for _, process in self.running:
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()


def run(
    settings: Settings,
    folder: Path,
    seed: int,
    count: int = 20_000,
    faults: int = 6,
    say: Callable[[str], None] = lambda _: None,
) -> Result:
    """Strike workers of a namespace of their own; return what the audit says when all is quiet."""
    settings = msgspec.structs.replace(
        settings,
        topics=msgspec.structs.replace(settings.topics, namespace=f"faults-{seed}-{os.getpid()}"),
        redis=msgspec.structs.replace(settings.redis, prefix=f"f{seed}-{os.getpid()}"),
        list=msgspec.structs.replace(settings.list, renew_after_s=RENEW_AFTER_S),
        learn=msgspec.structs.replace(settings.learn, snapshot_interval_s=SNAPSHOT_EVERY_S),
    )
    log, store = open_log(settings), open_store(settings)
    ensure_topics(log, settings)
    chance = random.Random(seed)
    result = Result(seed, standby=seed % 2 == 1, events=count)
    workers = Workers(settings, folder)
    started = time.monotonic()
    try:
        for name in ("recommend", "recommend", "learn", *(["learn"] if result.standby else [])):
            workers.start(name)
        # Up to now: what was shown within a day rests.
        source = iter(list(events(seed, count, _now_ms() - 1000 * count)))
        part = count * 3 // 4 // faults + 1
        _publish(log, settings, source, count // 4)
        _wait(lambda: _applied(settings, log, store) > 0, workers)
        for n in range(faults):
            if n % 2:  # what comes next finds workers that make old lists again
                result.renewed += _until_renewed(settings, log, store, workers)
            _publish(log, settings, source, part)
            strike_at = chance.randrange(part // 4, part)
            _wait(lambda: _lag(settings, log, store) <= strike_at, workers)  # noqa: B023
            result.with_work_in_hand += _lag(settings, log, store) > 0
            _strike(workers, chance, FAULTS[n % len(FAULTS)], result)
            say(f"seed {seed}: fault {n + 1} of {faults}, lag {_lag(settings, log, store)}")
        _publish(log, settings, source, count)
        _wait(lambda: _quiet(settings, log, store), workers)
        result.renewed += _until_renewed(settings, log, store, workers)
        result.reapplied = _reapplied(settings, log)
        result.left_alone = workers.left_alone
        result.audit = audit(settings, log, store, new_snapshots(settings)).as_json()
    finally:
        workers.stop()
        result.seconds = round(time.monotonic() - started, 1)
        store.close()
        log.close()
    return result


def _publish(log: Log, settings: Settings, source: Iterator[Message], most: int) -> None:
    for n, message in enumerate(source):
        log.send(settings.topics.name(EVENT_ROLES[n % 2]), message)
        if n + 1 == most:
            break
    log.flush()


def _strike(workers: Workers, chance: random.Random, fault: str, result: Result) -> None:
    if fault == "join":
        workers.start("recommend")
        result.joins += 1
        return
    number = signal.SIGKILL if fault == "kill" else signal.SIGTERM
    name = workers.strike(chance, number)
    result.kills += fault == "kill"
    result.terms += fault == "term"
    workers.start(name)


def _wait(done: Callable[[], bool], workers: Workers) -> None:
    until = time.monotonic() + SETTLE_S
    while not done():
        workers.mend()
        if time.monotonic() > until:
            raise TimeoutError(f"nothing moved for {SETTLE_S} s; see the workers' logs")
        time.sleep(0.02)


def _until_renewed(settings: Settings, log: Log, store: Store, workers: Workers) -> int:
    """Wait until lists are made although nothing comes in; return how many were."""
    _wait(lambda: not _lag(settings, log, store), workers)
    since_ms = _now_ms()
    _wait(lambda: _made_since(store, since_ms) > 0, workers)
    return _made_since(store, since_ms)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _made_since(store: Store, since_ms: int) -> int:
    lists = store.listings([f"u{n}" for n in range(USERS)])
    return sum(decode_listing(found).made_at > since_ms for found in lists if found)


def _ends(settings: Settings, log: Log) -> int:
    topics = [settings.topics.name(role) for role in EVENT_ROLES]
    partitions = range(settings.topics.event_partitions)
    bounds = log.bounds_of([(topic, p) for topic in topics for p in partitions])
    return sum(end for _, end in bounds.values())


def _applied(settings: Settings, log: Log, store: Store) -> int:
    return sum(store.progress("recommend").values())


def _lag(settings: Settings, log: Log, store: Store) -> int:
    return _ends(settings, log) - _applied(settings, log, store)


def _quiet(settings: Settings, log: Log, store: Store) -> bool:
    """Return whether all is applied, learnt, and said by the replicas that live."""
    if _lag(settings, log, store):
        return False
    _, learnt = log.bounds(settings.topics.name("interactions"), 0)
    said = [msgspec.json.decode(value)["model"] for value in store.digests().values()]
    return len([model for model in said if model == learnt]) >= 2


def _reapplied(settings: Settings, log: Log) -> int:
    """Return how many interactions stand in the log more than once: work done again."""
    topic = settings.topics.name("interactions")
    met: set[tuple[str, int, int]] = set()
    total = 0
    for record in log.read(topic, 0, *log.bounds(topic, 0)):
        batch = decode_batch(record.value)
        for one in batch.interactions if batch else ():
            total += 1
            met.add((batch.topics[one.topic], one.partition, one.offset) if batch else ("", 0, 0))
    return total - len(met)
