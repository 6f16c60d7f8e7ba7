"""Evaluation: production's cores over a file, each event ranked before it is learnt."""

import math
import random
from dataclasses import replace

import pytest
from tests.streams.evaluating import START_MS, circles, small_settings, table

from millstream.models.fusion import FusionParams
from millstream.streams.datasets import EventTable
from millstream.streams.evaluate import BATCH, Plan, evaluate
from millstream.streams.evaluation import Evaluation


def places(found: Evaluation) -> list[int]:
    return list(found.scored_events.places)


def test_what_follows_is_learnt_and_figures_are_shares() -> None:
    found = evaluate(circles(), small_settings())
    assert found.events == 300
    assert 100 < found.scored < 300
    for name in ("fused", "co", "sr", "pop", "mf", "fism"):
        figures = found.figures(name)
        assert 0.0 <= figures["mrr@20"] <= figures["recall@50"] <= 1.0
        assert figures["ci95"][0] <= figures["recall@10"] <= figures["ci95"][1]
        assert len(found.ranks[name]) == found.scored
    assert found.figures("sr")["recall@10"] > found.figures("pop")["recall@10"]
    assert found.us_per_event > 0.0
    assert len(found.score_ns) == found.scored
    assert len(found.learn_ns) == found.events


def test_the_same_file_gives_the_same_figures() -> None:
    one, other = evaluate(circles(), small_settings()), evaluate(circles(), small_settings())
    assert one.ranks == other.ranks
    assert one.fingerprint == other.fingerprint


def test_every_nth_event_is_scored_and_all_are_learnt() -> None:
    whole = evaluate(circles(), small_settings())
    some = evaluate(circles(), small_settings(), every=3)
    assert places(some) == [n for n in places(whole) if n % 3 == 0]
    assert some.events == whole.events
    ranks = dict(zip(places(whole), whole.ranks["fused"], strict=True))
    alike = [ranks[n] == rank for n, rank in zip(places(some), some.ranks["fused"], strict=True)]
    assert sum(alike) > 0.9 * len(alike)  # but for ties, whose choice is drawn in turn


def test_a_part_can_be_scored_after_all_before_it_was_learnt() -> None:
    whole = evaluate(circles(), small_settings())
    rest = evaluate(circles(), small_settings(), Plan(first=180, sources=False))
    first = evaluate(circles(), small_settings(), Plan(stop=180, sources=False))
    assert places(first) + places(rest) == places(whole)
    assert (first.events, rest.events) == (180, 300)
    assert first.ranks["fused"] == whole.ranks["fused"][: first.scored]


def scored_apart(events: EventTable) -> EventTable:
    """The same events to be scored, named one by one: then LEARN's way of scoring is taken."""
    return replace(events, targets=[type_ in ("click", "view") for type_ in events.types])


def test_to_learn_from_scores_that_are_there_is_to_score_anew() -> None:
    settings, one_by_one = small_settings(), Plan(batch=1, sources=False)
    shared = evaluate(circles(600), settings, one_by_one)
    apart = evaluate(scored_apart(circles(600)), settings, one_by_one)
    assert shared.ranks == apart.ranks
    untaught = settings.with_section("fusion", FusionParams(learn=False))
    assert evaluate(circles(600), untaught, one_by_one).ranks != shared.ranks


def test_what_learn_sees_otherwise_hardly_shows_in_the_figures() -> None:
    chance, events = random.Random(5), circles(900)
    kinds = ["click", "impression", "view", "dislike"]
    events = replace(events, types=chance.choices(kinds, [6, 2, 2, 1], k=len(events)))
    shared = evaluate(events, small_settings(), Plan(sources=False))
    apart = evaluate(scored_apart(events), small_settings(), Plan(sources=False))
    assert shared.fingerprint == apart.fingerprint
    assert shared.ranks != apart.ranks
    recall, anew = (found.figures("fused")["recall@10"] for found in (shared, apart))
    assert recall > 0.5
    assert recall == pytest.approx(anew, abs=0.02)


def test_without_sources_the_fused_ranks_are_the_same() -> None:
    with_ = evaluate(circles(), small_settings())
    without = evaluate(circles(), small_settings(), Plan(sources=False))
    assert list(without.ranks) == ["fused"]
    assert without.ranks["fused"] == with_.ranks["fused"]


@pytest.mark.parametrize("items_max", [5, 20])
def test_a_catalogue_larger_than_the_models_bound_is_no_fault(items_max: int) -> None:
    found = evaluate(circles(), small_settings(items_max), Plan(lists=True))
    assert found.scored
    assert found.lists is not None
    assert found.lists.figures()["coverage"] is not None


def test_an_empty_file_gives_zeros() -> None:
    found = evaluate(circles(0), small_settings(), Plan(lists=True))
    assert (found.events, found.scored, found.us_per_event) == (0, 0, 0.0)
    assert found.figures("fused")["recall@10"] == 0.0
    assert found.lists is not None
    assert set(found.lists.figures().values()) == {None}


def test_what_is_scored_has_an_earlier_event_and_a_new_item_and_teaches() -> None:
    rows = [("u", "a"), ("u", "b"), ("u", "a"), ("u", "c"), ("v", "a"), ("u", "d"), ("u", "c")]
    types = ["click", "click", "click", "hide", "click", "impression", "click"]
    found = evaluate(table(rows, types), small_settings())
    assert places(found) == [1]


def test_what_was_only_shown_to_somebody_is_still_new_to_them() -> None:
    rows = [("u", "x"), ("u", "a"), ("u", "b"), ("u", "b")]
    types = ["impression", "click", "impression", "click"]
    # The first click has nothing before it but a look at a list.
    assert places(evaluate(table(rows, types), small_settings())) == [3]


def test_where_items_repeat_a_repeat_is_scored_and_can_be_a_hit() -> None:
    rows = [("u", "a"), ("u", "b")] * 6
    assert places(evaluate(table(rows), small_settings())) == [1]
    found = evaluate(table(rows), small_settings(repeats=True), Plan(batch=1))
    assert places(found) == list(range(1, 12))
    assert list(found.ranks["fused"])[-4:] != [1_000_000] * 4
    assert found.ranks["pop"][-1] <= 2


def test_all_rows_teach_and_only_targets_are_scored() -> None:
    rows = [("u", "a"), ("u", "b"), ("v", "a"), ("v", "b"), ("v", "c")]
    values = [5.0, 1.0, 5.0, 2.0, 4.0]
    targets = [value >= 4 for value in values]
    found = evaluate(table(rows, ["rating"] * 5, values, targets), small_settings())
    assert places(found) == [4]
    assert len(found.learn_ns) == 5


def test_before_an_event_are_its_users_and_its_items() -> None:
    rows = [("u", "a"), ("v", "a"), ("u", "b"), ("v", "b"), ("u", "c")]
    scored = evaluate(table(rows), small_settings()).scored_events
    assert list(scored.places) == [2, 3, 4]
    assert list(scored.user_events) == [1, 1, 2]
    assert list(scored.item_events) == [0, 1, 0]
    assert list(scored.item_ages_ms) == [0, 1000, 0]


@pytest.mark.parametrize(
    ("rows", "scored"),
    [
        ([("u", f"m{n}") for n in range(30)], 29),  # one person
        ([(f"u{n}", "m") for n in range(30)], 0),  # one item
        ([("u", "m")] * 30, 0),
        ([(f"u{n}", f"m{n}") for n in range(30)], 0),  # everybody once
    ],
)
@pytest.mark.parametrize("protocol", ["prequential", "leave-last-out"])
def test_one_of_a_kind_is_no_fault(rows: list[tuple[str, str]], scored: int, protocol: str) -> None:
    plan = Plan("leave-last-out" if protocol != "prequential" else "prequential", lists=True)
    found = evaluate(table(rows), small_settings(), plan)
    assert found.scored == (min(scored, 1) if protocol == "leave-last-out" else scored)
    assert all(math.isfinite(value) for value in found.figures("fused")["ci95"])


def test_all_at_one_moment_is_replayed_in_the_order_of_the_file() -> None:
    rows = [(f"u{n % 5}", f"m{n * 7 % 11}") for n in range(80)]
    found = evaluate(table(rows, ts_ms=[START_MS] * 80), small_settings(), Plan(lists=True))
    assert found.scored == 5 * 10
    assert set(found.scored_events.item_ages_ms) == {0}


def test_leave_last_out_ranks_each_person_once_after_all_else() -> None:
    found = evaluate(circles(), small_settings(), Plan("leave-last-out"))
    events = circles()
    last = {user: n for n, user in enumerate(events.users)}
    assert places(found) == sorted(last.values())
    assert found.figures("sr")["recall@10"] > 0.5
    assert len(found.score_ns) == found.scored == 15
    assert len(found.learn_ns) < 300 - 15 + 1


def test_leave_last_out_learns_what_came_after_the_held_out_target() -> None:
    rows = [("u", "a"), ("u", "b"), ("u", "c"), ("v", "c"), ("v", "a"), ("v", "b")]
    targets = [True, True, False, True, True, True]
    found = evaluate(table(rows, targets=targets), small_settings(), Plan("leave-last-out"))
    assert places(found) == [1, 5]
    assert list(found.scored_events.user_events) == [2, 2]  # u: a and c; v: c and a


def test_progress_ends_with_all_events() -> None:
    heard: list[int] = []
    evaluate(circles(250), small_settings(), progress=heard.append)
    assert heard == [*range(BATCH, 250, BATCH), 250, 250]
