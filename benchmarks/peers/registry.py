"""Who is compared, and what each needs: nothing is imported before its own process asks for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.peers.peer import Peer


@dataclass(frozen=True, slots=True)
class Entry:
    """A peer: what to call it, how it begins, and the packages it needs, pinned."""

    label: str
    begin: Callable[[], Peer]
    pins: tuple[str, ...] = ()


def _pop() -> Peer:
    from benchmarks.peers.pop import Pop

    return Pop()


def _river() -> Peer:
    from benchmarks.peers.river_mf import RiverMf

    return RiverMf(negatives=0)


def _river_negatives() -> Peer:
    from benchmarks.peers.river_mf import RiverMf

    return RiverMf(negatives=10)


def _als() -> Peer:
    from benchmarks.peers.als import Als

    return Als()


def _rtrec() -> Peer:
    from benchmarks.peers.slim import Slim

    return Slim()


def _rtrec_light() -> Peer:
    from benchmarks.peers.slim import Slim

    return Slim(alpha=0.001)


ARRAYS: Final = ("numpy==2.4.6", "scipy==1.17.1", "threadpoolctl==3.8.0", "tqdm==4.70.1")

RTREC: Final = (
    "rtrec==0.2.7",
    "implicit==0.7.3",
    "rectools-lightfm==1.17.3",
    "pandas==2.3.3",
    "scikit-learn==1.9.1",
    *ARRAYS,
)

PEERS: Final[dict[str, Entry]] = {
    "pop": Entry("popularity, half-life 5,000 events", _pop),
    "river": Entry("River BiasedMF, every label 1", _river),
    "river-negatives": Entry("River BiasedMF, 10 negatives a click", _river_negatives),
    "implicit": Entry(
        "implicit ALS, refitted every 2,000 events", _als, ("implicit==0.7.3", *ARRAYS)
    ),
    "rtrec": Entry("rtrec SLIM as shipped, fitted every 500 events", _rtrec, RTREC),
    "rtrec-light": Entry("rtrec SLIM, alpha .001 for .1", _rtrec_light, RTREC),
}
