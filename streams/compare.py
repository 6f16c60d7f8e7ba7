"""Two evaluations of the same events, held against each other event by event."""

from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from millstream.streams.errors import BadUsage
from millstream.streams.evaluation import DIGITS, RECALL_AT, reciprocal
from millstream.streams.outcome import Answer
from millstream.streams.significance import Difference, mcnemar, paired

NOISE: Final = 0.05
"""A difference is told from noise when it would come by chance less often than this."""

Ranks = npt.NDArray[np.int32]


class Change(msgspec.Struct, frozen=True):
    """A figure of both, how much more b has, its 95 % interval, and the sign-flip's p."""

    a: float
    b: float
    difference: float
    ci95: tuple[float, float]
    p_sign_flip: float


class Comparison(msgspec.Struct, frozen=True, rename={"recall": "recall@10", "mrr": "mrr@20"}):
    """b against a over the same scored events; hits are those of recall@10."""

    scored: int
    users: int
    recall: Change
    mrr: Change
    only_a_hit: int
    only_b_hit: int
    p_mcnemar: float
    verdict: str


def compare(a: Answer, b: Answer, seed: int = 0) -> Comparison:
    """Return b held against a. Raises BadUsage when they scored different events."""
    if a.outcome.events != b.outcome.events:
        raise BadUsage(
            f"they scored different events ({_said(a)}; {_said(b)}), so they cannot be compared: "
            "run both over the same file with the same --limit, --every, --positive, --targets "
            "and --protocol"
        )
    return compare_ranks(a.ranks(), b.ranks(), a.users(), seed)


def compare_ranks(a: Ranks, b: Ranks, users: Ranks, seed: int = 0) -> Comparison:
    """Return the ranks b held against the ranks a of the same events, met by these users."""
    hit_a, hit_b = a <= RECALL_AT, b <= RECALL_AT
    recall = paired(hit_a.astype(np.float64), hit_b.astype(np.float64), users, seed)
    mrr = paired(reciprocal(a), reciprocal(b), users, seed)
    only_a, only_b = int((hit_a & ~hit_b).sum()), int((hit_b & ~hit_a).sum())
    return Comparison(
        scored=len(a),
        users=len(np.unique(users)),
        recall=_change(hit_a.astype(np.float64), hit_b.astype(np.float64), recall),
        mrr=_change(reciprocal(a), reciprocal(b), mrr),
        only_a_hit=only_a,
        only_b_hit=only_b,
        p_mcnemar=_p(mcnemar(only_a, only_b)),
        verdict=_verdict(recall),
    )


def _change(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], difference: Difference
) -> Change:
    low, high = difference.ci95
    return Change(
        _mean(a),
        _mean(b),
        round(difference.mean, DIGITS),
        (round(low, DIGITS), round(high, DIGITS)),
        _p(difference.p),
    )


def _verdict(recall: Difference) -> str:
    """Return better, worse, or that it cannot be told; by the sign-flip of recall@10."""
    if recall.p >= NOISE:
        return "within noise"
    return "b is better" if recall.mean > 0.0 else "b is worse"


def _mean(values: npt.NDArray[np.float64]) -> float:
    return round(float(values.mean()), DIGITS) if len(values) else 0.0


def _p(p: float) -> float:
    """Return p with three figures that count, however small."""
    return float(f"{p:.3g}")


def _said(answer: Answer) -> str:
    return f"{answer.scored} of {answer.dataset} by {answer.protocol}"
