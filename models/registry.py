"""Every source by name; with its params struct in its own file, one case a source."""

from typing import Final

import msgspec

from millstream.models.errors import ModelError
from millstream.models.fism import Fism, FismParams
from millstream.models.mf import Mf, MfParams
from millstream.models.pairs import Pairs, PairsParams
from millstream.models.pop import Pop, PopParams
from millstream.models.river_mf import RiverMf, RiverMfParams
from millstream.models.source import Source

SOURCES: Final[dict[str, type[msgspec.Struct]]] = {
    "pairs": PairsParams,
    "pop": PopParams,
    "mf": MfParams,
    "fism": FismParams,
    "river_mf": RiverMfParams,
}


def new_source(name: str, params: msgspec.Struct, seed: int) -> Source:
    """Return an empty source. Raises ModelError when there is none of that name and params."""
    if type(params) is SOURCES.get(name):
        match params:
            case PairsParams():
                return Pairs(params)
            case PopParams():
                return Pop(params)
            case MfParams():
                return Mf(params, seed)
            case FismParams():
                return Fism(params, seed)
            case RiverMfParams():
                return RiverMf(params, seed)
    known = ", ".join(SOURCES)
    raise ModelError(f"no source {name!r} takes {type(params).__name__}; there are {known}")
