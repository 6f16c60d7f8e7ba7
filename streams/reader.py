"""A person's list as they should see it: hidden items gone, titles added, never simply nothing."""

from collections.abc import Sequence
from typing import Final

import msgspec

from millstream.exporters.keys import Shared
from millstream.exporters.store import Store
from millstream.streams.errors import FoundWrong
from millstream.streams.explained import in_words
from millstream.streams.listing import Listing, decode_listing

FALLBACKS: Final[tuple[Shared, ...]] = ("trending", "popular", "new")


class ShownEntry(msgspec.Struct, frozen=True):
    """One item of a list; titles are "" where the catalogue has none."""

    item: str
    title: str
    score: float
    source: str
    because: str | None = None
    because_title: str = ""
    modality: str | None = None

    def why(self) -> str:
        """Return why it is listed, in words."""
        because = None if self.because is None else self.because_title or self.because
        return in_words(self.source, self.modality, because)


class ShownList(msgspec.Struct, frozen=True):
    """A list and where it comes from; `fallback` names the shared list a stranger gets instead."""

    user: str
    fallback: Shared | None
    id: str
    made_at: int
    as_of: dict[str, int]
    model: int
    settings: str
    items: Sequence[ShownEntry]


class _Title(msgspec.Struct):
    title: str = ""


_decode_title = msgspec.json.Decoder(_Title).decode


def read_list(store: Store, user: str, length: int = 20) -> ShownList:
    """Return what a reader shows a person now, at most `length` items; a stranger gets trending.

    Raises FoundWrong when what stands in the store is no list.
    """
    stored = store.listings([user])[0]
    if stored is not None:
        return _shown(store, user, None, _decode(stored, user), length)
    for name in FALLBACKS:
        shared = store.shared(name)
        listing = _decode(shared, name) if shared is not None else None
        if listing is not None and listing.items:
            return _shown(store, user, name, listing, length)
    return ShownList(user, None, "", 0, {}, 0, "", [])


def titles(store: Store, items: Sequence[str]) -> dict[str, str]:
    """Return the title of each item that has one."""
    known = {}
    for item, stored in zip(items, store.items(items), strict=True):
        if stored is not None:
            try:
                known[item] = _decode_title(stored).title
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # somebody else wrote it; the item is shown by its id
    return known


def _shown(
    store: Store, user: str, fallback: Shared | None, listing: Listing, length: int
) -> ShownList:
    ids = [entry.item for entry in listing.items]
    gone = store.hidden_among(ids)
    kept = [entry for entry, hidden in zip(listing.items, gone, strict=True) if not hidden][:length]
    named = titles(
        store, sorted({e.item for e in kept} | {e.because for e in kept if e.because is not None})
    )
    return ShownList(
        user,
        fallback,
        listing.id,
        listing.made_at,
        listing.as_of,
        listing.model,
        listing.settings,
        [
            ShownEntry(
                e.item,
                named.get(e.item, ""),
                e.score,
                e.source,
                e.because,
                named.get(e.because or "", ""),
                e.modality,
            )
            for e in kept
        ],
    )


def _decode(stored: bytes, whose: str) -> Listing:
    try:
        return decode_listing(stored)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FoundWrong(f"what is stored for {whose} is no list: {error}") from error
