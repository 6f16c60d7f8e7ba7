"""Figures out of ranks, by hand."""

import pytest

from millstream.streams.evaluation import MISS, Evaluation


def evaluation(*rows: tuple[str, int, int, int]) -> Evaluation:
    """An evaluation of (user, its events before, the item's before, fused rank)."""
    found = Evaluation(len(rows), "prequential", ["fused"])
    for n, (user, of_user, of_item, rank) in enumerate(rows):
        found.add(n, user, f"m{n}", n, {"fused": rank}, (of_user, of_item, 0))
    return found


def test_recall_and_reciprocal_rank_by_hand() -> None:
    ranks = (1, 10, 11, 20, 21, 50, 51, MISS)
    found = evaluation(*((f"u{n}", 9, 9, rank) for n, rank in enumerate(ranks)))
    figures = found.figures("fused")
    assert figures["recall@10"] == 2 / 8
    assert figures["recall@50"] == 6 / 8
    expected = (1 + 1 / 10 + 1 / 11 + 1 / 20) / 8
    assert figures["mrr@20"] == pytest.approx(expected, abs=1e-5)


def test_slices_go_by_what_was_there_before() -> None:
    found = evaluation(
        ("a", 1, 9, 1), ("a", 5, 5, 1), ("a", 6, 1, MISS), ("b", 7, 0, MISS), ("b", 0, 6, 2)
    )
    assert [found.slice(name)[0] for name in ("user_events_2_6", "item_events_1_5")] == [2, 2]
    assert found.slice("user_events_2_6")[1]["recall@10"] == 1.0
    assert found.slice("item_events_1_5")[1]["recall@10"] == 0.5
    scored, figures = found.slice("first_event")
    assert (scored, figures["recall@10"]) == (1, 0.0)


def test_nothing_scored_is_zeros_and_no_certainty() -> None:
    found = evaluation()
    assert found.figures("fused") == {
        "recall@10": 0.0,
        "recall@50": 0.0,
        "mrr@20": 0.0,
        "ci95": (0.0, 1.0),
    }
    assert found.us_per_event == 0.0


def test_the_fingerprint_is_of_the_scored_events_in_their_order() -> None:
    one = evaluation(("a", 1, 1, 1), ("b", 1, 1, 1))
    assert evaluation(("a", 2, 2, 7), ("b", 2, 2, 9)).fingerprint == one.fingerprint
    assert evaluation(("b", 1, 1, 1), ("a", 1, 1, 1)).fingerprint != one.fingerprint
    assert evaluation(("a", 1, 1, 1)).fingerprint != one.fingerprint


def test_what_an_event_costs_is_a_list_and_its_learning() -> None:
    found = evaluation(("a", 1, 1, 1))
    found.score_ns.extend([200_000, 400_000])  # two of four events were scored
    found.learn_ns.extend([100_000] * 4)
    assert (found.us_score, found.us_learn, found.us_per_event) == (300.0, 100.0, 400.0)
