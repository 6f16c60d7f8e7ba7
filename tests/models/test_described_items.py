"""Items that are described: the same on every side of the log, and listed in their places."""

from collections.abc import Sequence

import numpy as np
import pytest
from tests.models.test_item_model import FUSION, HASH, PARAMS, batch, click, emit, stream, take_in

from millstream.models.catalogue import Catalogue, Item
from millstream.models.content import ContentParams
from millstream.models.embedding import Embedding
from millstream.models.event import Event, EventWeights
from millstream.models.event_set import ProfileParams
from millstream.models.frame import Array
from millstream.models.interaction import InteractionBatch
from millstream.models.item_model import ItemModel
from millstream.models.learned_model import LearnedModel
from millstream.models.model_replica import ModelReplica
from millstream.models.newcomers import NO_NEWCOMERS, NewcomersParams, slots
from millstream.models.profile import Profile
from millstream.models.recommender import NEW, Listed, Recommender, Request
from millstream.models.registry import new_source
from millstream.models.samples import embedding_of
from millstream.models.source import Source
from millstream.streams.evaluation import MISS
from millstream.streams.ranks import fused_ranks

NOW = 1_700_000_000_000
NEWCOMERS = NewcomersParams(after=4)
Described = list[tuple[str, Embedding]]
Record = InteractionBatch | Described | None


def sources() -> list[tuple[Source, int]]:
    params = {**PARAMS, "content": ContentParams(young=3, young_max=16)}
    proposals = {"pairs": 20, "pop": 10, "content": 5}
    return [(new_source(name, p, 7), proposals.get(name, 0)) for name, p in params.items()]


def learner(items_max: int = 1000, newcomers: NewcomersParams = NEWCOMERS) -> LearnedModel:
    return LearnedModel(sources(), FUSION, items_max, 7, newcomers)


def replica(items_max: int = 1000) -> ModelReplica:
    return ModelReplica(sources(), FUSION, items_max, 7, NEWCOMERS)


def look(n: int, version: str = "1") -> Embedding:
    return embedding_of(n, n % 2, version)


def records(seed: int, n: int = 90) -> list[Record]:
    """Interactions, between which items are described, later by a newer encoder."""
    found: list[Record] = []
    for number, record in enumerate(stream(seed, n)):
        found.append(record)
        if number % 3 == 0:
            version = "1" if number < n // 2 else "22"
            some = [(5 * number // 3 + k) % 60 for k in range(3)]
            found.append([(f"m{row}", look(row, version)) for row in some])
    return found


def give(model: LearnedModel, record: Record) -> None:
    if isinstance(record, list):
        model.describe(model.offset, record, 10**12 + model.offset)
    else:
        take_in(model, record)


def fold(
    model: LearnedModel, given: Sequence[Record], every: int, copies: Sequence[ModelReplica] = ()
) -> int:
    """Fold records with a frame every few and where the model asks; return the rows given up."""
    forgotten = 0
    for number, record in enumerate([*given, None]):
        size = len(record.interactions if isinstance(record, InteractionBatch) else record or [])
        due = model.needs_frame(size) or number % every == every - 1 or number == len(given)
        if due and model.offset != model._pending.start:
            frame = emit(model)
            forgotten += len(frame.forgotten)
            for copy in copies:
                copy.apply(frame, HASH)
                same_reads(model, copy)
        if number < len(given):
            give(model, record)
    return forgotten


def same_reads(model: ItemModel, copy: ItemModel) -> None:
    assert copy.digest() == model.digest()
    one, other = model.content, copy.content
    assert one is not None
    assert other is not None
    assert one.young.rows().tolist() == other.young.rows().tolist()
    assert one.unmet.rows().tolist() == other.unmet.rows().tolist()


def state(model: LearnedModel) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in model.arrays().items()}


@pytest.mark.parametrize("items_max", [1000, 25], ids=["with room", "forgetting"])
@pytest.mark.parametrize("every", [1, 4])
def test_a_replica_equals_the_learner_after_every_frame(items_max: int, every: int) -> None:
    model, copy = learner(items_max), replica(items_max)
    forgotten = fold(model, records(1), every, [copy])
    assert (forgotten > 0) == (items_max == 25)
    newcomers = model.newcomers
    assert newcomers is not None
    assert newcomers.weights.any()
    if items_max == 1000:
        assert newcomers.shown, "some were shown and not taken"
        assert newcomers.curvature[0, 0] > newcomers.params.prior, "some were taken"


@pytest.mark.parametrize("items_max", [1000, 25], ids=["with room", "forgetting"])
@pytest.mark.parametrize("cut", [0, 30, 61, 75, 119])
def test_a_snapshot_goes_on_to_the_state_of_the_whole_log(items_max: int, cut: int) -> None:
    """Also amid a change of encoders: the newer one has then met some of the items."""
    given = records(2)
    whole, first, second = learner(items_max), learner(items_max), learner(items_max)
    fold(whole, given, 5)
    fold(first, given[:cut], 5)
    saved: dict[str, Array] = {name: array.copy() for name, array in first.arrays().items()}
    second.load(saved)
    copy = replica(items_max)
    copy.load(saved)
    same_reads(second, copy)
    fold(second, given[cut:], 5, [copy])
    assert state(second) == state(whole)


def test_the_log_has_a_moment_at_which_a_newer_encoder_has_not_taken_over() -> None:
    model = learner()
    fold(model, records(2)[:75], 5)
    assert any("+." in name for name in model.arrays())
    fold(model, records(2)[75:], 5)


def test_what_nobody_has_met_gives_way_before_what_was_learnt() -> None:
    model = learner(items_max=6)
    take_in(model, batch(*(click(n, item) for n, item in enumerate("abc"))))
    for n in range(30):
        if model.needs_frame(1):
            emit(model)
        give(model, [(f"n{n}", look(n))])
    assert {"a", "b", "c"} <= set(model.rows.ids())
    assert model.rows.row("n29") >= 0
    assert len(model.rows) == 6
    assert model.content is not None
    assert len(model.content.unmet.rows()) == 3


def test_an_item_that_was_shown_and_not_taken_is_counted_only_while_nobody_has_met_it() -> None:
    model = learner()
    give(model, [(f"n{n}", look(n)) for n in range(4)])
    take_in(model, batch(click(0, "n1", weight=0.0), click(1, "n2"), click(2, "n2", weight=0.0)))
    take_in(model, batch(click(3, "unknown", weight=0.0)))
    assert model.newcomers is not None
    assert model.newcomers.shown == {model.rows.row("n1"): 1}


def test_without_content_descriptions_only_move_the_offset() -> None:
    model = LearnedModel(sources()[:2], FUSION, 1000, 7, NEWCOMERS)
    give(model, [("a", look(1))])
    assert (model.offset, len(model.rows)) == (1, 0)
    assert model.newcomers_after == 0


# Lists


def town(newcomers: NewcomersParams = NEWCOMERS, described: bool = True) -> LearnedModel:
    """Forty items, of which thirty were met; all are described, or none."""
    model = learner(newcomers=newcomers)
    for offset in range(200):
        history = [f"m{(offset * k + k) % 30}" for k in (3, 7)]
        item = f"m{offset * offset % 30}" if offset >= 30 else f"m{offset}"
        take_in(model, batch(click(offset, item, *history, user=offset + 1)))
    if described:
        give(model, [(f"m{n}", look(n)) for n in range(40)])
    model.settle()
    return model


def recommender_of(model: ItemModel, length: int = 10) -> Recommender:
    return Recommender(model, EventWeights(), history_max=12, length=length, repeats=False)


def request(*items: str, user: str = "u", now_ms: int = NOW, hidden: str = "") -> Request:
    profile = Profile()
    for n, item in enumerate(items):
        profile.add(Event(f"e{n}", "u", item, "click", NOW - 100 + n), ProfileParams())
    if hidden:
        profile.add(Event("h", "u", hidden, "hide", NOW - 1), ProfileParams())
    return Request(user, profile, now_ms)


def items_of(listed: Sequence[Listed]) -> list[str]:
    return [entry.item for entry in listed]


@pytest.mark.parametrize("length", [1, 4, 5, 10, 39])
def test_the_known_keep_their_order_and_newcomers_have_their_places(length: int) -> None:
    asked = [request("m0", "m2"), request("m1", "m5", user="v"), request(user="w")]
    lists = recommender_of(town(), length).rank(asked, Catalogue())
    without = recommender_of(town(NO_NEWCOMERS), length).rank(asked, Catalogue())
    for listed, plain in zip(lists, without, strict=True):
        assert len(listed) <= length
        assert len(set(items_of(listed))) == len(listed)
        assert listed[:4] == plain[:4]
        known = [entry for entry in listed if entry.source != NEW]
        assert known == plain[: len(known)]
        for entry in listed:
            assert (entry.source == NEW) == (entry.propensity is not None)
            assert (entry.source == NEW) == (int(entry.item[1:]) >= 30)
    for listed in lists[:2]:
        found = [n for n, entry in enumerate(listed) if entry.source == NEW]
        assert found == list(slots(4, length))[: len(found)]
        assert len(found) == min(10, len(slots(4, length))) or len(listed) < length
    assert all(entry.source != NEW for entry in lists[2])  # who has no history


def test_hidden_and_closed_newcomers_are_in_no_list() -> None:
    catalogue = Catalogue()
    for n in range(31, 39):
        catalogue.apply(0, n, f"m{n}", Item(hidden=True))
    (listed,) = recommender_of(town(), 30).rank([request("m0", hidden="m30")], catalogue)
    assert [item for item in items_of(listed) if int(item[1:]) >= 30] == ["m39"]


def test_a_newcomer_that_a_source_lists_already_is_listed_once() -> None:
    """Nobody's event with it was learnt, but it stands in a history that others were."""
    model = learner()
    give(model, [(f"m{n}", look(n)) for n in range(8)])
    for offset in range(40):
        take_in(model, batch(click(offset, f"m{offset % 3}", "m7", "m0", user=offset + 1)))
    assert model.content is not None
    assert model.rows.row("m7") in model.content.unmet
    recommender = recommender_of(model, 12)
    listed = [
        entries
        for now_ms in range(NOW, NOW + 20)
        for entries in recommender.rank([request("m0", now_ms=now_ms)], Catalogue())
    ]
    assert all(len(set(items_of(entries))) == len(entries) for entries in listed)
    assert any("m7" in items_of(entries)[:4] for entries in listed), "a source lists it"


def test_a_list_is_the_same_alone_and_in_a_batch_and_from_a_replica() -> None:
    model, copy = learner(), replica()
    fold(model, records(3), 5, [copy])
    asked = [request("m1", "m2"), request("m3", user="v"), request("m4", "m1", user="w")]
    together = recommender_of(model).rank(asked, Catalogue())
    assert recommender_of(copy).rank(asked, Catalogue()) == together
    for one, listed in zip(asked, together, strict=True):
        assert recommender_of(model).rank([one], Catalogue()) == [listed]
    assert any(entry.source == NEW for listed in together for entry in listed)


def test_with_nothing_described_lists_are_what_they_are_without_newcomers() -> None:
    asked = [request("m0", "m2"), request()]
    with_places = recommender_of(town(described=False)).rank(asked, Catalogue())
    assert with_places == recommender_of(town(NO_NEWCOMERS, False)).rank(asked, Catalogue())


def test_with_all_described_and_nothing_met_there_are_only_newcomers() -> None:
    model = learner()
    give(model, [(f"m{n}", look(n)) for n in range(10)])
    strange, known = recommender_of(model).rank([request(), request("m3", "m5")], Catalogue())
    assert strange == []
    assert {entry.source for entry in known} == {NEW}
    assert not {"m3", "m5"} & set(items_of(known))


def test_a_catalogue_of_one_is_no_error() -> None:
    model = learner()
    give(model, [("m0", look(0))])
    assert recommender_of(model).rank([request("m0"), request()], Catalogue()) == [[], []]
    take_in(model, batch(click(0, "m0")))
    assert recommender_of(model).rank([request("m0")], Catalogue()) == [[]]
    assert items_of(recommender_of(model).rank([request()], Catalogue())[0]) == ["m0"]


def test_a_newcomers_rank_is_its_place_and_the_known_below_make_room() -> None:
    model = town()
    recommender = recommender_of(model, 39)
    asked = [request("m0", "m2")]
    (listed,) = recommender.rank(asked, Catalogue())
    histories, withheld = recommender.histories(asked), recommender.withheld(asked, Catalogue())
    candidates = recommender.candidates(asked, histories, withheld)
    features = recommender.features(histories, candidates)
    drawn = recommender.newcomers(asked, histories, withheld)
    assert drawn is not None

    def rank(item: str) -> int:
        row = [model.rows.row(item)]
        return fused_ranks(recommender, histories, candidates, features, row, [0.0], drawn)[0]

    assert len(listed) > 20
    taken = slots(4, 39)[: (drawn.rows[0] >= 0).sum()]
    until = min(len(listed), taken[-1] + 1)
    assert [rank(entry.item) for entry in listed[:until]] == list(range(1, until + 1))
    assert rank("never") == MISS
    assert np.isfinite(drawn.values[0, : (drawn.rows[0] >= 0).sum()]).all()
