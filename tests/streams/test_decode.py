"""Decoding: every rule by an example, and no bytes at all that raise."""

import json
import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millstream.models.event import EVENT_TYPES, Event, Merge
from millstream.streams.decode import (
    DEPTH_MAX,
    REASONS,
    VALUE_BYTES_MAX,
    EventDecoder,
    Reason,
    Rejected,
)
from millstream.streams.event_fields import ID_BYTES_MAX
from millstream.streams.settings import FieldSettings, Role

NOW = 1_767_225_600_000
GOOD: dict[str, object] = {
    "id": "e-91",
    "user": "u7",
    "item": "m42",
    "type": "click",
    "ts": NOW - 1000,
    "value": 1.0,
    "session": "s3",
    "list": "r-18",
    "surface": "home",
}


def decoded(
    value: bytes | None, role: Role = "clicks", fields: FieldSettings | None = None
) -> Event | Merge | Rejected:
    return EventDecoder(fields).decode(value, role, 3, 1042, NOW)


def changed(role: Role = "clicks", /, **fields: object) -> Event | Merge | Rejected:
    event = {name: value for name, value in (GOOD | fields).items() if value != "ABSENT"}
    return decoded(json.dumps(event).encode(), role)


def test_the_event_of_the_design_is_decoded() -> None:
    assert changed() == Event("e-91", "u7", "m42", "click", NOW - 1000, 1.0)


@pytest.mark.parametrize(("role", "type_"), [("clicks", "click"), ("views", "view")])
def test_the_topic_gives_the_type_that_an_event_leaves_out(role: Role, type_: str) -> None:
    event = changed(role, type="ABSENT")
    assert isinstance(event, Event)
    assert event.type == type_


def test_an_events_own_type_wins_over_its_topics() -> None:
    event = changed("views", type="purchase")
    assert isinstance(event, Event)
    assert event.type == "purchase"


def test_feedback_needs_a_type() -> None:
    assert changed("feedback", type=None) == Rejected("missing-type")


@pytest.mark.parametrize("type_", EVENT_TYPES)
def test_every_type_is_taken_on_every_topic(type_: str) -> None:
    assert isinstance(changed("feedback", type=type_), Event)


@pytest.mark.parametrize("role", ["clicks", "feedback"])
def test_a_merge_needs_no_item_and_says_into_whom(role: Role) -> None:
    expected = Merge("e-91", "u7", "ann", NOW - 1000)
    assert changed(role, type="merge", into="ann", item="ABSENT", value="ABSENT") == expected
    assert changed(role, type="merge", into="ann") == expected
    assert changed(role, type="merge", into=12, item=None) == Merge("e-91", "u7", "12", NOW - 1000)


@pytest.mark.parametrize(
    ("given", "merged"), [("g-1", True), (7, True), (True, True), (None, False), (False, False)]
)
def test_a_guests_event_told_again_is_marked(given: object, merged: bool) -> None:
    assert changed(merged_from=given) == Event(
        "e-91", "u7", "m42", "click", NOW - 1000, 1.0, merged
    )


def test_an_event_without_an_id_is_named_by_its_place_and_such_ids_sort_as_offsets() -> None:
    decoder = EventDecoder()
    value = json.dumps(GOOD | {"id": None}).encode()
    ids = []
    for offset in (0, 9, 10, 4095, 2**40):
        event = decoder.decode(value, "views", 11, offset, NOW)
        assert isinstance(event, Event)
        ids.append(event.id)
    assert ids[2] == "vb.00000000000a"
    assert ids == sorted(ids)
    assert max(map(len, ids)) <= 24


@pytest.mark.parametrize(
    ("given_ts", "ts"),
    [
        (NOW - 1, NOW - 1),
        (float(NOW), NOW),
        (NOW + 5000, NOW + 5000),
        (NOW + 5001, NOW),
        (NOW + 315_360_000_000, NOW),
        (1e300, NOW),
        ("2026-01-01T00:00:00Z", NOW),
        ("2026-01-01T00:00:00", NOW),
        ("2026-01-01T01:00:00+01:00", NOW),
        ("2025-12-31", NOW - 86_400_000),
        ("20251231T000000Z", NOW - 86_400_000),
        ("2025-12-31T23:59:59.9996Z", NOW - 1),
    ],
)
def test_time_is_ms_or_iso_and_the_future_is_clamped_to_when_the_log_took_it(
    given_ts: object, ts: int
) -> None:
    event = changed(ts=given_ts)
    assert isinstance(event, Event)
    assert event.ts == ts


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"user": "ABSENT"}, "missing-user"),
        ({"user": None}, "missing-user"),
        ({"item": None}, "missing-item"),
        ({"ts": None}, "missing-ts"),
        ({"type": "rating", "value": None}, "missing-value"),
        ({"type": "merge"}, "missing-into"),
        ({"type": "merge", "into": "ann", "item": None, "user": ""}, "bad-user"),
        ({"type": "merge", "into": "a\nb"}, "bad-into"),
        ({"type": "merge", "into": [1]}, "bad-into"),
        ({"type": "merge", "into": "ann", "ts": "then"}, "bad-ts"),
        ({"user": ""}, "bad-user"),
        ({"user": "a" * (ID_BYTES_MAX + 1)}, "bad-user"),
        ({"user": "é" * (ID_BYTES_MAX // 2 + 1)}, "bad-user"),
        ({"user": "a\nb"}, "bad-user"),
        ({"user": "a\x00"}, "bad-user"),
        ({"user": "a\x7f"}, "bad-user"),
        ({"user": "é\x85"}, "bad-user"),
        ({"user": "\ud800"}, "bad-user"),
        ({"user": True}, "bad-user"),
        ({"user": 1.5}, "bad-user"),
        ({"user": ["u7"]}, "bad-user"),
        ({"user": 10**200}, "bad-user"),
        ({"item": {}}, "bad-item"),
        ({"item": "\u0007"}, "bad-item"),
        ({"id": ""}, "bad-id"),
        ({"id": False}, "bad-id"),
        ({"type": "Click"}, "unknown-type"),
        ({"type": ""}, "unknown-type"),
        ({"type": 1}, "unknown-type"),
        ({"ts": 1_767_225_600}, "bad-ts"),
        ({"ts": 0}, "bad-ts"),
        ({"ts": -NOW}, "bad-ts"),
        ({"ts": NOW + 0.5 - 10_000}, "bad-ts"),
        ({"ts": True}, "bad-ts"),
        ({"ts": str(NOW)}, "bad-ts"),
        ({"ts": "1970-01-01"}, "bad-ts"),
        ({"ts": "yesterday"}, "bad-ts"),
        ({"ts": "2026-13-01"}, "bad-ts"),
        ({"ts": "0001-01-01T00:00:00+23:59"}, "bad-ts"),
        ({"value": "4"}, "bad-value"),
        ({"value": True}, "bad-value"),
        ({"value": 10**400}, "bad-value"),
        ({"v": 2}, "unknown-version"),
        ({"v": "1"}, "unknown-version"),
        ({"v": True}, "unknown-version"),
        ({"v": 1.0}, "unknown-version"),
    ],
)
def test_a_wrong_field_is_rejected_by_name(fields: dict[str, object], reason: Reason) -> None:
    assert changed(**fields) == Rejected(reason)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no-value"),
        (b"", "not-json"),
        (b"{", "not-json"),
        (b'{"user": NaN}', "not-json"),
        (b"{} {}", "not-json"),
        (b"\xef\xbb\xbf{}", "not-json"),
        (b"[]", "not-an-object"),
        (b"1", "not-an-object"),
        (b'"text"', "not-an-object"),
        (b'{"user": "\xff"}', "not-utf8"),
        (b'{"unknown": "\xff"}', "not-utf8"),
        (b"\xff", "not-utf8"),
        (b'{"a":' * (DEPTH_MAX + 1), "too-deep"),
        (b'{"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", "too-deep"),
        (b"[" * 100_000, "too-large"),
        (b'{"user": "' + b"a" * VALUE_BYTES_MAX + b'"}', "too-large"),
        (b"{" * 10_000_000, "too-large"),
    ],
)
def test_what_is_no_event_at_all_is_rejected_by_its_form(
    value: bytes | None, reason: Reason
) -> None:
    assert decoded(value) == Rejected(reason)


def test_numbers_that_no_float_holds_are_the_fault_of_their_field() -> None:
    text = json.dumps(GOOD | {"value": 7}).encode()
    assert decoded(text.replace(b": 7", b": 1e400")) == Rejected("bad-value")
    assert decoded(text.replace(b": 7", b": -1e400")) == Rejected("bad-value")
    assert isinstance(decoded(text.replace(b": 7", b": 9223372036854775808")), Event)


def test_minus_zero_is_zero() -> None:
    event = changed(value=-0.0)
    assert isinstance(event, Event)
    assert str(event.value) == "0.0"


def test_unknown_fields_and_the_only_version_are_let_through() -> None:
    assert changed(v=1, colour="red", nested={"a": [1, 2, {"b": None}]}) == changed()


def test_brackets_within_strings_are_no_depth() -> None:
    assert isinstance(changed(note="[{" * 1000), Event)
    assert isinstance(changed(note='\\"[' * 1000), Event)


def test_whole_numbers_as_ids_become_strings() -> None:
    event = changed(user=7, item=-3, id=12)
    assert isinstance(event, Event)
    assert (event.user, event.item, event.id) == ("7", "-3", "12")


@pytest.mark.parametrize(
    "id_", ["__proto__", "{}", "*", "../", "💡", "ألف", "a b", "\u00a0", "x" * 128, "é" * 64]
)
def test_odd_ids_are_ids(id_: str) -> None:
    event = changed(user=id_, item=id_, id=id_)
    assert isinstance(event, Event)
    assert (event.user, event.item, event.id) == (id_, id_, id_)


def test_two_spellings_of_one_id_are_one() -> None:
    composed, decomposed = changed(user="caf\u00e9"), changed(user="cafe\u0301")
    assert composed == decomposed


def test_a_teams_field_names_are_mapped_and_ours_are_then_unknown() -> None:
    fields = FieldSettings(user="customer", ts="at", value="v")
    value = json.dumps({"customer": "u7", "item": "m42", "at": NOW, "v": 2, "user": "x"})
    assert decoded(value.encode(), fields=fields) == Event(
        "c3.000000000412", "u7", "m42", "click", NOW, 2.0
    )


@pytest.mark.parametrize(
    "value",
    [
        b"[" * VALUE_BYTES_MAX,
        b'{"a":"' + b'\\"' * 32_000 + b"[" * 40,
        b'"' + b"[" * 40 + b'\\"' * 32_000,
        ('{"user":"e' + "\u0301\u0323" * 14_000 + '","item":"a","ts":1767225600000}').encode(),
    ],
)
def test_hostile_bytes_are_refused_quickly(value: bytes) -> None:
    began = time.perf_counter()
    assert isinstance(decoded(value), Rejected)
    assert time.perf_counter() - began < 0.25


def check(outcome: Event | Merge | Rejected) -> None:
    if isinstance(outcome, Rejected):
        assert outcome.reason in REASONS
        return
    target = outcome.into if isinstance(outcome, Merge) else outcome.item
    for id_ in (outcome.id, outcome.user, target):
        assert 1 <= len(id_.encode()) <= ID_BYTES_MAX
        assert unicodedata.is_normalized("NFC", id_)
        assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in id_)
    assert 100_000_000_000 <= outcome.ts <= NOW + 5000
    if isinstance(outcome, Event):
        assert abs(outcome.value) < float("inf")
        assert outcome.type in EVENT_TYPES


@given(st.binary(max_size=300))
@example(b'{"user":"\xed\xa0\x80"}')
def test_no_bytes_raise(value: bytes) -> None:
    check(decoded(value))


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(alphabet=st.characters(), max_size=140)
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
names = st.sampled_from(["user", "item", "ts", "type", "value", "id", "v", "into", "merged_from"])


@given(st.dictionaries(names, values), st.booleans(), st.sampled_from(["clicks", "feedback"]))
def test_no_json_raises_and_what_passes_keeps_the_rules(
    fields: dict[str, object], over_good: bool, role: Role
) -> None:
    event = GOOD | fields if over_good else fields
    for escape in (True, False):
        text = json.dumps(event, ensure_ascii=escape)
        check(decoded(text.encode(errors="surrogatepass"), role))


@given(st.binary(max_size=4), st.integers(0, 200), st.integers(0, 200))
def test_no_damage_to_a_good_event_raises(patch: bytes, start: int, stop: int) -> None:
    good = json.dumps(GOOD).encode()
    check(decoded(good[:start] + patch + good[stop:]))
