"""Co-occurrence with recency: items that the same people met at about the same time.

    s(i) = sum_k  profile_decay^k w_k C[j_k, i] / sqrt(n_j n_i)
    C[i, j], C[j, i] += pair_decay^distance w_i w_j

Incremental item-item collaborative filtering (Huang et al. 2015, TencentRec) with both sums
decayed by distance: R@10 .190 against .145 on MovieLens 100K, dense.
"""

from typing import Annotated

import msgspec

from millstream.models.pairs import Pairs


class CoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `co`."""

    weight: float = 0.8
    proposals: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 150
    width: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 256
    pair_items: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 50
    pair_decay: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.95
    profile_items: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 20
    profile_decay: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.8


class Co(Pairs):
    """Symmetric pairs read as a cosine."""

    def __init__(self, params: CoParams) -> None:
        """Start empty."""
        super().__init__("co", params, both=True)
