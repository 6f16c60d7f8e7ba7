"""Parts of an evaluation: together they are the whole."""

from collections.abc import Callable

import pytest
from tests.streams.evaluating import circles, small_settings

from millstream.streams.breakdown import (
    DAY_MS,
    HOUR_MS,
    Part,
    by_item_age,
    by_item_count,
    by_profile_length,
    windows,
)
from millstream.streams.evaluate import evaluate
from millstream.streams.evaluation import Evaluation


def evaluation(*before: tuple[int, int, int]) -> Evaluation:
    found = Evaluation(len(before), "prequential", ["fused"])
    for n, one in enumerate(before):
        found.add(2 * n, f"u{n}", "m", n, {"fused": n + 1}, one)
    return found


@pytest.mark.parametrize("divide", [windows, by_profile_length, by_item_age, by_item_count])
def test_every_scored_event_is_in_one_part(divide: Callable[[Evaluation], list[Part]]) -> None:
    found = evaluate(circles(600), small_settings())
    parts = divide(found)
    assert len(parts) > 1
    assert sum(part.of.astype(int) for part in parts).tolist() == [1] * found.scored  # type: ignore[union-attr]
    hits = sum(part.scored * part.figures["recall@10"] for part in parts)
    assert hits / found.scored == pytest.approx(found.figures("fused")["recall@10"], abs=1e-4)
    assert divide(evaluate(circles(0), small_settings())) == []


def test_windows_follow_time_and_have_enough_in_them() -> None:
    parts = windows(evaluation(*[(1, 1, 0)] * 130))
    assert [part.scored for part in parts] == [65, 65]
    assert [part.name for part in parts] == ["129", "259"]  # rows of the file, counted from 1
    assert parts[0].last() == 64


def test_by_count_and_age_by_hand() -> None:
    found = evaluation((1, 0, 0), (5, 1, HOUR_MS - 1), (6, 5, HOUR_MS), (101, 6, 400 * DAY_MS))
    named = [(part.name, part.scored) for part in by_profile_length(found)]
    assert named == [("1–5", 2), ("6–20", 1), ("101 or more", 1)]
    named = [(part.name, part.scored) for part in by_item_count(found)]
    assert named == [("0", 1), ("1–5", 2), ("6–20", 1)]
    named = [(part.name, part.scored) for part in by_item_age(found)]
    assert named == [("first event", 1), ("under an hour", 1), ("under a day", 1), ("older", 1)]
