"""Evaluation with a catalogue: items that nobody has met are candidates."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pytest
from tests.streams.evaluating import START_MS, circles, small_settings, table

from millstream.models.attributes import VERSION, categories_vector
from millstream.models.catalogue import FOREVER_MS, Item
from millstream.models.embedding import Embedding, Part, content_digest, unit_vector
from millstream.models.newcomers import NewcomersParams
from millstream.streams.described import DescribedItem, DescribedItems, EncoderName
from millstream.streams.evaluate import Plan, evaluate
from millstream.streams.evaluation import MISS, Evaluation
from millstream.streams.settings import Settings

RED = [f"red{n}" for n in range(6)]
BLUE = [f"blue{n}" for n in range(6)]
ROWS = [(f"{'r' if one in RED else 'b'}{n % 2}", one) for n, one in enumerate(RED[:5] + BLUE[:5])]
"""Two people for whom all is red, two for whom all is blue; nobody has met the sixth."""
LAST = [*ROWS, ("r0", "red5"), ("b0", "blue5")]


ONE = Plan(batch=1)


def catalogue(gates: Mapping[str, Item] | None = None) -> DescribedItems:
    return DescribedItems(
        "colours.csv",
        [
            DescribedItem(item, (gates or {}).get(item, Item()), Embedding({"categories": part}))
            for item in [*RED, *BLUE]
            for part in [look(item[:-1])]
        ],
        {"categories": EncoderName("attributes", VERSION)},
        0,
        {},
    )


def look(colour: str) -> Part:
    vector = categories_vector([colour])
    assert vector is not None
    return Part(unit_vector(vector), VERSION, content_digest(colour.encode()))


def soon() -> Settings:
    """Newcomers' first place is the third: the lists here are short."""
    return msgspec.structs.replace(small_settings(), newcomers=NewcomersParams(after=1))


def last_ranks(found: Evaluation, rows: Sequence[tuple[str, str]] = LAST) -> list[int]:
    ranks = dict(zip(found.scored_events.places, found.ranks["fused"], strict=True))
    return [ranks[len(rows) - 2], ranks[len(rows) - 1]]


def test_an_item_that_nobody_has_met_is_ranked_where_it_is_described() -> None:
    assert last_ranks(evaluate(table(LAST), soon(), ONE)) == [MISS, MISS]
    found = evaluate(table(LAST), soon(), ONE, items=catalogue())
    assert last_ranks(found) == [3, 3]
    scored, figures = found.slice("first_event")
    assert scored == 8
    assert figures["recall@10"] == pytest.approx(1.0)


def test_a_items_own_likeness_ranks_it_among_all_that_is_known() -> None:
    found = evaluate(table(LAST), soon(), ONE, items=catalogue())
    likeness = dict(zip(found.scored_events.places, found.ranks["categories"], strict=True))
    assert max(likeness[len(ROWS)], likeness[len(ROWS) + 1]) <= 3  # the red that are left to r0
    assert "text" not in found.ranks  # no item has any
    assert not {"spread", "fresh", "fresh_spread"} & set(found.ranks)


def test_an_item_comes_when_it_is_available() -> None:
    at = START_MS + 1000 * len(ROWS)
    gates = {"red5": Item(available_from=at), "blue5": Item(available_from=at + 500)}
    found = evaluate(table(LAST), soon(), ONE, items=catalogue(gates))
    assert last_ranks(found) == [3, 3]
    gates = {item: Item(available_from=gate.available_from + 1000) for item, gate in gates.items()}
    found = evaluate(table(LAST), soon(), ONE, items=catalogue(gates))
    assert last_ranks(found) == [MISS, MISS]
    assert found.described == len(RED) + len(BLUE) - 1  # the last event is before blue5


@pytest.mark.parametrize("gate", [Item(hidden=True), Item(expires_at=START_MS + 2000)])
def test_what_is_hidden_or_over_is_no_candidate(gate: Item) -> None:
    found = evaluate(table(LAST), soon(), ONE, items=catalogue({"red5": gate}))
    assert last_ranks(found) == [MISS, 3]
    late = Item(expires_at=FOREVER_MS)
    found = evaluate(table(LAST), soon(), ONE, items=catalogue({"red5": late}))
    assert last_ranks(found) == [3, 3]


def test_items_of_events_need_not_stand_in_the_catalogue() -> None:
    rows = [*LAST, ("r0", "stranger"), ("b0", "stranger")]
    found = evaluate(table(rows), soon(), ONE, items=catalogue())
    assert last_ranks(found, rows)[0] == MISS


def test_without_a_catalogue_content_is_left_out() -> None:
    settings = small_settings()
    bare = settings.with_section(
        "model",
        msgspec.structs.replace(settings.model, sources=("pairs", "pop", "mf", "fism")),
    )
    with_, without = evaluate(circles(), settings), evaluate(circles(), bare)
    assert with_.ranks == without.ranks
    assert (with_.items, with_.us_per_item) == (None, None)


def test_describing_is_timed_apart() -> None:
    found = evaluate(table(LAST), soon(), ONE, items=catalogue())
    assert found.us_per_item is not None
    assert found.us_per_item > 0
    assert len(found.learn_ns) == len(LAST)
    assert found.items is not None
    assert (found.items.items, found.items.described) == (12, {"categories": 12})


@pytest.mark.parametrize("items_max", [5, 20])
def test_a_catalogue_larger_than_the_models_bound_is_no_fault(items_max: int) -> None:
    settings = msgspec.structs.replace(
        soon(), model=msgspec.structs.replace(soon().model, items_max=items_max)
    )
    found = evaluate(table(LAST), settings, Plan(lists=True, batch=4), items=catalogue())
    assert found.scored == 8
    assert found.described == 12


def test_lists_may_hold_what_nobody_has_met() -> None:
    found = evaluate(table(LAST), soon(), Plan(lists=True), items=catalogue())
    assert found.lists is not None
    assert all(value is None or np.isfinite(value) for value in found.lists.figures().values())


def test_leave_last_out_knows_the_catalogue_too() -> None:
    found = evaluate(table(LAST), soon(), Plan("leave-last-out"), items=catalogue())
    ranks = dict(zip(found.scored_events.places, found.ranks["fused"], strict=True))
    assert ranks[len(ROWS)] == 3
