"""How items that look alike are found among many: a scan of all, cells, our graph, and faiss.

python benchmarks/nearest.py [--items 20000 --items 100000] [--json]

Catalogues are made up: what 16 hidden traits say in five modalities, with noise of their own, on
axes of falling spread as principal axes have it. Asked for are the 50 nearest of each of 500 items;
what is found is held against the nearest by exact float vectors. faiss is installed by this script
alone, pinned, into a cache folder; one thread each, CPU time.
"""

import importlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import numpy as np
import numpy.typing as npt
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # run as a file, too

from benchmarks.peers.install import NotInstalled, ensure_installed
from benchmarks.report import answer, run
from benchmarks.rig import say
from millstream.models.alike import alike, nearest
from millstream.models.content import Content, ContentParams
from millstream.models.embedding import MODALITIES
from millstream.models.histories import Rows
from millstream.models.likeness_graph import LOOKED_AT, PUT_A_CALL, LikenessGraph
from millstream.models.pool import Pool
from millstream.models.space import DIM
from millstream.streams.settings_reader import cache_dir

SIZES: Final = (20_000, 100_000, 300_000)
TRAITS: Final = 16
NOISE: Final = 0.5
ASKED: Final = 500
FOUND: Final = 50
AT_ONCE: Final = 64
PIN: Final = "faiss-cpu==1.15.1"
PROBES: Final = 32

Floats = npt.NDArray[np.float32]


class Way(NamedTuple):
    """How long it took an item to be added, and an item's nearest to be found, (ASKED, FOUND)."""

    add_us: float
    find_us: float
    found: Rows
    bytes_per_item: float


def content_of(items: int) -> Content:
    """Return a made-up catalogue, in no cells yet."""
    random = np.random.default_rng(0)
    spread = np.arange(1, DIM + 1, dtype=np.float32) ** -0.5
    shape = len(MODALITIES), DIM
    says = random.normal(size=(TRAITS, *shape)).astype(np.float32) / TRAITS**0.5
    content = Content(ContentParams())
    content.grow(items)
    content.described = Pool(np.ones(items, np.bool_))
    for start in range(0, items, 10_000):
        n = min(10_000, items - start)
        traits = random.standard_t(3, size=(n, TRAITS)).astype(np.float32)
        own = random.normal(0.0, NOISE, (n, *shape)).astype(np.float32)
        vectors = (np.tensordot(traits, says, 1) + own) * spread
        vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
        scales = np.abs(vectors).max(axis=2) / 127.0
        content.vectors.scales[start : start + n] = scales
        content.vectors.codes[start : start + n] = np.rint(vectors / scales[:, :, None])
    return content


def joint(content: Content) -> Floats:
    """Return the whole joint vectors, (items, M x D), at length 1."""
    vectors = content.vectors.codes * content.vectors.scales[:, :, None]
    vectors *= np.sqrt(content.worth)[:, None]
    flat = vectors.reshape(len(vectors), -1)
    return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True), np.float32)


def timed(items: int, add: Callable[[], object], find: Callable[[], Rows], size: float) -> Way:
    """Return what a way costs; what is found is found twice, the first time unmeasured."""
    began = time.process_time()
    add()
    added = time.process_time() - began
    find()
    began = time.process_time()
    found = find()
    took = time.process_time() - began
    return Way(added / items * 1e6, took / ASKED * 1e6, found, size / items)


def ways(content: Content, vectors: Floats, asked: Rows) -> Iterator[tuple[str, Way]]:
    """Yield each way by its name; faiss is told and left out where it cannot be had."""
    items = len(vectors)
    everything = np.arange(items, dtype=np.int32)
    codes = content.vectors.codes.nbytes + content.vectors.scales.nbytes

    def place() -> None:
        for start in range(0, items, AT_ONCE):
            content.cells.put(range(start, min(start + AT_ONCE, items)), content.joint)

    def look() -> Rows:
        looked = content.cells.look(everything, content.joint(asked), LOOKED_AT)
        return nearest(content, asked, looked, FOUND)

    def follow() -> None:
        for _ in range(-(-items // PUT_A_CALL)):
            graph.follow(content, ())

    def search() -> Rows:
        return graph.nearest(content, asked, np.zeros(0, np.bool_), FOUND)

    scan = timed(items, lambda: None, lambda: alike(content, asked, everything, FOUND), codes)
    yield "scan of all codes", scan
    yield "cells", timed(items, place, look, codes + content.cells.of_row.nbytes)
    graph = LikenessGraph(exact_max=0)
    found = timed(items, follow, search, 0.0)
    yield "graph", found._replace(bytes_per_item=(codes + graph.memory_bytes) / items)
    try:
        sys.path.append(str(ensure_installed([PIN], cache_dir())))
    except NotInstalled as error:
        say(f"faiss: {error}")
        return
    yield _faiss(importlib.import_module("faiss"), vectors, asked)


def _faiss(faiss: Any, vectors: Floats, asked: Rows) -> tuple[str, Way]:
    faiss.omp_set_num_threads(1)
    items, width = vectors.shape
    cells = int(4 * items**0.5)
    eight_bits = faiss.ScalarQuantizer.QT_8bit
    quantizer = faiss.IndexFlatIP(width)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, width, cells, eight_bits, faiss.METRIC_INNER_PRODUCT
    )
    index.nprobe = PROBES

    def add() -> None:
        index.train(vectors[np.random.default_rng(0).permutation(items)[: 40 * cells]])
        index.add(vectors)

    def find() -> Rows:
        return np.asarray(index.search(vectors[asked], FOUND)[1], np.int32)

    return "faiss, IVF", timed(items, add, find, items * (width + 8.0) + 4.0 * cells * width)


def measure(sizes: Sequence[int]) -> dict[str, object]:
    """Return the figures of each way at each size."""
    rows = []
    for items in sizes:
        content = content_of(items)
        vectors = joint(content)
        asked = np.arange(0, items, -(-items // ASKED), dtype=np.int32)[:ASKED]
        exact = np.argsort(-(vectors[asked] @ vectors.T), axis=1)[:, :FOUND]
        for name, way in ways(content, vectors, asked):
            same = [np.isin(best, got).mean() for best, got in zip(exact, way.found, strict=True)]
            rows.append(
                {
                    "items": items,
                    "way": name,
                    "us_to_add": round(way.add_us, 1),
                    "us_to_find": round(way.find_us, 1),
                    "recall": round(float(np.mean(same)), 4),
                    "bytes_per_item": round(way.bytes_per_item, 1),
                }
            )
            say(f"{items} items, {name}: recall {rows[-1]['recall']}")
    return {"asked": ASKED, "found": FOUND, "rows": rows}


def _tables(found: Mapping[str, Any]) -> list[Table]:
    table = Table(*found["rows"][0], title=f"The {found['found']} nearest of each of 500 items")
    for row in found["rows"]:
        table.add_row(*(f"{v:,}" if isinstance(v, int | float) else v for v in row.values()))
    return [table]


@click.command(help=(__doc__ or "").splitlines()[0])
@click.option(
    "--items", type=click.IntRange(1000), multiple=True, help="Default: 20,000 to 300,000."
)
@click.option("--quick", is_flag=True, help="Only shows that it runs.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON instead of a table.")
def command(items: tuple[int, ...], quick: bool, as_json: bool) -> int:
    sizes = (1000,) if quick else items or SIZES
    return answer("nearest", lambda: measure(sizes), _tables, as_json)


if __name__ == "__main__":
    sys.exit(run(command))
