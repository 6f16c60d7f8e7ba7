"""Records that are no events: kept whole with reason and place; too many stop the worker."""

import pytest

from millstream.models.event import Event
from millstream.streams.dead_letters import (
    VALUE_BYTES_KEPT,
    DeadLetters,
    TooManyRejected,
    dead_letter,
)
from millstream.streams.decode import Rejected
from millstream.streams.log import MESSAGE_BYTES_MAX, Message, Record
from millstream.streams.memory_log import MemoryLog, check_size
from millstream.streams.settings import Settings, WorkerSettings
from millstream.streams.topics import ensure_topics

GOOD = Event("e", "u", "m", "click", 1_700_000_000_000)
BAD = Rejected("not-json")


def record(value: bytes | None = b"{", key: bytes | None = b"u", offset: int = 7) -> Record:
    return Record("clicks", 3, offset, 1_700_000_000_000, key, value)


def letters_of(policy: str = "stop", window: int = 100) -> DeadLetters:
    worker = WorkerSettings(reject_ratio=0.05, reject_window=window, reject_policy=policy)  # type: ignore[arg-type]
    return DeadLetters(Settings(worker=worker))


def take(letters: DeadLetters, *outcomes: Event | Rejected) -> dict[str, int]:
    counts: dict[str, int] = {}
    letters.take([record(offset=n) for n in range(len(outcomes))], outcomes, counts)
    return counts


def test_a_dead_letter_has_key_bytes_reason_and_place() -> None:
    letter = dead_letter(record(b"\xff{"), "not-utf8")
    assert letter == Message(
        b"u",
        b"\xff{",
        (
            ("reason", b"not-utf8"),
            ("topic", b"clicks"),
            ("partition", b"3"),
            ("offset", b"7"),
        ),
        partition=0,
    )


def test_a_tombstone_is_told_from_an_empty_value() -> None:
    null, empty = dead_letter(record(None), "no-value"), dead_letter(record(b""), "not-json")
    assert (null.value, empty.value) == (b"", b"")
    assert ("null-value", b"1") in null.headers
    assert "null-value" not in dict(empty.headers)


def test_what_is_too_long_is_cut_and_says_so_and_still_fits() -> None:
    letter = dead_letter(record(b"x" * 10_000_000, key=b"k" * 900_000), "too-large")
    assert letter.value == b"x" * VALUE_BYTES_KEPT
    assert ("cut-from-bytes", b"10000000") in letter.headers
    assert letter.key is None
    check_size(letter)
    assert VALUE_BYTES_KEPT < MESSAGE_BYTES_MAX


def test_only_rejected_records_become_letters_and_are_counted_by_reason() -> None:
    letters = letters_of()
    counts: dict[str, int] = {"not-json": 1}
    records = [record(offset=n) for n in range(3)]
    made = letters.take(records, [GOOD, BAD, Rejected("bad-ts")], counts)
    assert [dict(letter.headers)["offset"] for letter in made] == [b"1", b"2"]
    assert counts == {"not-json": 2, "bad-ts": 1}


def test_letters_are_in_the_log_when_publishing_returns() -> None:
    settings, log = Settings(), MemoryLog()
    ensure_topics(log, settings)
    DeadLetters(settings).publish(log, [dead_letter(record(), "not-json")])
    (kept,) = log.read("dead-letters", 0, 0, 10)
    assert dict(kept.headers)["reason"] == b"not-json"
    assert (kept.key, kept.value) == (b"u", b"{")


def test_no_share_is_taken_before_the_window_is_full() -> None:
    letters = letters_of()
    take(letters, *[BAD] * 99)
    letters.check_ratio()
    take(letters, BAD)
    with pytest.raises(TooManyRejected):
        letters.check_ratio()


def test_more_than_the_share_stops_with_the_flag_that_goes_on_anyway() -> None:
    letters = letters_of()
    take(letters, *[BAD] * 5, *[GOOD] * 95)
    letters.check_ratio()
    take(letters, *[GOOD] * 95, *[BAD] * 6)
    with pytest.raises(TooManyRejected, match=r"6 of the last 100 .* --reject-policy alarm") as why:
        letters.check_ratio()
    assert why.value.exit_code == 1


def test_only_the_last_records_count() -> None:
    letters = letters_of()
    take(letters, *[BAD] * 50)
    take(letters, *[GOOD] * 100)
    letters.check_ratio()
    take(letters, *[BAD] * 5)
    letters.check_ratio()
    take(letters, BAD)
    with pytest.raises(TooManyRejected):
        letters.check_ratio()


def test_the_policy_alarm_goes_on() -> None:
    letters = letters_of("alarm")
    assert take(letters, *[BAD] * 200) == {"not-json": 200}
    letters.check_ratio()
