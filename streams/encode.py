"""ENCODE: the catalogue in, `ms:item:ID` and `ms:hidden` out. Repeats are harmless."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from millstream.exporters.store import Store
from millstream.models.catalogue import FOREVER_MS, Item
from millstream.streams.dead_letters import dead_letter
from millstream.streams.item_message import RejectedItem, decode_item, item_of_key
from millstream.streams.listing import Entry, Listing, encode_listing, listing_id
from millstream.streams.log import Log, Message, Record
from millstream.streams.patience import Patience
from millstream.streams.positions import Partition
from millstream.streams.settings import Settings

NEWEST: Final = 100


class EncodeCore:
    """Keeps what readers know of items; holds only those that wait for a time, and the newest."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        store: Store,
        patience: Patience,
        clock_ms: Callable[[], int],
    ) -> None:
        self._topic = settings.topics.name("items")
        self._dead_letters = settings.topics.name("dead_letters")
        self._settings_hash = settings.shape_hash()
        self._log = log
        self._store = store
        self._patience = patience
        self._clock_ms = clock_ms
        self._next: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._timed: dict[str, Item] = {}  # whose answer will change, and
        self._open: set[str] = set()  # those of them that are shown now
        self._newest: dict[str, int] = {}  # item -> when its first message seen was appended
        self._newest_changed = False
        self.accepted = 0
        self.deleted = 0
        self.rejects: dict[str, int] = {}

    def assign(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Own these partitions, from their beginning: the topic is compacted and the work a map."""
        owned = list(partitions)
        bounds = self._patience.call(lambda: self._log.bounds_of(owned))
        self._next = {tp: begin for tp, (begin, _) in bounds.items()}
        self._ends = {tp: end for tp, (_, end) in bounds.items()}
        return dict(self._next)

    def recovering(self) -> bool:
        """Return whether what was there at assignment is not all in yet."""
        return any(self._next[tp] < end for tp, end in self._ends.items())

    def apply(self, records: Sequence[Record]) -> None:
        """Write what the records say, each record once and each item's last word."""
        said: dict[str, Item | None] = {}
        letters: list[Message] = []
        for record in records:
            tp = (record.topic, record.partition)
            if record.offset < self._next.get(tp, 1 << 62):
                continue
            self._next[tp] = record.offset + 1
            item = item_of_key(record.key)
            entry = None if record.value is None else decode_item(record.value)
            if item is None:
                entry = RejectedItem("bad-item")
            if isinstance(entry, RejectedItem):
                self.rejects[entry.reason] = self.rejects.get(entry.reason, 0) + 1
                letters.append(dead_letter(record, entry.reason))
            elif item is not None:
                said[item] = entry
                self._note_newest(item, entry, record.timestamp_ms)
        if letters:
            self._patience.call(lambda: self._log.append(self._dead_letters, letters))
        if said:
            self._write(said)

    def sweep(self) -> None:
        """Apply what the log holds beyond our offsets although nobody delivered it."""
        bounds = self._patience.call(lambda: self._log.bounds_of(self._next))
        for tp, begin in list(self._next.items()):
            _, end = bounds[tp]
            if end > begin:
                self.apply(list(self._log.read(*tp, begin, end)))

    def tick(self) -> None:
        """Hide and show items whose time has come; renew the list of the newest."""
        now_ms = self._clock_ms()
        turned = {i: e for i, e in self._timed.items() if e.shown_at(now_ms) != (i in self._open)}
        if turned:
            self._gate(turned, now_ms)
        if self._newest_changed:
            self._write_newest(now_ms)

    def _write(self, said: dict[str, Item | None]) -> None:
        now_ms = self._clock_ms()
        values = {item: None if entry is None else _public(entry) for item, entry in said.items()}
        self._patience.call(lambda: self._store.write_items(values))
        self._gate(said, now_ms)
        gone = sum(entry is None for entry in said.values())
        self.deleted += gone
        self.accepted += len(said) - gone

    def _gate(self, said: "dict[str, Item | None] | dict[str, Item]", now_ms: int) -> None:
        """Hide or show items in Redis as of now, and remember those whose answer will change."""
        shown = {i for i, e in said.items() if e is not None and e.shown_at(now_ms)}
        hidden = [i for i in said if i not in shown]
        if hidden:
            self._patience.call(lambda: self._store.hide(hidden))
        if shown:
            self._patience.call(lambda: self._store.unhide(shown))
        for item, entry in said.items():
            turns = entry is not None and (
                now_ms < entry.available_from or now_ms < entry.expires_at < FOREVER_MS
            )
            if entry is not None and turns and not entry.hidden:
                self._timed[item] = entry
            else:
                self._timed.pop(item, None)
        self._open = ((self._open - set(hidden)) | shown) & self._timed.keys()

    def _note_newest(self, item: str, entry: Item | None, appended_ms: int) -> None:
        if entry is None or entry.hidden:
            self._newest_changed |= self._newest.pop(item, None) is not None
        elif item not in self._newest:
            self._newest[item] = appended_ms
            self._newest_changed = True
            if len(self._newest) > 2 * NEWEST:
                kept = sorted(self._newest, key=lambda i: self._newest[i])[-NEWEST:]
                self._newest = {i: self._newest[i] for i in kept}

    def _write_newest(self, now_ms: int) -> None:
        newest = sorted(self._newest.items(), key=lambda pair: (-pair[1], pair[0]))[:NEWEST]
        listing = Listing(
            listing_id("new", b"", len(newest), now_ms),
            "",
            now_ms,
            {},
            0,
            self._settings_hash,
            [],
            [Entry(item, float(appended_ms), "new") for item, appended_ms in newest],
        )
        value = encode_listing(listing)
        self._patience.call(lambda: self._store.write_shared("new", value))
        self._newest_changed = False


def _public(entry: Item) -> bytes:
    """Return what readers find at `ms:item:ID`."""
    said: dict[str, object] = {"title": entry.title, "categories": entry.categories}
    if entry.hidden:
        said["hidden"] = True
    if entry.available_from:
        said["available_from"] = entry.available_from
    if entry.expires_at < FOREVER_MS:
        said["expires_at"] = entry.expires_at
    return msgspec.json.encode(said)
