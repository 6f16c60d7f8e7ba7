"""What a history teaches, worked out by hand: weights, dislikes, bounces, half-lives."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.models.event import EVENT_TYPES, Event, EventWeights
from millstream.models.event_set import ProfileParams
from millstream.models.profile import Profile
from millstream.models.teaching import DAY_MS

NOW = 1_700_000_000_000
GATE = EventWeights(bounce_s=10)
HALF = EventWeights(half_life_days=1)


def event(n: int, type_: str, item: str = "a", value: float = 0.0) -> Event:
    return Event(f"e{n:03d}", "u", item, type_, NOW + n * 1000, value)


def profile_of(*events: Event) -> Profile:
    profile = Profile()
    for one in events:
        profile.add(one, ProfileParams())
    return profile


def worth(weights: EventWeights, *events: Event) -> dict[str, float]:
    """What each item is worth; the same in whatever order the events come."""
    found = []
    for order in itertools.permutations(events):
        items, values, _ = profile_of(*order).taught(weights, 10)
        found.append(dict(zip(items, values, strict=True)))
    assert all(one == found[0] for one in found)
    return found[0]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event(0, "click"), event(1, "dwell", value=3)], {}),
        ([event(0, "view"), event(1, "dwell", value=9.9)], {}),
        ([event(0, "click"), event(1, "dwell", value=10)], {"a": 1.0}),
        ([event(0, "click"), event(1, "dwell", value=3), event(2, "dwell", value=30)], {"a": 1.0}),
        ([event(0, "dwell", value=3), event(1, "click")], {"a": 1.0}),
        ([event(0, "purchase"), event(1, "dwell", value=3)], {"a": 2.0}),
        # The last click bounced; of the one before they stayed.
        ([event(0, "view"), event(1, "click"), event(2, "dwell", value=1)], {"a": 0.3}),
        ([event(0, "click"), event(1, "dwell", "b", 1)], {"a": 1.0}),
    ],
)
def test_a_short_dwell_gates_the_click_before_it(
    events: list[Event], expected: dict[str, float]
) -> None:
    assert worth(GATE, *events) == expected


def test_without_the_gate_a_short_dwell_says_nothing() -> None:
    assert worth(EventWeights(), event(0, "click"), event(1, "dwell", value=1)) == {"a": 1.0}


def test_what_bounced_is_met_and_a_hide_is_no_bounce() -> None:
    profile = profile_of(event(0, "click"), event(1, "dwell", value=1))
    assert set(profile.consumed()) == {"a"}
    hidden = profile_of(event(0, "click"), event(1, "hide"), event(2, "dwell", value=1))
    assert hidden.removed() == ["a"], "the dwell of the page they hid it on does not bring it back"
    assert hidden.taught(GATE, 10)[0] == []


def test_a_dwell_that_weighs_something_weighs_it_only_above_the_gate() -> None:
    weights = EventWeights(dwell=0.5, bounce_s=10)
    assert worth(weights, event(0, "dwell", value=12)) == {"a": 0.5}
    assert worth(weights, event(0, "dwell", value=2)) == {}
    assert weights.weight("dwell", 2) == 0.0


def test_weights_halve_with_every_day_before_the_persons_newest_event() -> None:
    day = DAY_MS // 1000
    events = [event(0, "click", "a"), event(day, "purchase", "b"), event(2 * day, "click", "c")]
    assert worth(HALF, *events) == {"c": 1.0, "b": 1.0, "a": 0.25}
    assert worth(HALF, *events[:2]) == {"b": 2.0, "a": 0.5}


def test_what_has_all_but_faded_teaches_nothing() -> None:
    profile = profile_of(event(0, "click"), event(40 * DAY_MS // 1000, "click", "b"))
    assert profile.taught(HALF, 10)[0] == ["b"]


mixed = st.lists(
    st.tuples(
        st.sampled_from(EVENT_TYPES), st.sampled_from("abcd"), st.sampled_from([0.0, 2.0, 20.0])
    ),
    max_size=12,
)


@given(mixed, st.sampled_from([0.0, 0.5]), st.sampled_from([0.0, 10.0]), st.sampled_from([0.0, 1]))
def test_taught_after_an_event_is_what_is_taught_when_read_anew(
    added: list[tuple[str, str, float]], dwell: float, bounce_s: float, half_life: float
) -> None:
    weights = msgspec.structs.replace(
        EventWeights(), dwell=dwell, bounce_s=bounce_s, half_life_days=half_life
    )
    profile = Profile()
    for n, (type_, item, value) in enumerate(added):
        one = event(n, type_, item, value)
        before = profile.taught(weights, 3)
        profile.add(one, ProfileParams())
        if type_ != "impression":
            after = profile.taught_after(one, before, weights, 3)
            assert after is None or after == profile.taught(weights, 3)
