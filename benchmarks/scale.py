"""How a list's cost, an item's memory and a restart's time grow with the catalogue.

python benchmarks/scale.py [--items 1000 --items 1000000] [--json]

Catalogues are made up: vectors of 500 kinds with noise, people who take to one kind, popularity by
Zipf. What is timed is what production runs, in one process; lists of all sizes take turns, so that
they meet the same machine.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, too

from benchmarks.report import answer
from benchmarks.rig import say
from millstream.models.catalogue import Catalogue
from millstream.models.embedding import Embedding, Part, unit_vector
from millstream.models.event import Event
from millstream.models.interaction import FORMAT, InteractionBatch
from millstream.models.learned_model import LearnedModel
from millstream.models.profile import Profile
from millstream.models.recommender import Request
from millstream.models.space import FIT_MAX, Space
from millstream.streams.assembly import new_learned_model, new_recommender, new_replica_model
from millstream.streams.interactions import interaction_of
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import load_settings, with_setting
from millstream.streams.snapshots import Snapshot, Snapshots

SIZES: Final = (1_000, 10_000, 100_000, 1_000_000)
KINDS: Final = 500
WIDTH: Final = 512
PEOPLE: Final = 500
HISTORY: Final = 20
AT_ONCE: Final = 64
ROUNDS: Final = 20
NEIGHBOURS: Final = 50

Vectors = npt.NDArray[np.float32]


def vectors(kinds: Vectors, start: int, n: int) -> Vectors:
    """Return unit vectors (n, WIDTH) of items start .. start + n - 1, each near its kind's."""
    random = np.random.default_rng(start)
    mixed = kinds[np.arange(start, start + n) % KINDS] + random.normal(0, 0.05, (n, WIDTH))
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), np.float32)


def described(kinds: Vectors, items: int) -> Iterator[list[tuple[str, Embedding]]]:
    """Yield the catalogue, as ENCODE publishes it: some items a record."""
    for start in range(0, items, AT_ONCE):
        n = min(AT_ONCE, items - start)
        rows = vectors(kinds, start, n)
        yield [
            (f"m{start + q}", Embedding({"text": Part(unit_vector(rows[q]), "made-up", bytes(16))}))
            for q in range(n)
        ]


def people(items: int) -> Sequence[list[str]]:
    """Return what each person took to: items of a kind, the popular ones more often."""
    random = np.random.default_rng(1)
    of_kind = max(items // KINDS, 1)
    places = random.zipf(1.3, (PEOPLE, 8 * HISTORY)) - 1
    kinds = random.integers(0, KINDS, PEOPLE)
    # Where a kind has too few for a history, the rest is of the next kinds.
    rows = (places % of_kind * KINDS + kinds[:, None] + places // of_kind) % items
    return [[f"m{row}" for row in dict.fromkeys(mine.tolist())][:HISTORY] for mine in rows]


def measure_size(settings: Settings, items: int) -> tuple[dict[str, float], Callable[[], float]]:
    """Return the figures of one catalogue, and what gives µs a list, for one batch."""
    kinds = np.random.default_rng(0).normal(size=(KINDS, WIDTH)).astype(np.float32)
    kinds /= np.linalg.norm(kinds, axis=1, keepdims=True)
    model = new_learned_model(settings)
    began = time.process_time()
    for batch in described(kinds, items):
        model.describe(model.offset, batch, 0)
        model.settle()
    describing = time.process_time() - began
    profiles = _live(settings, model, people(items))
    recommender = new_recommender(settings, model)
    requests = [Request(f"u{n}", profile, 1_800_000_000_000) for n, profile in enumerate(profiles)]
    recommender.rank(requests, Catalogue())

    def us_per_list() -> float:
        began = time.thread_time()
        recommender.rank(requests, Catalogue())
        return (time.thread_time() - began) / len(requests) * 1e6

    held = {name: array.nbytes for name, array in model._read_arrays()}
    content = sum(size for name, size in held.items() if name.startswith("content."))
    figures = {
        "items": items,
        "bytes_per_item": round(sum(held.values()) / items, 1),
        "content_bytes_per_item": round(content / items, 1),
        "us_per_described_item": round(describing / items * 1e6, 1),
        **_rebuilt(settings, model),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    return figures, us_per_list


def _live(settings: Settings, model: LearnedModel, histories: Sequence[list[str]]) -> list[Profile]:
    """Let people take to their items, one after another, and return their profiles."""
    profiles = [Profile() for _ in histories]
    offset = 0
    for turn in range(HISTORY):
        for n, items in enumerate(histories):
            if turn >= len(items):
                continue
            event = Event(f"{offset}", f"u{n}", items[turn], "click", 1_700_000_000_000 + offset)
            taught = profiles[n].taught(settings.weights, settings.model.history_max)
            one = interaction_of(event, profiles[n], taught, settings, 0, offset)
            profiles[n].add(event, settings.profile)
            model.fold(model.offset, InteractionBatch(FORMAT, ["-"], [one]), 0)
            model.settle()
            offset += 1
    return profiles


def _rebuilt(settings: Settings, model: LearnedModel) -> dict[str, float]:
    """Return how long a snapshot takes to be written, and a replica to be made of it."""
    with tempfile.TemporaryDirectory() as folder:
        snapshots = Snapshots(Path(folder), 1)
        began = time.perf_counter()
        snapshots.save(Snapshot(model.offset, 0, "scale", "-", model.arrays()))
        saved = time.perf_counter() - began
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        began = time.perf_counter()
        found = snapshots.newest("scale", "-")
        if found is not None:
            new_replica_model(settings).load(found.arrays)
        loaded = time.perf_counter() - began
    return {
        "snapshot_s": round(saved, 2),
        "rebuild_s": round(loaded, 2),
        "snapshot_mb": round(size / 1e6, 1),
    }


def recall_of_codes() -> float:
    """Return how many of an item's 50 nearest by short float vectors eight bits find as well."""
    kinds = np.random.default_rng(0).normal(size=(KINDS, WIDTH)).astype(np.float32)
    kinds /= np.linalg.norm(kinds, axis=1, keepdims=True)
    space = Space("made-up", WIDTH)
    all_of_them = vectors(kinds, 0, 20_000)
    for row in range(FIT_MAX):
        space.add(row, all_of_them[row].astype(np.float16))
    short = (all_of_them - space.mean) @ space.axes
    short /= np.linalg.norm(short, axis=1, keepdims=True)
    codes, scales = space.encode(all_of_them)
    coarse = codes.astype(np.float32) * scales[:, None]
    found = 0
    asked = range(0, len(short), 100)
    for row in asked:
        exact = np.argpartition(-(short @ short[row]), NEIGHBOURS)[:NEIGHBOURS]
        near = np.argpartition(-(coarse @ coarse[row]), NEIGHBOURS)[:NEIGHBOURS]
        found += len(np.intersect1d(exact, near))
    return found / (len(asked) * NEIGHBOURS)


def main() -> int:
    """Measure each size and print what was found."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    flags.add_argument("--items", type=int, action="append", help="default: 1,000 to 1,000,000")
    flags.add_argument("--quick", action="store_true", help="only shows that it runs")
    flags.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    given = flags.parse_args()
    sizes = [300, 600] if given.quick else given.items or list(SIZES)

    def measure() -> dict[str, object]:
        settings = with_setting(load_settings(), "model.items_max", str(max(sizes) + 1), "--items")
        found = []
        for items in sizes:
            say(f"scale: {items} items")
            found.append(measure_size(settings, items))
        spent = [[us_per_list() for _, us_per_list in found] for _ in range(ROUNDS)]
        lists = [round(us, 1) for us in np.median(spent, axis=0).tolist()]
        return {
            "sizes": [
                {**size, "us_per_list": us} for (size, _), us in zip(found, lists, strict=True)
            ],
            "recall_of_codes": round(recall_of_codes(), 4),
        }

    return answer("scale", measure, _tables, given.json)


def _tables(found: Mapping[str, Any]) -> list[Table]:
    names = list(found["sizes"][0])
    table = Table(*names, title=f"Recall of eight bits: {found['recall_of_codes']:.3f}")
    for size in found["sizes"]:
        table.add_row(*(f"{size[name]:,}" for name in names))
    return [table]


if __name__ == "__main__":
    sys.exit(main())
