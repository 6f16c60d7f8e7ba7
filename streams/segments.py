"""Frames on their way through the log: one record each, or several where one would be too large.

A record's value is a frame as `encode_frame` gives it, or a segment: 8 bytes of BLAKE2b over the
rest, a format byte, then a `Segment` in msgpack. The byte behind the checksum tells them apart: a
frame goes on with a msgpack array (0x90 and above), a segment's format is below 0x80.

A frame is in the log where its last segment is; before that it is not there, for anybody. What a
writer that crashed has begun is never ended, and passed over.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import msgspec

from millstream.models.errors import StateRefused
from millstream.models.frame import CHECK_BYTES, Frame, decode_frame, encode_frame
from millstream.streams.errors import MillstreamError

FRAME_RECORD_MAX: Final = 256 * 1024
"""Bytes of one record's value at most."""
FRAME_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of one encoded frame at most, however many records it takes."""
HALF_BUILT_MAX: Final = 8
"""Frames a reader has begun at a time: each is of another writer, or of one that is gone."""
HALF_BUILT_BYTES_MAX: Final = 2 * FRAME_BYTES_MAX
CLOSED_MAX: Final = 4096
"""Frames a reader knows to be over, so that a segment that comes once more is told."""

FORMAT: Final = 1
FORMAT_END: Final = 0x80  # from here on a byte begins no small integer of msgpack
ENVELOPE_BYTES: Final = 64  # checksum, format and fields of a segment, without writer and part: 49

FrameId = tuple[str, int, bytes, int]
"""Writer with its try, start, checksum, segments: never the same for two frames."""


class FrameTooLarge(MillstreamError):
    """A frame is above FRAME_BYTES_MAX; nothing of it was written."""


class Segment(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Part `index` of `count` of an encoded frame."""

    writer: str
    start: int
    frame: bytes  # the frame's own checksum, its first 8 bytes
    index: int
    count: int
    part: bytes

    @property
    def of(self) -> FrameId:
        """Return whose part it is."""
        return self.writer, self.start, self.frame, self.count

    @property
    def name(self) -> str:
        """Return what it is called in sentences, counted from 1."""
        frame = f"the frame from {self.start} of {self.writer}"
        return f"segment {self.index + 1} of {self.count} of {frame}"


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Segment).decode


def cut(frame: Frame, bytes_max: int) -> list[bytes]:
    """Return the values of a frame's records, in order, each of at most `bytes_max` bytes.

    A frame that fits is one record, as `encode_frame` gives it. Raises FrameTooLarge above
    FRAME_BYTES_MAX, ValueError when `bytes_max` leaves no room beside the writer's name.
    """
    encoded = encode_frame(frame)
    if len(encoded) <= bytes_max:
        return [encoded]
    if len(encoded) > FRAME_BYTES_MAX:
        raise FrameTooLarge(
            f"the frame [{frame.start}, {frame.stop}) has {len(encoded)} bytes, at most "
            f"{FRAME_BYTES_MAX} are written; lower learn.frame_interval_ms"
        )
    room = bytes_max - ENVELOPE_BYTES - len(frame.writer.encode())
    if room <= 0:
        raise ValueError(f"no segment of writer {frame.writer} fits {bytes_max} bytes")
    parts = [encoded[at : at + room] for at in range(0, len(encoded), room)]
    check = encoded[:CHECK_BYTES]
    return [
        _sealed(Segment(frame.writer, frame.start, check, index, len(parts), part))
        for index, part in enumerate(parts)
    ]


def frame_ended(value: bytes | None) -> tuple[str, int] | None:
    """Return writer and start of the frame that ends with this record; None if none does.

    By this record alone: those before it are taken to be there, since no log holds a later
    message of an append without the earlier ones.
    """
    try:
        segment = _segment(value)
        if segment is None:
            frame = decode_frame(value)
            return frame.writer, frame.start
    except StateRefused:
        return None
    return (segment.writer, segment.start) if segment.index + 1 == segment.count else None


@dataclass(slots=True)
class _HalfBuilt:
    """What of a frame has come: its first parts, without a hole."""

    parts: list[bytes] = field(default_factory=list)
    bytes: int = 0


class FrameReader:
    """Puts frames together from the log's records. One reader per place that is read from.

    Segments of several writers may be mixed. Those of a frame are taken in their order only: one
    that is missing or stands twice drops what was begun of it, so no frame is ever a wrong one.
    """

    def __init__(
        self,
        on_damage: Callable[[str], None] = lambda _: None,
        *,
        whole_log: bool = False,
        bytes_max: int = HALF_BUILT_BYTES_MAX,
    ) -> None:
        """`on_damage` hears of segments that no honest writer leaves so.

        With `whole_log`, also of a frame without its beginning; else it may lie before the place
        where reading began. Of more than `bytes_max` half-built, the one waited for longest goes.
        """
        self._on_damage = on_damage
        self._whole_log = whole_log
        self._bytes_max = bytes_max
        self._half: dict[FrameId, _HalfBuilt] = {}  # the one that got a segment last comes last
        self._bytes = 0
        self._closed: dict[FrameId, bool] = {}  # frames that are over: whether they came out

    def take(self, value: bytes | None) -> Frame | None:
        """Return the frame that the next record's value ends, None when it ends none.

        Raises StateRefused when the record is torn, foreign or newer.
        """
        segment = _segment(value)
        if segment is None:
            return decode_frame(value)
        begun = self._continued(segment)
        if begun is None:
            return None
        begun.parts.append(segment.part)
        begun.bytes += len(segment.part)
        if len(begun.parts) == segment.count:
            self._close(segment.of, came_out=True)
            return decode_frame(b"".join(begun.parts))
        self._half[segment.of] = begun
        self._bytes += begun.bytes
        while len(self._half) > HALF_BUILT_MAX or self._bytes > self._bytes_max:
            longest = next(iter(self._half))
            self._take_out(longest)
            self._close(longest, came_out=False)
        return None

    def _continued(self, segment: Segment) -> _HalfBuilt | None:
        """Take out what a segment continues; None when it continues nothing."""
        came_out = self._closed.get(segment.of)
        if came_out:
            self._on_damage(f"{segment.name} stands twice")
            return None
        begun = self._take_out(segment.of)
        came = len(begun.parts)
        if segment.index == came:
            self._closed.pop(segment.of, None)
            return begun
        if segment.index == 0:  # begun anew, under a name that only a copy can have
            self._on_damage(f"{segment.name} stands twice")
            return _HalfBuilt()
        if came:
            how = "stands twice" if segment.index < came else f"follows segment {came}"
            self._on_damage(f"{segment.name} {how}")
        elif came_out is None and self._whole_log:
            self._on_damage(f"{segment.name} stands without those before it")
        self._close(segment.of, came_out=False)
        return None

    def _take_out(self, frame: FrameId) -> _HalfBuilt:
        begun = self._half.pop(frame, None) or _HalfBuilt()
        self._bytes -= begun.bytes
        return begun

    def _close(self, frame: FrameId, *, came_out: bool) -> None:
        self._closed[frame] = came_out
        if len(self._closed) > CLOSED_MAX:
            del self._closed[next(iter(self._closed))]


def _sealed(segment: Segment) -> bytes:
    body = bytes([FORMAT]) + _encode(segment)
    return blake2b(body, digest_size=CHECK_BYTES).digest() + body


def _segment(value: bytes | None) -> Segment | None:
    """Return the segment in a record, None when it holds none. Raises StateRefused."""
    if value is None or len(value) <= CHECK_BYTES or value[CHECK_BYTES] >= FORMAT_END:
        return None
    body = memoryview(value)[CHECK_BYTES:]
    if blake2b(body, digest_size=CHECK_BYTES).digest() != value[:CHECK_BYTES]:
        raise StateRefused("a segment's checksum does not match its content")
    if body[0] != FORMAT:
        raise StateRefused(f"a segment has format {body[0]}, this code reads {FORMAT}")
    try:
        segment = _decode(body[1:])
    except msgspec.DecodeError as error:
        raise StateRefused(f"a segment cannot be read: {error}") from error
    if not 0 <= segment.index < segment.count or not segment.part:
        raise StateRefused(f"{segment.name} cannot be")
    return segment
