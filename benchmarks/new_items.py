"""From an item's message to its vectors in item-embeddings, and to the first list that holds it.

python benchmarks/new_items.py [--json]
"""

import io
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec
import numpy as np
from PIL import Image
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, too

from benchmarks.report import answer, parser
from benchmarks.rig import BenchmarkFailed, Rig, Servers, rig, say, servers
from millstream.streams.encoders.choose import open_encoders
from millstream.streams.encoders.samples import pictures, sentences
from millstream.streams.listing import decode_listing
from millstream.streams.log import Follower, Message
from millstream.streams.settings_reader import cache_dir, load_settings

Kind = Literal["text", "text+image"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
ITEMS: Final = 200
OLD: Final = 40
"""Items that everybody has met; of each newcomer nobody has."""
PEOPLE: Final = 40
HISTORY: Final = 20
EVENT_EVERY_S: Final = 0.05
"""A person acts so often while a new item is on its way: each event brings a list."""
LATE_S: Final = 30.0


@dataclass(slots=True)
class Waits:
    """Milliseconds from an item's message on."""

    embedded: list[float] = field(default_factory=list)
    listed: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Shop:
    """A catalogue and people who act, on a rig."""

    bench: Rig
    numbers: Iterator[int] = field(default_factory=count)

    def put(self, item: str, fields: Mapping[str, object]) -> None:
        """Publish an item."""
        topic = self.bench.settings.topics.name("items")
        self.bench.log.append(topic, [Message(item.encode(), msgspec.json.encode(fields))])

    def click(self, *pairs: tuple[str, str]) -> None:
        """Publish a click of each person on an item."""
        now_ms = time.time_ns() // 1_000_000
        messages = []
        for user, item in pairs:
            event = {"id": f"b{next(self.numbers)}", "user": user, "item": item, "ts": now_ms}
            messages.append(Message(user.encode(), msgspec.json.encode(event)))
        self.bench.log.append(self.bench.settings.topics.name("clicks"), messages)

    def fill(self) -> None:
        """Publish old items and histories, and wait until all is embedded, applied and learnt."""
        for n, title in enumerate(sentences(OLD)):
            self.put(f"old{n}", {"title": title})
        self.bench.wait(lambda: self._embedded() >= OLD, "old items to be embedded", 300)
        for k in range(HISTORY):
            self.click(*((f"u{p}", f"old{(p + k) % OLD}") for p in range(PEOPLE)))
        self.bench.settle()

    def follow(self) -> Follower:
        """Follow item-embeddings from its end."""
        topic = self.bench.settings.topics.name("item_embeddings")
        log = self.bench.log
        ends = {(topic, p): log.bounds(topic, p)[1] for p in range(log.partitions(topic))}
        return log.follow(ends)

    def holds(self, user: str, item: str) -> bool:
        """Return whether a person's list holds an item."""
        (value,) = self.bench.store.listings([user])
        return value is not None and any(e.item == item for e in decode_listing(value).items)

    def _embedded(self) -> int:
        topic = self.bench.settings.topics.name("item_embeddings")
        log = self.bench.log
        return sum(log.bounds(topic, p)[1] for p in range(log.partitions(topic)))


def measure_kind(at: Servers, kind: Kind, items: int) -> dict[str, object]:
    """Return the percentiles of one kind of item, one new item at a time."""
    with rig(at, ["recommend", "learn", "encode"]) as bench:
        say(f"new items, {kind}: {OLD} old items, {PEOPLE} people")
        shop = Shop(bench)
        shop.fill()
        say(f"new items, {kind}: {items} one after another")
        follower = shop.follow()
        waits = Waits()
        for n, fields in enumerate(described(kind, items)):
            measure_one(shop, follower, f"new{n}", f"u{n % PEOPLE}", fields, waits)
            shop.click((f"u{(n + 1) % PEOPLE}", f"new{n}"))  # who is met is new no more
            bench.settle()
        follower.close()
    return {"items": items, "embedded": percentiles(waits.embedded)} | {
        "listed": percentiles(waits.listed)
    }


def measure_one(
    shop: Shop,
    follower: Follower,
    item: str,
    user: str,
    fields: Mapping[str, object],
    waits: Waits,
) -> None:
    """Publish one item; note when its vectors stand in the topic and when a list holds it."""
    began = time.monotonic()
    shop.put(item, fields)
    embedded = listed = act_at = 0.0
    while not (embedded and listed):
        now = time.monotonic()
        shop.bench.check()
        if now - began > LATE_S:
            raise BenchmarkFailed(f"{item} is in no list after {LATE_S:.0f} s")
        if now >= act_at and not listed:
            shop.click((user, f"old{next(shop.numbers) % OLD}"))
            act_at = now + EVENT_EVERY_S
        if not embedded and any(r.key == item.encode() for r in follower.poll(0.0)):
            embedded = time.monotonic()
        if not listed and shop.holds(user, item):
            listed = time.monotonic()
        time.sleep(0.001)
    waits.embedded.append(1000 * (embedded - began))
    waits.listed.append(1000 * (listed - began))


def described(kind: Kind, items: int) -> Iterator[dict[str, object]]:
    """Yield the messages of made-up items, all different."""
    for n, title in enumerate(sentences(items)):
        fields: dict[str, object] = {"title": f"{title} {n}", "description": f"Number {n}"}
        if kind == "text+image":
            (pixels,) = pictures(1, seed=n)
            packed = io.BytesIO()
            Image.fromarray(pixels).save(packed, "JPEG", quality=90)
            fields["image"] = {"base64": b64encode(packed.getvalue()).decode()}
        yield fields


def percentiles(milliseconds: list[float]) -> dict[str, float]:
    """Return p50, p99 and the longest."""
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return {
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "max_ms": round(max(milliseconds), 1),
    }


def main() -> int:
    """Measure both kinds and print what was found."""
    flags = parser((__doc__ or "").splitlines()[0], orders=False)
    flags.add_argument("--items", type=int, default=ITEMS, help="new items of each kind")
    given = flags.parse_args()

    def measure() -> dict[str, object]:
        # Else the workers would take hashed words for a text encoder.
        encoders = open_encoders(load_settings(), cache_dir(), fetch=not given.quick, say=say)
        versions = {"text": encoders["text"].space} if "text" in encoders else {}
        versions |= {"image": encoders["image"].space} if "image" in encoders else {}
        kinds = [kind for kind in KINDS if kind == "text" or "image" in encoders]
        items = 5 if given.quick else given.items
        with servers(given.kafka, given.redis) as at:
            found = {kind: measure_kind(at, kind, items) for kind in kinds}
        return {"encoders": versions, "kinds": found}

    return answer("new_items", measure, _tables, given.json)


def _tables(found: Mapping[str, Any]) -> list[Table]:
    encoders = ", ".join(f"{modality} {space}" for modality, space in found["encoders"].items())
    table = Table(
        "item", "vectors p50", "p99", "max", "list p50", "p99", "max",
        title=f"Item's message → item-embeddings, and → first list that holds it, ms ({encoders})",
    )  # fmt: skip
    for kind, figures in found["kinds"].items():
        cells = [
            f"{figures[to][f'{name}_ms']:.0f}"
            for to in ("embedded", "listed")
            for name in ("p50", "p99", "max")
        ]
        table.add_row(kind, *cells)
    return [table]


if __name__ == "__main__":
    sys.exit(main())
