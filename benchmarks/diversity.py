"""Diversity at list time: what a list costs, and what a strength takes from recall and gives.

python benchmarks/diversity.py [--json] [--every 5]
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, too

from benchmarks.orders import DATASET, part, positives
from benchmarks.report import answer
from benchmarks.rig import BenchmarkFailed, say
from millstream.models.catalogue import Catalogue
from millstream.models.diversity import Floats, diversify
from millstream.models.event import Event
from millstream.models.interaction import FORMAT, InteractionBatch
from millstream.models.mf import Mf
from millstream.models.profile import Profile
from millstream.models.recommender import Listed, Request
from millstream.streams.assembly import new_learned_model, new_recommender, warm_up
from millstream.streams.catalogue_table import read_items
from millstream.streams.datasets import EventTable
from millstream.streams.interactions import interaction_of
from millstream.streams.item_message import RejectedItem, decode_item
from millstream.streams.movielens import DATASETS
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import load_settings, with_setting

AMONG: Final = 100
LENGTH: Final = 10
STRENGTHS: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
FACTORS: Final = 32
SETTLE_EVERY: Final = 100
QUICK_EVENTS: Final = 2_000

Vectors = Mapping[str, Floats]
"""What a list is told apart by: (m, k) vectors of its m items, by the name of the space."""


@dataclass(slots=True)
class Point:
    """One strength in one space, over all lists: hits, and how far apart listed items are."""

    lists: int = 0
    hits: int = 0
    pairs: int = 0
    distance: dict[str, float] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)

    def add(self, items: Sequence[str], wanted: str, vectors: Vectors) -> None:
        """Count one list; `vectors` are those of its items."""
        self.lists += 1
        self.hits += wanted in items
        self.listed.update(items)
        if len(items) > 1:
            self.pairs += 1
            for name, its in vectors.items():
                self.distance[name] = self.distance.get(name, 0.0) + _mean_distance(its)

    def as_json(self) -> dict[str, object]:
        """Return recall@10, the mean intra-list distance in each space, and distinct items."""
        return {
            "recall@10": round(self.hits / max(self.lists, 1), 4),
            "distance": {name: round(d / self.pairs, 3) for name, d in self.distance.items()},
            "items": len(self.listed),
        }


def frontier(
    events: EventTable, categories: Mapping[str, Floats], settings: Settings, every: int
) -> dict[str, object]:
    """Return a point for each space and strength, over every `every`-th event's list."""
    spaces = ["mf", "categories"] if categories else ["mf"]
    points = {space: {strength: Point() for strength in STRENGTHS} for space in spaces}
    lists = 0
    for best, wanted, factors in _ranked(events, settings, every):
        lists += 1
        items = [entry.item for entry in best]
        places = np.arange(len(items), dtype=np.int32)[None, :]
        scores = np.array([[entry.score for entry in best]], np.float32)
        vectors = {"mf": factors}
        if categories:
            width = len(next(iter(categories.values())))
            none = np.zeros(width, np.float32)
            vectors["categories"] = np.array(
                [categories.get(item, none) for item in items], np.float32
            ).reshape(len(items), width)
        for space in spaces:
            for strength, point in points[space].items():
                order = diversify(places, scores, vectors[space], LENGTH, strength)[0]
                order = order[order >= 0]
                kept = {name: its[order] for name, its in vectors.items()}
                point.add([items[place] for place in order.tolist()], wanted, kept)
    return {
        "events": len(events),
        "lists": lists,
        "vectors": {
            space: {str(strength): point.as_json() for strength, point in of.items()}
            for space, of in points.items()
        },
    }


def us_per_list(items: int, batch: int, rounds: int = 20, lists: int = 500) -> float:
    """Return thread CPU of one list, 100 -> 10 with 32 factors; the quietest of the rounds."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(items, FACTORS)).astype(np.float32)
    rows = random.integers(0, items, (lists, AMONG)).astype(np.int32)
    scores = -np.sort(-random.normal(size=(lists, AMONG)).astype(np.float32), axis=1)
    diversify(rows[:1], scores[:1], vectors, LENGTH, 0.5)  # compiled
    found = []
    for _ in range(rounds):
        started = time.thread_time_ns()
        for first in range(0, lists, batch):
            cut = slice(first, first + batch)
            diversify(rows[cut], scores[cut], vectors, LENGTH, 0.5)
        found.append((time.thread_time_ns() - started) / lists / 1000)
    return round(min(found), 1)


def categories_of(source: str, data_dir: Path) -> dict[str, Floats]:
    """Return each item's categories as a vector of 0 and 1."""
    named: dict[str, tuple[str, ...]] = {}
    for message in read_items(source, {}, data_dir, say):
        entry = decode_item(message.value)
        if not isinstance(entry, RejectedItem):
            named[message.item] = entry.categories
    every = sorted({category for own in named.values() for category in own})
    return {
        item: np.array([category in own for category in every], np.float32)
        for item, own in named.items()
    }


def _ranked(
    events: EventTable, settings: Settings, every: int
) -> Iterator[tuple[list[Listed], str, Floats]]:
    """Yield the best 100 before an event, its item, and the item factors of the 100.

    As `millstream evaluate`: each event of a person who has an earlier one, on an item that is
    new to them, is ranked before it is learnt.
    """
    settings = with_setting(settings, "list.length", str(AMONG), "the benchmark")
    model = new_learned_model(settings)
    recommender = new_recommender(settings, model)
    mf = model.sources.get("mf")
    if not isinstance(mf, Mf):
        raise BenchmarkFailed("model.sources leaves out mf, whose factors are measured: add it")
    profiles: dict[str, Profile] = {}
    met: dict[str, set[str]] = {}
    catalogue = Catalogue()
    for n in range(len(events)):
        user, item = events.users[n], events.items[n]
        event = Event(f"{n:012d}", user, item, events.types[n], events.ts_ms[n], events.values[n])
        profile = profiles.setdefault(user, Profile())
        known = met.setdefault(user, set())
        taught = profile.taught(settings.weights, settings.model.history_max)
        if known and item not in known and n % every == 0:
            (best,) = recommender.rank([Request(user, profile, event.ts, taught)], catalogue)
            rows = model.rows.rows([entry.item for entry in best])
            yield best, item, mf.factors[np.array(rows, np.int64)]
        interaction = interaction_of(event, profile, taught, settings, 0, n)
        if profile.add(event, settings.profile) == "new":
            if model.needs_frame(1):
                model.settle()
            model.fold(n, InteractionBatch(FORMAT, ["file"], [interaction]), event.ts)
        known.add(item)
        if n % SETTLE_EVERY == SETTLE_EVERY - 1:
            model.settle()


def _mean_distance(vectors: Floats) -> float:
    """Return the mean of 1 - cosine over the pairs; a vector of zeros is 1 away from all."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    cosines = unit @ unit.T
    n = len(vectors)
    return float(1.0 - (cosines.sum() - np.trace(cosines)) / (n * (n - 1)))


def main() -> int:
    """Measure time and frontier and print them."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    flags.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    flags.add_argument("--quick", action="store_true", help="few events: only shows that it runs")
    flags.add_argument("--every", type=int, default=5, help="rank every Nth event only")
    flags.add_argument("--events", default=DATASET, metavar="DATASET|FILE", help="ratings")
    flags.add_argument("--items", metavar="DATASET|FILE", help="their catalogue; default: its own")
    given = flags.parse_args()
    if given.every < 1:
        flags.error("--every: it must be 1 or more")

    def measure() -> dict[str, object]:
        settings = load_settings()
        table = positives(given.events, settings.data_path)
        if given.quick:
            table = part(table, 0, QUICK_EVENTS)
        catalogue = given.items or (given.events if given.events in DATASETS else None)
        categories = categories_of(catalogue, settings.data_path) if catalogue else {}
        say("diversity: the time of a list")
        warm_up(settings)
        rounds = 2 if given.quick else 20
        cost = {
            f"{items:,} items, {batch} at a time": us_per_list(items, batch, rounds)
            for items in (2_000, 200_000)
            for batch in (1, 100)
        }
        say(f"diversity: {len(table)} events")
        return {"us_per_list": cost, **frontier(table, categories, settings, given.every)}

    return answer("diversity", measure, _tables, given.json)


def _tables(found: Mapping[str, Any]) -> list[Table]:
    cost = Table("", "µs a list", title=f"{AMONG} → {LENGTH}, {FACTORS} factors")
    for name, us in found["us_per_list"].items():
        cost.add_row(name, f"{us:.1f}")
    tables = [cost]
    for space, points in found["vectors"].items():
        names = list(next(iter(points.values()))["distance"])
        columns = ("strength", "recall@10", *(f"distance in {name}" for name in names), "items")
        table = Table(*columns, title=f"Told apart by {space}: {found['lists']} lists")
        for strength, point in points.items():
            distances = (f"{point['distance'][name]:.3f}" for name in names)
            table.add_row(strength, f"{point['recall@10']:.4f}", *distances, str(point["items"]))
        tables.append(table)
    return tables


if __name__ == "__main__":
    sys.exit(main())
