"""Why an item is in a person's list: asked of the live system, answered by its own ranking."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from millstream.exporters.store import Store
from millstream.models.profile import Profile
from millstream.models.recommender import Request
from millstream.models.why import Verdict, Why, why
from millstream.streams.assembly import new_recommender, new_replica_model, new_snapshots
from millstream.streams.errors import WorldMissing
from millstream.streams.explained import in_words
from millstream.streams.listing import decode_listing
from millstream.streams.log import Log
from millstream.streams.reader import titles
from millstream.streams.replica import Replica
from millstream.streams.settings import Settings
from millstream.streams.snapshots import Snapshots

CATCH_UP_S: Final = 60.0
POLL_S: Final = 0.1

SAID: Final[dict[Verdict, str]] = {
    "listed": "is number {place} of {length}: {reason}",
    "hidden": "is hidden in the catalogue, so it is shown to nobody",
    "not_yet_available": "is not available before {at}",
    "expired": "has expired, at {at}",
    "disliked": "was disliked or hidden by this person",
    "met": "was met already, and lists show only what is new (list.repeats)",
    "resting": "rests: it was shown often of late and not taken up (fatigue)",
    "unknown": "is not known: nobody has met it, and it was never described",
    "not_proposed": "was proposed by no source: nothing near it is in this person's history",
    "outranked": "is number {rank} of {candidates} candidates, and the list has {length} places",
    "not_drawn": "is new, and was not drawn this time; about {percent:.0f} % of draws list it",
}
DELETED: Final = "was deleted from the catalogue"
NO_PART: Final = (
    "is new and had no part in the draw: it fits this person less than others that are new, or "
    "newcomers have no places (newcomers.after)"
)


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why, in a sentence and in full; `stored_place` is where the list in Redis has the item."""

    sentence: str
    why: Why
    known: bool
    model: int
    deleted: bool = False
    stored_place: int | None = None
    titles: dict[str, str] = {}


def ask(
    settings: Settings,
    log: Log,
    store: Store,
    user: str,
    item: str,
    clock_ms: Callable[[], int],
    snapshots: Snapshots | None = None,
) -> Answer:
    """Return why an item is, or is not, in the list that production would make now. Writes nothing.

    Raises WorldMissing where the item model cannot be had.
    """
    kept = snapshots or new_snapshots(settings)
    replica = Replica(settings, log, kept, new_replica_model(settings), clock_ms)
    try:
        _load(replica)
        (packed,) = store.profiles([user])
        request = Request(user, Profile.unpack(packed), clock_ms())
        found = why(new_recommender(settings, replica.model), request, replica.catalogue, item)
    finally:
        replica.close()
    deleted = found.verdict == "hidden" and store.items([item])[0] is None
    because = None if found.entry is None else found.entry.because
    wanted = {item, because, *(one.item for one in (found.contender, found.last) if one)}
    named = titles(store, sorted(one for one in wanted if one is not None))
    return Answer(
        _sentence(found, named, settings.list.length, deleted=deleted),
        found,
        packed is not None,
        replica.model.offset,
        deleted,
        _stored_place(store, user, item),
        named,
    )


def _load(replica: Replica) -> None:
    """Bring a replica to where the log ends."""
    replica.open()
    stop = time.monotonic() + CATCH_UP_S
    while not replica.caught_up():
        if replica.broken:
            raise WorldMissing(f"the item model cannot be had: {replica.broken}")
        if time.monotonic() > stop:
            raise WorldMissing(f"the item model was not read within {CATCH_UP_S:.0f} s")
        replica.catch_up(POLL_S)


def _sentence(found: Why, named: dict[str, str], length: int, *, deleted: bool) -> str:
    """Return the answer in words."""
    title = named.get(found.item) or found.item
    if deleted:
        return f"{title} {DELETED}"
    if found.verdict == "not_drawn" and not found.propensity:
        return f"{title} {NO_PART}"
    reason = ""
    if found.entry is not None:
        entry = found.entry
        because = None if entry.because is None else named.get(entry.because) or entry.because
        reason = in_words(entry.source, entry.modality, because)
    said = SAID[found.verdict].format(
        place=found.place,
        length=length,
        reason=reason,
        at=_moment(found.at_ms),
        rank=found.contender.rank if found.contender else 0,
        candidates=found.candidates,
        percent=100 * (found.propensity or 0.0),
    )
    return f"{title} {said}"


def _stored_place(store: Store, user: str, item: str) -> int | None:
    """Return where the stored list has an item, from 1; None where it has it not."""
    (stored,) = store.listings([user])
    if stored is None:
        return None
    entries = decode_listing(stored).items
    return next((place for place, entry in enumerate(entries, 1) if entry.item == item), None)


def _moment(ms: int | None) -> str:
    """Return a moment in ISO 8601; the catalogue may say one that no calendar has."""
    try:
        return "" if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"
