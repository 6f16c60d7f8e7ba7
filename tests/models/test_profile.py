"""A profile is a set: the order, the number and the grouping of additions do not show."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.errors import StateRefused
from millstream.models.event import EVENT_TYPES, Event, EventWeights
from millstream.models.profile import (
    VERSION_BYTES,
    Profile,
    ProfileParams,
    event_key,
    item_hash,
)

SMALL = ProfileParams(events_max=4, bytes_max=10_000, seen_max=3, horizon_days=2)
HOUR_MS = 3_600_000

events = st.builds(
    lambda n, item, type_, hour: Event(
        f"e{n:03d}", "u", f"m{item}", type_, 10**12 + hour * HOUR_MS
    ),
    st.integers(0, 999),
    st.integers(0, 9),
    st.sampled_from(EVENT_TYPES),
    st.integers(0, 72),
)
histories = st.lists(events, max_size=14, unique_by=lambda e: e.id)


def profile_of(added: list[Event], params: ProfileParams = SMALL) -> Profile:
    profile = Profile()
    for event in added:
        profile.add(event, params)
    return profile


def click(n: int, item: str = "m", ts: int | None = None, type_: str = "click") -> Event:
    return Event(f"e{n:03d}", "u", item, type_, 10**12 + n if ts is None else ts)


@given(histories, st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_any_order_with_repeats_gives_the_same_bytes(added: list[Event], random) -> None:
    shuffled = added + random.sample(added, len(added) // 2)
    random.shuffle(shuffled)
    assert profile_of(shuffled).pack() == profile_of(added).pack()


@given(histories, st.integers(0, 14))
@settings(max_examples=300, deadline=None)
def test_merging_parts_either_way_round_equals_the_whole(added: list[Event], cut: int) -> None:
    whole = profile_of(added)
    left, right = profile_of(added[:cut]), profile_of(added[cut:])
    other = profile_of(added[cut:])
    left.merge(right, SMALL)
    other.merge(profile_of(added[:cut]), SMALL)
    assert left.same_events(whole)
    assert other.same_events(whole)


@given(histories)
def test_a_packed_profile_is_read_back_and_its_version_is_a_hash_of_it(added: list[Event]) -> None:
    profile = profile_of(added)
    profile.note_offsets({"clicks-3": 12})
    packed = profile.pack()
    again = Profile.unpack(packed)
    assert again.same_events(profile)
    assert again.as_of == {"clicks-3": 12}
    assert again.pack() == packed
    again.note_offsets({"clicks-3": 13})
    assert again.pack()[:VERSION_BYTES] != packed[:VERSION_BYTES]


def test_a_new_event_is_new_once() -> None:
    profile = Profile()
    assert profile.add(click(1), SMALL) == "new"
    assert profile.add(click(1), SMALL) == "duplicate"


def test_an_event_older_than_a_full_profile_is_late_and_its_item_is_remembered() -> None:
    profile = profile_of([click(n, f"m{n}") for n in range(10, 14)])
    assert profile.add(click(1, "old"), SMALL) == "late"
    assert "old" not in profile.items
    assert item_hash("old") in profile.seen_hashes()


def test_an_event_beyond_the_horizon_is_late_and_leaves_nothing() -> None:
    profile = profile_of([click(1, "new", ts=10**12)])
    assert profile.add(click(2, "old", ts=10**12 - 3 * 24 * HOUR_MS), SMALL) == "late"
    assert profile.items == ["new"]
    assert not len(profile.seen)


def test_one_id_with_two_contents_keeps_the_greater_and_is_no_new_event() -> None:
    a, b = click(1, "a"), Event("e001", "u", "b", "click", 10**12 + 1)
    for order in itertools.permutations([a, b]):
        profile = Profile()
        assert [profile.add(e, SMALL) for e in order] == ["new", "duplicate"]
        assert profile.items == ["b"]


def test_every_bound_is_reached_and_held() -> None:
    params = ProfileParams(events_max=100, bytes_max=4096, seen_max=64)
    profile = Profile()
    for n in range(1000):
        profile.add(click(n, f"item-with-a-rather-long-name-{n:04d}"), params)
    assert len(profile.items) < 100
    assert len(profile.seen) == 64
    assert len(profile.pack()) < 4096 + 64 * 8 + 100
    assert list(profile.seen_hashes()) == sorted(profile.seen_hashes())


def test_an_id_over_24_bytes_is_kept_as_a_hash_and_still_found_again() -> None:
    long = Event("x" * 100, "u", "m", "click", 10**12)
    profile = profile_of([long])
    assert len(event_key(long.id)) == 16
    assert profile.add(long, SMALL) == "duplicate"


def test_what_teaches_is_newest_first_distinct_and_without_what_was_disliked() -> None:
    params = ProfileParams()
    profile = Profile()
    for n, (item, type_) in enumerate(
        [("a", "click"), ("b", "purchase"), ("a", "view"), ("c", "click"), ("b", "dislike")]
    ):
        profile.add(click(n, item, type_=type_), params)
    items, weights, ts = profile.taught(EventWeights(), 10)
    assert items == ["c", "a"]
    assert weights == [1.0, 0.3]
    assert ts == sorted(ts, reverse=True)
    assert profile.removed() == ["b"]
    assert set(profile.consumed()) == {"a", "b", "c"}


def test_an_impression_neither_teaches_nor_counts_as_met() -> None:
    profile = profile_of([click(1, "a", type_="impression"), click(2, "b")])
    assert profile.taught(EventWeights(), 10)[0] == ["b"]
    assert profile.consumed() == ["b"]


@pytest.mark.parametrize("packed", [b"", b"x", b"12345678", b"12345678\xc1", b"12345678\x90"])
def test_bytes_that_are_no_profile_are_refused(packed: bytes) -> None:
    with pytest.raises(StateRefused):
        Profile.unpack(packed)


def test_the_hashes_seen_before_stay_the_newest() -> None:
    profile = profile_of([click(n, f"m{n}", ts=10**12 + n * HOUR_MS) for n in range(12)])
    kept = {item_hash(f"m{n}") for n in (5, 6, 7)}
    assert set(profile.seen_hashes().tolist()) == kept
    assert profile.seen.dtype == np.uint64
