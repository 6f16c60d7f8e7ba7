"""Bytes in, `Event` or `Rejected` out: never an exception, whatever the bytes.

The outcome depends on the arguments alone, so live, replay and audit agree on every record.
"""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal, Protocol, cast, get_args

import msgspec

from millstream.models.event import MERGE, TYPE_CODES, Event, Merge
from millstream.streams.event_fields import (
    AHEAD_MS,
    ID_BYTES_MAX,
    TS_MAX_MS,
    TS_MIN_MS,
    Scalar,
    clamped_ts_ms,
    finite,
    valid_id,
)
from millstream.streams.log import Record
from millstream.streams.settings import EVENT_ROLES, FieldSettings, Role, Settings

Reason = Literal[
    "no-value",
    "too-large",
    "too-deep",
    "not-utf8",
    "not-json",
    "not-an-object",
    "unknown-version",
    "missing-user",
    "missing-item",
    "missing-type",
    "missing-ts",
    "missing-value",
    "missing-into",
    "bad-user",
    "bad-item",
    "bad-into",
    "bad-id",
    "unknown-type",
    "bad-ts",
    "bad-value",
]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
VALUE_BYTES_MAX: Final = 65_536
DEPTH_MAX: Final = 32
VERSION: Final = 1

DEFAULT_TYPES: Final[Mapping[Role, str | None]] = {
    "clicks": "click",
    "views": "view",
    "feedback": None,
}
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)  # unclosed ones too: linear
_BRACKET: Final = re.compile(rb"[\[\]{}]")


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """Why a record is no event: what goes to its dead letter."""

    reason: Reason


class _Wire(msgspec.Struct, gc=False):
    """An event as it arrives, in our names; what it leaves out is None."""

    user: str | int | None = None
    item: str | int | None = None
    ts: int | float | str | None = None
    type: str | None = None
    value: float | None = None
    id: str | int | None = None
    into: str | int | None = None
    merged_from: str | int | None = None
    v: int | None = None


_WIRE_FIELDS: Final = _Wire.__struct_fields__


class EventDecoder:
    """Decodes the records of event topics, with a team's field names mapped onto ours."""

    def __init__(self, fields: FieldSettings | None = None) -> None:
        """Take a team's names of our fields; ours where none are given."""
        self._names = {
            name: getattr(fields or FieldSettings(), name, name) for name in _WIRE_FIELDS
        }
        mapped = [name for ours, name in self._names.items() if ours != "v"]
        if "v" in mapped:  # the team's own field of that name is no version of ours
            self._names["v"] = ""
        team = msgspec.defstruct(
            "_TeamWire",
            [(f.name, f.type, f.default) for f in msgspec.structs.fields(_Wire)],
            bases=(_Wire,),
            rename=self._names,
            gc=False,
        )
        self._decode = msgspec.json.Decoder(cast(type[_Wire], team)).decode

    def decode(
        self,
        value: bytes | None,
        role: Role,
        partition: int,
        offset: int,
        append_ts_ms: int,
        epoch: str = "",
    ) -> Event | Merge | Rejected:
        """Return the event or merge, or why there is none.

        `append_ts_ms` is when the log took the record: `ts` more than 5 s after it becomes it.
        Without an id of its own an event is named by its place; such ids sort as offsets do.
        `epoch` stands for the topic's id in them, so that a re-created topic names none again.
        """
        if value is None:
            return Rejected("no-value")
        if len(value) > VALUE_BYTES_MAX:
            return Rejected("too-large")
        if value.count(b"[") + value.count(b"{") > DEPTH_MAX and _too_deep(value):
            return Rejected("too-deep")
        try:
            if not value.isascii():
                value.decode()
            wire = self._decode(value)
        except UnicodeDecodeError:
            return Rejected("not-utf8")
        except (msgspec.DecodeError, ValueError, RecursionError):
            fields = self._slowly(value)
            if isinstance(fields, Rejected):
                return fields
            return _event(fields, role, partition, offset, append_ts_ms, epoch)
        # The common case in one place; whatever is not plain here is looked at again in _event.
        user, item, ts, type_ = wire.user, wire.item, wire.ts, wire.type
        if (
            type(user) is str
            and type(item) is str
            and type(ts) is int
            and user.isascii()
            and item.isascii()
            and user.isprintable()
            and item.isprintable()
            and 0 < len(user) <= ID_BYTES_MAX
            and 0 < len(item) <= ID_BYTES_MAX
            and TS_MIN_MS <= ts <= append_ts_ms + AHEAD_MS
            and ts <= TS_MAX_MS
            and (wire.v is None or wire.v == VERSION)
        ):
            if type_ is None:
                type_ = DEFAULT_TYPES[role]
            worth = wire.value
            if type_ in TYPE_CODES and (worth is not None or type_ != "rating"):
                id_ = wire.id
                if id_ is None:
                    id_ = f"{role[0]}{epoch}{partition:x}.{offset:012x}"
                elif not (
                    type(id_) is str
                    and id_.isascii()
                    and id_.isprintable()
                    and 0 < len(id_) <= ID_BYTES_MAX
                ):
                    return _event(wire, role, partition, offset, append_ts_ms, epoch)
                merged = wire.merged_from is not None
                return Event(id_, user, item, type_, ts, (worth or 0.0) + 0.0, merged)
        return _event(wire, role, partition, offset, append_ts_ms, epoch)

    def _slowly(self, value: bytes) -> "_Loose | Rejected":
        """Return the fields of a record that the typed decoder refused, whatever they hold."""
        try:
            text = value.decode()
            event: object = json.loads(text, parse_int=_whole, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return Rejected("not-json")
        if not isinstance(event, dict):
            return Rejected("not-an-object")
        return _Loose(*(_scalar(event.get(self._names[field])) for field in _WIRE_FIELDS))


class Decode(Protocol):
    """Turns a record of an event topic into an event."""

    def __call__(self, record: Record, topic_id: str = "") -> Event | Merge | Rejected:
        """Return the event or merge, or why there is none; never raises."""


def record_decoder(settings: Settings) -> Decode:
    """Return the decoder of (record, topic id), a team's topics and fields mapped onto ours."""
    decode = EventDecoder(settings.fields).decode
    roles: dict[str, Role] = {settings.topics.name(role): role for role in EVENT_ROLES}

    @lru_cache(maxsize=16)
    def epoch(topic_id: str) -> str:
        return blake2b(topic_id.encode(), digest_size=2).hexdigest() if topic_id else ""

    def decode_record(record: Record, topic_id: str = "") -> Event | Merge | Rejected:
        return decode(
            record.value,
            roles[record.topic],
            record.partition,
            record.offset,
            record.timestamp_ms,
            epoch(topic_id),
        )

    return decode_record


class _Loose(msgspec.Struct, gc=False):
    """The fields of `_Wire`, of any scalar type; lists and objects are _WRONG."""

    user: Scalar
    item: Scalar
    ts: Scalar
    type: Scalar
    value: Scalar
    id: Scalar
    into: Scalar
    merged_from: Scalar
    v: Scalar


_WRONG: Final = True  # no field is a truth value, so each refuses it by its own name


def _scalar(value: object) -> Scalar:
    return value if value is None or isinstance(value, str | int | float) else _WRONG


def _whole(digits: str) -> int:
    """Return a JSON integer; reading more digits than any field takes would be quadratic."""
    return int(digits) if len(digits) <= 400 else _WRONG


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _event(
    wire: _Wire | _Loose,
    role: Role,
    partition: int,
    offset: int,
    append_ts_ms: int,
    epoch: str,
) -> Event | Merge | Rejected:
    """Return what decoded fields say: every rule, in the order in which faults are named."""
    if wire.v is not None and (type(wire.v) is not int or wire.v != VERSION):
        return Rejected("unknown-version")
    if wire.user is None:
        return Rejected("missing-user")
    type_ = DEFAULT_TYPES[role] if wire.type is None else wire.type
    merging = type_ == MERGE
    if wire.item is None and not merging:
        return Rejected("missing-item")
    if type_ is None:
        return Rejected("missing-type")
    if wire.ts is None:
        return Rejected("missing-ts")
    if (user := valid_id(wire.user)) is None:
        return Rejected("bad-user")
    if merging and wire.into is None:
        return Rejected("missing-into")
    if (item := valid_id(wire.into if merging else wire.item)) is None:
        return Rejected("bad-into" if merging else "bad-item")
    given = f"{role[0]}{epoch}{partition:x}.{offset:012x}" if wire.id is None else wire.id
    if (id_ := valid_id(given)) is None:
        return Rejected("bad-id")
    if not isinstance(type_, str) or not (merging or type_ in TYPE_CODES):
        return Rejected("unknown-type")
    if (ts := clamped_ts_ms(wire.ts, append_ts_ms)) is None:
        return Rejected("bad-ts")
    if merging:
        return Merge(id_, user, item, ts)
    if wire.value is None and type_ == "rating":
        return Rejected("missing-value")
    if (value := finite(0.0 if wire.value is None else wire.value)) is None:
        return Rejected("bad-value")
    merged = wire.merged_from is not None and wire.merged_from is not False
    return Event(id_, user, item, type_, ts, value, merged)


def _too_deep(value: bytes) -> bool:
    """Return whether the brackets of a JSON text nest deeper than DEPTH_MAX, strings aside."""
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", value)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEPTH_MAX:
            return True
    return False
