"""Bytes in, `Event` or `Rejected` out: never an exception, whatever the bytes.

The outcome depends on the arguments alone, so live, replay and audit agree on every record.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, cast, get_args

import msgspec

from millstream.models.event import TYPE_CODES, Event
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
    "bad-user",
    "bad-item",
    "bad-id",
    "unknown-type",
    "bad-ts",
    "bad-value",
]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
VALUE_BYTES_MAX: Final = 65_536
DEPTH_MAX: Final = 32
ID_BYTES_MAX: Final = 128
ID_CHARACTERS_MAX: Final = 512  # decomposed, before NFC; reordering a long run is quadratic
TS_MIN_MS: Final = 100_000_000_000  # 1973; below it stands a count of seconds
TS_MAX_MS: Final = 4_294_967_295_000  # 2106; profiles keep seconds in 32 bits
AHEAD_MS: Final = 5_000
VERSION: Final = 1

DEFAULT_TYPES: Final[Mapping[Role, str | None]] = {
    "clicks": "click",
    "views": "view",
    "feedback": None,
}
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d.*)?|\d{8}T\d\d.*", re.ASCII)
_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)  # unclosed ones too: linear
_BRACKET: Final = re.compile(rb"[\[\]{}]")

_Scalar: TypeAlias = str | int | float | bool | None


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
        self, value: bytes | None, role: Role, partition: int, offset: int, append_ts_ms: int
    ) -> Event | Rejected:
        """Return the event, or why there is none.

        `append_ts_ms` is when the log took the record: `ts` more than 5 s after it becomes it.
        Without an id of its own an event is named by its place; such ids sort as offsets do.
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
            return _event(fields, role, partition, offset, append_ts_ms)
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
                    id_ = f"{role[0]}{partition:x}.{offset:012x}"
                elif not (
                    type(id_) is str
                    and id_.isascii()
                    and id_.isprintable()
                    and 0 < len(id_) <= ID_BYTES_MAX
                ):
                    return _event(wire, role, partition, offset, append_ts_ms)
                return Event(id_, user, item, type_, ts, (worth or 0.0) + 0.0)
        return _event(wire, role, partition, offset, append_ts_ms)

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


def record_decoder(settings: Settings) -> Callable[[Record], Event | Rejected]:
    """Return the decoder of records, with a team's topics and fields mapped onto ours."""
    decode = EventDecoder(settings.fields).decode
    roles: dict[str, Role] = {settings.topics.name(role): role for role in EVENT_ROLES}

    def decode_record(record: Record) -> Event | Rejected:
        return decode(
            record.value,
            roles[record.topic],
            record.partition,
            record.offset,
            record.timestamp_ms,
        )

    return decode_record


class _Loose(msgspec.Struct, gc=False):
    """The fields of `_Wire`, of any scalar type; lists and objects are _WRONG."""

    user: _Scalar
    item: _Scalar
    ts: _Scalar
    type: _Scalar
    value: _Scalar
    id: _Scalar
    v: _Scalar


_WRONG: Final = True  # no field is a truth value, so each refuses it by its own name


def _scalar(value: object) -> _Scalar:
    return value if value is None or isinstance(value, str | int | float) else _WRONG


def _whole(digits: str) -> int:
    """Return a JSON integer; reading more digits than any field takes would be quadratic."""
    return int(digits) if len(digits) <= 400 else _WRONG


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _event(
    wire: _Wire | _Loose, role: Role, partition: int, offset: int, append_ts_ms: int
) -> Event | Rejected:
    """Return the event of decoded fields: every rule, in the order in which faults are named."""
    if wire.v is not None and (type(wire.v) is not int or wire.v != VERSION):
        return Rejected("unknown-version")
    if wire.user is None:
        return Rejected("missing-user")
    if wire.item is None:
        return Rejected("missing-item")
    type_ = DEFAULT_TYPES[role] if wire.type is None else wire.type
    if type_ is None:
        return Rejected("missing-type")
    if wire.ts is None:
        return Rejected("missing-ts")
    if (user := valid_id(wire.user)) is None:
        return Rejected("bad-user")
    if (item := valid_id(wire.item)) is None:
        return Rejected("bad-item")
    given = f"{role[0]}{partition:x}.{offset:012x}" if wire.id is None else wire.id
    if (id_ := valid_id(given)) is None:
        return Rejected("bad-id")
    if not isinstance(type_, str) or type_ not in TYPE_CODES:
        return Rejected("unknown-type")
    if (ts := _ts_ms(wire.ts, append_ts_ms)) is None:
        return Rejected("bad-ts")
    if wire.value is None:
        return Rejected("missing-value") if type_ == "rating" else Event(id_, user, item, type_, ts)
    if (value := _number(wire.value)) is None:
        return Rejected("bad-value")
    return Event(id_, user, item, type_, ts, value)


def valid_id(given: _Scalar) -> str | None:
    """Return an id in NFC, or None: 1 to 128 bytes of UTF-8, no control characters."""
    if type(given) is int:
        if given.bit_length() > ID_BYTES_MAX * 4:
            return None
        given = str(given)
    if type(given) is not str or not 0 < len(given) <= ID_CHARACTERS_MAX:
        return None
    if not given.isascii():
        given = unicodedata.normalize("NFC", given)
    if _CONTROL.search(given) or len(given.encode()) > ID_BYTES_MAX:
        return None
    return given


def _ts_ms(given: _Scalar, append_ts_ms: int) -> int | None:
    if type(given) is str:
        ts = iso_ms(given)
    elif type(given) is float:
        ts = int(given) if given.is_integer() else None
    else:
        ts = given if type(given) is int else None
    if ts is None or ts < TS_MIN_MS:
        return None
    if ts > append_ts_ms + AHEAD_MS:
        ts = append_ts_ms
    return ts if ts <= TS_MAX_MS else None


def iso_ms(text: str) -> int | None:
    """Return ms since the epoch of an ISO 8601 date or moment; without a zone it is UTC."""
    if len(text) > 40 or not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def _number(given: _Scalar) -> float | None:
    """Return a finite float, -0 as 0, or None."""
    if type(given) is not int and type(given) is not float:
        return None
    try:
        number = float(given) + 0.0
    except OverflowError:
        return None
    return number if abs(number) != float("inf") else None


def _too_deep(value: bytes) -> bool:
    """Return whether the brackets of a JSON text nest deeper than DEPTH_MAX, strings aside."""
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", value)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > DEPTH_MAX:
            return True
    return False
