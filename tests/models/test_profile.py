"""A profile is a set: the order, the number and the grouping of additions do not show."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models.errors import StateRefused
from millstream.models.event import EVENT_TYPES, Event, EventWeights, Merge, event_key
from millstream.models.event_set import ProfileParams
from millstream.models.packed import VERSION_BYTES, Packed, encode_packed
from millstream.models.profile import Profile
from millstream.models.seen import item_hash

SMALL = ProfileParams(events_max=4, bytes_max=10_000, seen_max=3, impressions_max=2, horizon_days=2)
HOUR_MS = 3_600_000

NARROW = ProfileParams(events_max=100, bytes_max=200, seen_max=3, horizon_days=2)
BOUNDS = pytest.mark.parametrize("params", [SMALL, NARROW], ids=["by number", "by bytes"])

events = st.builds(
    lambda n, item, type_, hour, value: Event(
        f"e{n:03d}", "u", f"m{item}" * (item + 1), type_, 10**12 + hour * HOUR_MS + n, value
    ),
    st.integers(0, 999),
    st.integers(0, 9),
    st.sampled_from(EVENT_TYPES),
    st.integers(0, 72) | st.sampled_from([20, 72]),
    st.sampled_from([0.0, 2.5]),
)
merges = st.builds(
    lambda n, into: Merge(f"e{n:03d}", "u", into, 10**12 + n % 3),
    st.integers(0, 999),
    st.sampled_from("uvw"),
)
histories = st.lists(events | merges, max_size=14, unique_by=lambda e: e.id)


def profile_of(added: Sequence[Event | Merge], params: ProfileParams = SMALL) -> Profile:
    profile = Profile()
    for event in added:
        if isinstance(event, Merge):
            profile.add_merge(event)
        else:
            profile.add(event, params)
    return profile


def click(n: int, item: str = "m", ts: int | None = None, type_: str = "click") -> Event:
    return Event(f"e{n:03d}", "u", item, type_, 10**12 + n if ts is None else ts)


@BOUNDS
@given(added=histories, random=st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_any_order_with_repeats_gives_the_same_bytes(
    params: ProfileParams, added: list[Event | Merge], random
) -> None:
    shuffled = added + random.sample(added, len(added) // 2)
    random.shuffle(shuffled)
    assert profile_of(shuffled, params).pack() == profile_of(added, params).pack()


@BOUNDS
@given(added=histories, cut=st.integers(0, 14))
@settings(max_examples=200, deadline=None)
def test_merging_parts_either_way_round_equals_the_whole(
    params: ProfileParams, added: list[Event | Merge], cut: int
) -> None:
    whole = profile_of(added, params)
    left, right = profile_of(added[:cut], params), profile_of(added[cut:], params)
    other = profile_of(added[cut:], params)
    left.merge(right, params)
    other.merge(profile_of(added[:cut], params), params)
    assert left.same_events(whole)
    assert other.same_events(whole)


@given(histories)
def test_a_packed_profile_is_read_back_and_its_version_is_a_hash_of_it(
    added: list[Event | Merge],
) -> None:
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


def test_a_small_old_event_does_not_slip_in_below_a_great_one_that_had_to_leave() -> None:
    """Room for 200 bytes: the great one leaves for the newest, and so does what is older."""
    small, great = click(1, "s"), click(2, "g" * 150)
    newest = click(3, "n" * 100)
    for order in itertools.permutations([small, great, newest]):
        profile = profile_of(list(order), NARROW)
        assert profile.items == ["n" * 100], order
        assert profile.floor == (great.ts, b"e002")


def test_of_what_was_seen_before_it_is_known_what_was_taken_out() -> None:
    types = {"a": "hide", "b": "click", "c": "dislike", "d": "click"}
    profile = profile_of([click(n, item, type_=t) for n, (item, t) in enumerate(types.items())])
    for n in range(10, 13):
        profile.add(click(n, "c" if n == 11 else f"m{n}"), SMALL)
    assert profile.items == ["d", "m10", "c", "m12"]
    assert set(profile.seen_hashes()) == {item_hash(item) for item in "abc"}
    assert profile.removed_hashes().tolist() == [item_hash("a")], "c was taken up again"


def test_the_key_of_an_id_is_an_id_and_its_own_key() -> None:
    for id_ in ("e1", "x" * 24, "x" * 25, "é" * 13):
        key = event_key(id_)
        assert event_key(key.decode()) == key


def test_of_merges_the_newest_counts_and_nobody_is_merged_into_themselves() -> None:
    first, second = Merge("m1", "u", "ann", 10**12), Merge("m2", "u", "bob", 10**12 + 1)
    for order in itertools.permutations([first, second, Merge("m3", "u", "u", 10**12 + 2)]):
        profile = profile_of(order)
        assert profile.mark == (10**12 + 1, b"m2", "bob")
        assert profile.add_merge(second) == "duplicate"
        assert profile.add_merge(first) == "late"


def test_an_impression_neither_teaches_nor_counts_as_met() -> None:
    profile = profile_of([click(1, "a", type_="impression"), click(2, "b")])
    assert profile.taught(EventWeights(), 10)[0] == ["b"]
    assert profile.consumed() == ["b"]


@pytest.mark.parametrize("packed", [b"", b"x", b"12345678", b"12345678\xc1", b"12345678\x90"])
def test_bytes_that_are_no_profile_are_refused(packed: bytes) -> None:
    with pytest.raises(StateRefused):
        Profile.unpack(packed)


def test_a_profile_of_another_format_is_refused_with_what_to_do() -> None:
    old = encode_packed(Packed(1, ["a"], [1], [b"e"], [1], {}, b"", {}))
    with pytest.raises(StateRefused, match="format 1, this code reads 2; delete the keys"):
        Profile.unpack(old)


def test_the_hashes_seen_before_stay_the_newest() -> None:
    profile = profile_of([click(n, f"m{n}", ts=10**12 + n * HOUR_MS) for n in range(12)])
    kept = {item_hash(f"m{n}") for n in (5, 6, 7)}
    assert set(profile.seen_hashes().tolist()) == kept
    assert profile.seen.dtype == np.uint64
