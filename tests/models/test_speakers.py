"""Who spoke for an item of a list, and in what the two are alike."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from millstream.models.catalogue import Catalogue
from millstream.models.content import Content, ContentParams
from millstream.models.content_because import JOINT, by_content
from millstream.models.embedding import MODALITIES, Embedding, Part, unit_vector
from millstream.models.event import Event, EventWeights
from millstream.models.event_set import ProfileParams
from millstream.models.fusion import FusionParams
from millstream.models.histories import Histories, Rows
from millstream.models.learned_model import LearnedModel
from millstream.models.newcomers import Drawn, NewcomersParams
from millstream.models.profile import Profile
from millstream.models.recommender import NEW, Recommender, Request
from millstream.models.registry import new_source, params_type
from millstream.models.source import Source
from millstream.models.space import DIM

NOW = 1_700_000_000_000
TEXT, IMAGE, AUDIO = (MODALITIES.index(m) for m in ("text", "image", "audio"))


def content_of(looks: Sequence[Mapping[int, Sequence[int]]]) -> Content:
    """Content whose item n has these codes (the first numbers of each), by modality."""
    content = Content(ContentParams())
    content.grow(len(looks))
    for row, parts in enumerate(looks):
        for modality, code in parts.items():
            content.vectors.codes[row, modality, : len(code)] = code
            content.vectors.scales[row, modality] = 1 / np.linalg.norm(code)
    return content


def histories(*people: Sequence[int]) -> Histories:
    rows = [row for person in people for row in person]
    n = len(people)
    return Histories(
        np.cumsum([0, *map(len, people)]).astype(np.int64),
        np.array(rows, np.int32),
        np.ones(len(rows), np.float32),
        np.full(len(rows), NOW, np.int64),
        np.full(n, NOW, np.int64),
        np.zeros(n, np.uint64),
    )


def rows(*each: Sequence[int]) -> Rows:
    return np.array(each, np.int32)


WORTH = np.ones(len(MODALITIES), np.float32)


def test_the_nearest_of_the_history_in_the_modality_that_is_asked_for() -> None:
    content = content_of(
        [
            {TEXT: [100, 0], IMAGE: [0, 100]},
            {TEXT: [60, 80], IMAGE: [100, 0]},
            {TEXT: [90, 44], IMAGE: [90, -44]},  # by text nearest to 0 and by image to 1
            {IMAGE: [-100, -100]},  # unlike both
        ]
    )
    asked = rows([2, 2, 2, 3, 3, 9, -1])
    wanted = rows([TEXT, IMAGE, -1, TEXT, IMAGE, TEXT, TEXT])
    speakers, modalities = by_content(content, histories([1, 0]), asked, wanted, WORTH)
    assert speakers.tolist() == [[0, 1, -1, -1, -1, -1, -1]]
    assert modalities.tolist() == [[TEXT, IMAGE, -1, -1, -1, -1, -1]]


def test_of_all_modalities_that_speaks_which_gives_most_by_its_worth() -> None:
    content = content_of(
        [
            {TEXT: [100, 0], IMAGE: [100, 0]},
            {TEXT: [80, 60], IMAGE: [60, 80]},  # cosines of .8 and .6
        ]
    )
    alone, asked, joint = histories([0]), rows([1]), rows([JOINT])
    for image, expected in ((1.0, TEXT), (1.3, TEXT), (1.4, IMAGE)):
        worth = WORTH.copy()
        worth[IMAGE] = image
        found = by_content(content, alone, asked, joint, worth)
        assert (found[0].tolist(), found[1].tolist()) == ([[0]], [[expected]])
    silent = by_content(content, alone, asked, joint, -WORTH)
    assert (silent[0].tolist(), silent[1].tolist()) == ([[-1]], [[-1]])


def test_an_item_never_speaks_for_itself_and_only_the_newest_items_speak() -> None:
    content = content_of([{TEXT: [100, n]} for n in range(40)])
    asked, wanted = rows([3]), rows([TEXT])
    assert by_content(content, histories([3]), asked, wanted, WORTH)[0].tolist() == [[-1]]
    others = [*range(39, 3, -1), 2]
    depth = content.params.profile_items
    (found,), _ = by_content(content, histories(others), asked, wanted, WORTH)
    assert found.tolist() == [others[depth - 1]]


def test_who_speaks_does_not_depend_on_who_shares_the_batch() -> None:
    chance = np.random.default_rng(7)
    content = content_of(
        [
            {m: chance.integers(-127, 128, DIM).tolist() for m in range(5) if chance.random() < 0.7}
            for _ in range(60)
        ]
    )
    people = [chance.permutation(60)[: chance.integers(0, 35)].tolist() for _ in range(30)]
    asked = chance.integers(-1, 60, (30, 12)).astype(np.int32)
    wanted = chance.integers(-1, JOINT + 1, (30, 12)).astype(np.int32)
    together = by_content(content, histories(*people), asked, wanted, content.worth)
    for b, person in enumerate(people):
        part = slice(b, b + 1)
        alone = by_content(content, histories(person), asked[part], wanted[part], content.worth)
        assert np.array_equal(alone[0][0], together[0][b])
        assert np.array_equal(alone[1][0], together[1][b])
    spoke = together[0] >= 0
    assert spoke.sum() > 50
    assert np.array_equal(spoke, together[1] >= 0)
    given = spoke & (wanted != JOINT)
    assert np.array_equal(together[1][given], wanted[given])


def test_newcomers_that_are_there_are_closed_up() -> None:
    drawn = Drawn(rows([-1, 4, -1, 5]), np.array([[9, 8, 7, 6]]), np.array([[0.9, 0.8, 0.7, 0.6]]))
    first = drawn.first(3)
    assert first.rows.tolist() == [[4, 5, -1]]
    assert first.values[0, :2].tolist() == [8, 6]
    assert first.propensities[0, :2].tolist() == [0.8, 0.6]


def part(*numbers: float) -> Part:
    vector = np.array(numbers, np.float32)
    return Part(unit_vector(vector / np.linalg.norm(vector)), "aa", b"")


@pytest.fixture
def shop() -> tuple[LearnedModel, dict[str, Profile]]:
    """Two kinds of items, by picture alone: round r0 .. r9 and square s0 .. s9; the last unmet."""
    sources: list[tuple[Source, int]] = [
        (new_source(name, params_type(name)(), 3), 50) for name in ("pairs", "pop", "content")
    ]
    model = LearnedModel(sources, FusionParams(), 100, 3, NewcomersParams(after=2))
    chance = np.random.default_rng(2)
    described = [
        (
            f"{kind}{n}",
            Embedding({"image": part(*(chance.normal(0, 0.3, 8) + at * np.eye(8)[side] * 2))}),
        )
        for n in range(10)
        for side, (kind, at) in enumerate((("r", 1.0), ("s", 1.0)))
    ]
    model.describe(0, described, 0)
    profiles = {}
    for kind in "rs":
        profile = Profile()
        for n in range(3):
            event = Event(f"{kind}{n}", kind, f"{kind}{n}", "click", NOW + n)
            profile.add(event, ProfileParams())
        profiles[kind] = profile
    return model, profiles


def test_a_newcomer_names_what_it_looks_like(
    shop: tuple[LearnedModel, dict[str, Profile]],
) -> None:
    model, profiles = shop
    recommender = Recommender(model, EventWeights(), history_max=30, length=10, repeats=False)
    requests = [Request(user, profile, NOW) for user, profile in profiles.items()]
    lists = recommender.rank(requests, Catalogue())
    for request, listed in zip(requests, lists, strict=True):
        new = [entry for entry in listed if entry.source == NEW]
        assert new
        for entry in new:
            assert (entry.modality is None) == (entry.because is None)
            if entry.because is not None:
                assert entry.modality == "image"
                assert entry.because in request.profile.items
        # Whatever is like this person's kind was brought by one of that kind.
        alike = [entry for entry in new if entry.item[0] == request.user and entry.because]
        assert alike
        assert {str(entry.because)[0] for entry in alike} == {request.user}
    assert lists[0] == recommender.rank(requests[:1], Catalogue())[0]
