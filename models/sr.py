"""Sequential rules: what people met soon after an item.

    s(i) = sum_k  profile_decay^k w_k D[j_k, i] / sqrt(n_j)
    D[j, i] += pair_decay^distance w_i w_j

Ludewig & Jannach 2018, with decays by distance.
"""

from millstream.models.pairs import Decay, Items, PairParams, Pairs, Proposals, Width


class SrParams(PairParams, frozen=True, forbid_unknown_fields=True):
    """Settings of `sr`."""

    weight: float = 0.4
    proposals: Proposals = 60
    width: Width = 128
    pair_items: Items = 3
    pair_decay: Decay = 0.5
    profile_items: Items = 3
    profile_decay: Decay = 0.5


class Sr(Pairs):
    """Directed pairs."""

    def __init__(self, params: SrParams) -> None:
        """Start empty."""
        super().__init__("sr", params, both=False)
