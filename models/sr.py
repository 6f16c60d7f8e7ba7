"""Sequential rules: what people met soon after an item.

    s(i) = sum_k  profile_decay^k w_k D[j_k, i] / sqrt(n_j)
    D[j, i] += pair_decay^distance w_i w_j

Ludewig & Jannach 2018, with decays by distance.
"""

from typing import Annotated

import msgspec

from millstream.models.pairs import Pairs


class SrParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `sr`."""

    weight: float = 0.4
    proposals: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 60
    width: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 128
    pair_items: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 3
    pair_decay: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    profile_items: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 3
    profile_decay: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5


class Sr(Pairs):
    """Directed pairs."""

    def __init__(self, params: SrParams) -> None:
        """Start empty."""
        super().__init__("sr", params, both=False)
