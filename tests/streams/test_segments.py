"""Segments give the frame that was cut, or none: mixed, lost, doubled and altered ones too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.models.errors import StateRefused
from millstream.models.frame import FORMAT, Frame, PackedArray, PackedSteps, encode_frame
from millstream.streams import segments
from millstream.streams.log import Message, TopicSpec
from millstream.streams.segments import (
    CLOSED_MAX,
    FRAME_BYTES_MAX,
    FRAME_RECORD_MAX,
    HALF_BUILT_MAX,
    FrameReader,
    FrameTooLarge,
    Segment,
    cut,
    frame_ended,
)
from millstream.streams.settings import LearnSettings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from millstream.streams.kafka_log import KafkaLog

NO_STEPS = PackedSteps(*[b""] * 8)


def frame(start: int = 40, codes: int = 300, writer: str = "w") -> Frame:
    """A frame of so many bytes of codes and a few more."""
    changes = {"codes": {"rows": PackedArray("|u1", [codes], bytes(n % 251 for n in range(codes)))}}
    return Frame(FORMAT, "0f0f0f0f", writer, start, start + 2, [], [], NO_STEPS, changes, 10**12)


def read(
    values: Iterable[bytes | None], *, whole_log: bool = True
) -> tuple[list[Frame], list[str]]:
    """What comes out of these records, and what was said of them."""
    said: list[str] = []
    reader = FrameReader(said.append, whole_log=whole_log)
    return [out for value in values if (out := reader.take(value)) is not None], said


def test_a_frame_that_fits_is_one_record_as_it_always_was() -> None:
    one = frame()
    encoded = encode_frame(one)
    assert cut(one, len(encoded)) == [encoded]
    assert read([encoded]) == ([one], [])


def test_a_larger_one_is_cut_into_records_that_say_whose_they_are() -> None:
    """By hand: 65 bytes are kept for the envelope and the writer's name, so 135 of 200 are left."""
    one = frame(codes=300)
    encoded = encode_frame(one)
    values = cut(one, 200)
    assert len(values) == -(-len(encoded) // 135) == 3
    assert all(len(value) <= 200 for value in values)
    parts = [msgspec.msgpack.decode(value[9:], type=Segment) for value in values]
    assert {value[8] for value in values} == {segments.FORMAT}
    assert [(p.writer, p.start, p.frame, p.index, p.count) for p in parts] == [
        ("w", 40, encoded[:8], n, 3) for n in range(3)
    ]
    assert b"".join(p.part for p in parts) == encoded
    assert parts[1].name == "segment 2 of 3 of the frame from 40 of w"
    assert read(values) == ([one], [])


@pytest.mark.parametrize("writer", ["w", "learn-" + "ö" * 120 + "/12"])
def test_no_record_is_above_its_bound_at_the_setting_s_least_and_most(writer: str) -> None:
    for bytes_max in (1000, 256_000):
        values = cut(frame(2**40, 3 * bytes_max, writer), bytes_max)
        assert len(values) > 3
        assert max(map(len, values)) <= bytes_max <= FRAME_RECORD_MAX
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"frame_bytes_max": FRAME_RECORD_MAX}, LearnSettings)


def test_a_frame_above_all_bounds_is_refused_with_what_to_do() -> None:
    large = frame()
    large.changes["codes"]["rows"].data = bytes(FRAME_BYTES_MAX)
    with pytest.raises(FrameTooLarge, match=r"\[40, 42\) .* lower learn.frame_interval_ms"):
        cut(large, 200_000)


def test_a_writer_whose_name_fills_the_record_is_refused() -> None:
    with pytest.raises(ValueError, match="fits 80 bytes"):
        cut(frame(writer="w" * 30), 80)


def test_the_segments_of_two_writers_may_be_mixed() -> None:
    ours, theirs = frame(writer="w"), frame(writer="w/1")
    mixed = [v for pair in zip(cut(ours, 200), cut(theirs, 200), strict=True) for v in pair]
    assert read(mixed) == ([ours, theirs], [])
    whole = encode_frame(frame(99))
    assert read([mixed[0], whole, *mixed[1:]])[0] == [frame(99), ours, theirs]


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([1, 2], ["segment 2 of 3 of the frame from 40 of w stands without those before it"]),
        ([0, 2], ["segment 3 of 3 of the frame from 40 of w follows segment 1"]),
        ([0, 1], []),
        ([0, 2, 1], ["segment 3 of 3 of the frame from 40 of w follows segment 1"]),
        ([0, 1, 1, 2], ["segment 2 of 3 of the frame from 40 of w stands twice"]),
    ],
    ids=["first gone", "second gone", "last gone", "another order", "doubled"],
)
def test_what_is_not_whole_and_in_order_gives_no_frame(order: list[int], said: list[str]) -> None:
    values = cut(frame(), 200)
    after = cut(frame(42), 200)
    assert read([*(values[n] for n in order), *after]) == ([frame(42)], said)


@pytest.mark.parametrize("order", [[0, 0, 1, 2], [0, 1, 0, 1, 2], [0, 1, 2, 2], [0, 1, 2, 0]])
def test_a_copy_beside_the_whole_gives_it_once_and_is_said(order: list[int]) -> None:
    values = cut(frame(), 200)
    frames, said = read(values[n] for n in order)
    assert frames == [frame()]
    assert len(said) == 1
    assert said[0].endswith("stands twice")


def test_where_reading_begins_within_a_frame_the_rest_of_it_is_passed_over() -> None:
    values = [*cut(frame(), 200)[1:], *cut(frame(42), 200)]
    assert read(values, whole_log=False) == ([frame(42)], [])


def test_no_flipped_byte_gets_in() -> None:
    first, *others = cut(frame(codes=60), 120)
    for at in range(len(first)):
        reader = FrameReader()
        with pytest.raises(StateRefused):
            reader.take(first[:at] + bytes([first[at] ^ 0x40]) + first[at + 1 :])
        assert [reader.take(value) for value in others] == [None] * len(others)


def test_a_torn_segment_is_refused() -> None:
    value = cut(frame(), 200)[1]
    for length in range(len(value)):
        with pytest.raises(StateRefused):
            FrameReader().take(value[:length])


@pytest.mark.parametrize(
    ("altered", "says"),
    [
        ({"index": 3}, "segment 4 of 3 .* cannot be"),
        ({"index": -1}, "cannot be"),
        ({"part": b""}, "cannot be"),
        ({"start": "40"}, "cannot be read"),
    ],
)
def test_a_segment_that_no_frame_has_is_refused(altered: dict[str, object], says: str) -> None:
    segment = msgspec.msgpack.decode(cut(frame(), 200)[1][9:], type=Segment)
    value = segments._sealed(msgspec.structs.replace(segment, **altered))
    with pytest.raises(StateRefused, match=says):
        FrameReader().take(value)


def test_a_segment_of_a_newer_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "FORMAT", 2)
    newer = cut(frame(), 200)[0]
    monkeypatch.undo()
    with pytest.raises(StateRefused, match="a segment has format 2, this code reads 1"):
        FrameReader().take(newer)


def test_which_frame_ends_with_a_record_is_seen_by_its_last_segment() -> None:
    first, second, last = cut(frame(), 200)
    assert [frame_ended(v) for v in (first, second, last)] == [None, None, ("w", 40)]
    assert frame_ended(encode_frame(frame(7))) == ("w", 7)
    assert [frame_ended(v) for v in (None, b"", b"rubbish and more", last[:-1])] == [None] * 4


def test_the_frames_begun_at_a_time_are_bounded_and_the_one_waited_for_longest_goes() -> None:
    many = [frame(writer=f"w{n}") for n in range(HALF_BUILT_MAX + 1)]
    begun, rest = [cut(one, 200)[0] for one in many], [cut(one, 200)[1:] for one in many]
    assert read(begun + rest[0] + rest[1] + rest[-1]) == ([many[1], many[-1]], [])


def test_what_is_held_of_them_is_bounded_in_bytes() -> None:
    ours, theirs = frame(writer="w"), frame(writer="x")
    reader = FrameReader(bytes_max=300)  # two parts of 135 bytes
    mixed = [v for pair in zip(cut(ours, 200), cut(theirs, 200), strict=True) for v in pair]
    assert [out for value in mixed if (out := reader.take(value))] == [ours], "w's second part"
    assert [out for value in cut(theirs, 200) if (out := reader.take(value))] == [theirs]
    assert reader._bytes == 0, "nothing is held once all frames are out"


def test_the_frames_known_to_be_over_are_bounded() -> None:
    reader = FrameReader()
    for start in range(CLOSED_MAX + 50):
        for value in cut(frame(start, 100), 150):
            reader.take(value)
    assert len(reader._closed) == CLOSED_MAX


@given(data=st.data())
def test_whatever_becomes_of_two_writers_segments_only_right_frames_come_out(
    data: st.DataObject,
) -> None:
    """Each writer's records in order, mixed; then some dropped, doubled or moved."""
    sizes = data.draw(st.lists(st.integers(1, 700), min_size=1, max_size=4))
    bytes_max = data.draw(st.integers(120, 300))
    sent = {
        writer: [frame(10 * n, size, writer) for n, size in enumerate(sizes)]
        for writer in ("w", "w/1")
    }
    queues = {w: [v for one in frames for v in cut(one, bytes_max)] for w, frames in sent.items()}
    whose = data.draw(st.lists(st.sampled_from(["w", "w/1"]), max_size=80))
    turns = [*whose, *["w"] * 80, *["w/1"] * 80]
    log = [queues[writer].pop(0) for writer in turns if queues[writer]]
    assert not any(queues.values())
    undamaged, said = read(log)
    assert sorted(undamaged, key=lambda f: (f.writer, f.start)) == sent["w"] + sent["w/1"]
    assert said == []

    damaged: list[bytes] = []
    touched = set()
    for at, value in enumerate(log):
        times = data.draw(st.sampled_from([1, 1, 1, 1, 0, 2]))
        damaged += [value] * times
        if times != 1:
            touched.add(at)
    swap = data.draw(st.booleans()) and len(damaged) > 1
    if swap:
        at = data.draw(st.integers(0, len(damaged) - 2))
        damaged[at], damaged[at + 1] = damaged[at + 1], damaged[at]
    came, _ = read(damaged)
    right = sent["w"] + sent["w/1"]
    assert all(one in right for one in came), "never a wrong one"
    if not touched and not swap:
        assert came == undamaged
    for one in right:
        values = cut(one, bytes_max)
        if len(values) == 1:
            continue
        assert came.count(one) <= 1, "a cut frame comes out once"
        left = [value for value in damaged if value in values]
        if left == values:
            assert one in came, "nothing was done to it"
        if len(set(left)) < len(values):
            assert one not in came, "a part of it is gone"


def test_a_frame_of_twenty_megabytes_goes_through_real_kafka(
    kafka_log: KafkaLog, namespace: str
) -> None:
    large = frame(codes=20_000_000)
    values = cut(large, 200_000)
    kafka_log.create([TopicSpec(namespace, 1)])
    offsets = kafka_log.append(namespace, [Message(None, value) for value in values])
    assert offsets == list(range(len(values)))
    frames, said = read(record.value for record in kafka_log.read(namespace, 0, 0, len(values)))
    assert (len(frames), said) == (1, [])
    assert frames[0] == large
