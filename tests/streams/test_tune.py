"""Tuning: finds what there is to find, holds to its bounds, and says what it is worth."""

import itertools
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.streams.evaluating import circles, small_settings, table

from millstream.streams.errors import BadUsage
from millstream.streams.ranges import RANGES, Range, ranges_of
from millstream.streams.settings import ModelSettings, Settings
from millstream.streams.settings_reader import load_settings
from millstream.streams.tune import Search, Tuner, verdict

IDS = [one.key for one in RANGES]


def tuner(search: Search, clock_s: Callable[[], float] = lambda: 0.0, count: int = 200) -> Tuner:
    # The base proposes the same two items to everybody: there is much to win.
    pairs = Range("pairs.proposals", 0, 200, whole=True)
    pop = Range("pop.proposals", 0, 100, whole=True)
    spoilt = pop.put(pairs.put(small_settings(), 0), 2)
    ranges = [pairs, pop, *(one for one in RANGES if one.key == "pop.half_life")]
    return Tuner(circles(count), spoilt, ranges, search, clock_s)


@pytest.mark.parametrize("one", RANGES, ids=IDS)
def test_every_range_is_one_of_our_settings_and_its_bounds_are_taken(one: Range) -> None:
    for value in (one.low, one.high, one.at(0.5)):
        assert one.of(one.put(Settings(), value)) == pytest.approx(value)
    assert one.low <= one.of(Settings()) <= one.high


@given(st.sampled_from(RANGES), st.floats(0, 1), st.floats(-1, 1).filter(bool))
def test_a_step_stays_within_and_goes_its_way(one: Range, place: float, by: float) -> None:
    value = one.at(place)
    after = one.stepped(value, by)
    assert one.low <= after <= one.high
    assert (after - value) * by >= 0.0
    assert one.place(value) == pytest.approx(place, abs=0.5 if one.whole else 0.02)


def test_a_whole_number_moves_by_one_at_least() -> None:
    one = Range("pairs.rule_items", 1, 20, log=True, whole=True)
    assert one.stepped(3, 0.01) == 4
    assert one.stepped(3, -0.01) == 2
    assert one.stepped(1, -0.01) == 1


def test_sources_that_are_not_in_use_are_not_tuned() -> None:
    keys = {one.key for one in ranges_of(Settings(model=ModelSettings(sources=("pairs", "pop"))))}
    assert {key.partition(".")[0] for key in keys} == {"pairs", "pop", "fusion"}


def test_what_is_better_is_found_and_holds_on_the_rest() -> None:
    search = tuner(Search(trials=25), count=400)
    search.run()
    assert search.tried <= 25
    assert search.best > search.base + 0.05
    rest = search.rest()
    assert rest.recall.difference > 0.0
    answer = search.answer(rest)
    assert answer.verdict.startswith(f"{rest.recall.difference:+.4f} recall@10")
    assert tomllib.loads(answer.toml)


def test_the_toml_is_what_the_settings_reader_takes(tmp_path: Path) -> None:
    search = tuner(Search(trials=15))
    search.run()
    assert search.changed
    file = tmp_path / "tuned.toml"
    file.write_text(search.toml())
    read = load_settings(str(file), environ={})
    for one in search.ranges:
        if one.key in search.changed:
            assert one.of(read) == search.changed[one.key] == one.of(search.chosen())


def test_equal_seeds_give_equal_searches() -> None:
    one, other = tuner(Search(trials=8, seed=4)), tuner(Search(trials=8, seed=4))
    one.run()
    other.run()
    assert (one.changed, one.best) == (other.changed, other.best)


def test_the_budget_ends_it_before_a_trial_that_would_not_fit() -> None:
    seconds: Iterator[float] = itertools.count(0.0, 10.0)  # each look at the clock is 10 s later
    search = tuner(Search(trials=1000, budget_s=65.0), lambda: next(seconds))
    search.run()
    assert 1 <= search.tried <= 6


def test_the_search_sees_nothing_of_the_rest() -> None:
    one = tuner(Search(trials=6, share=0.5))
    other = tuner(Search(trials=6, share=0.5))
    events = one.events
    backwards = [*events.items[:100], *reversed(events.items[100:])]
    other.events = table(list(zip(events.users, backwards, strict=True)))
    one.run()
    other.run()
    assert (one.changed, one.base, one.best) == (other.changed, other.base, other.best)


def test_interrupted_it_has_the_best_so_far() -> None:
    search = tuner(Search(trials=100))

    def stop(at: Tuner) -> None:
        if at.tried == 9:
            raise KeyboardInterrupt

    search.on_trial = stop
    with pytest.raises(KeyboardInterrupt):
        search.run()
    answer = search.answer(None)
    assert answer.trials == 9
    assert answer.best >= answer.base
    assert "not held against the rest" in answer.verdict or not answer.changed


def test_too_few_events_are_refused() -> None:
    with pytest.raises(BadUsage, match="too few"):
        tuner(Search(), count=1)


def test_nothing_better_is_said_so() -> None:
    assert verdict({}, None) == "nothing was better than the settings as they are: keep them"
