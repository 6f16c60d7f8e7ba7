"""The oracle: live evidence held against our own single-threaded fold of the log.

What workers say (profiles, lists, progress, digests, frames) is read first, then the log, so that
a running system is audited as of the moment of reading. Keeps every event of the log in memory.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from millstream.exporters.store import Store
from millstream.streams.audit_events import People, account
from millstream.streams.audit_model import ModelAudit
from millstream.streams.listing import Listing, decode_listing
from millstream.streams.log import Log
from millstream.streams.recommend_job import Digest
from millstream.streams.settings import Settings
from millstream.streams.snapshots import Snapshots

FAULTS_NAMED: Final = 20
USERS_A_READ: Final = 500


@dataclass(slots=True)
class Audit:
    """What was found: counts, and the first faults by name."""

    events: int = 0
    applied: int = 0
    duplicates: int = 0
    late: int = 0
    dead_letters: int = 0
    waiting: int = 0
    missing: int = 0
    doubled: int = 0
    profiles: int = 0
    profiles_differ: int = 0
    profiles_unchecked: int = 0
    lists: int = 0
    lists_differ: int = 0
    lists_unchecked: int = 0
    frames: int = 0
    frames_stale: int = 0
    digests: int = 0
    model_equal: bool = True
    from_: str = field(default="start of log", metadata={"name": "from"})
    faults: list[str] = field(default_factory=list)
    faults_found: int = 0

    def fault(self, sentence: str) -> None:
        """Name a fault; beyond the first few they are only counted."""
        self.faults_found += 1
        if len(self.faults) < FAULTS_NAMED:
            self.faults.append(sentence)

    @property
    def clean(self) -> bool:
        """Return whether nothing is wrong and nothing is unchecked."""
        return not (self.faults_found or self.lists_unchecked or self.profiles_unchecked)

    def as_json(self) -> dict[str, object]:
        """Return what `audit --json` prints."""
        said = {name: getattr(self, name) for name in self.__dataclass_fields__}
        said["from"] = said.pop("from_")
        said["clean"] = self.clean
        return said


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the store says, read before the log."""

    progress: dict[str, int]
    profiles: dict[str, bytes]
    listings: dict[str, bytes]
    digests: dict[str, bytes]


def audit(
    settings: Settings,
    log: Log,
    store: Store,
    snapshots: Snapshots,
    progress: Callable[[str], None] = lambda _: None,
) -> Audit:
    """Return what is wrong with a system, by its own evidence."""
    found = Audit()
    progress("reading the store")
    evidence = _evidence(store)
    progress("reading the events")
    people = People(settings, log, found)
    progress("reading the interactions")
    model = ModelAudit(settings, log, snapshots, found)
    progress("accounting for every event")
    account(people, evidence.progress, model.published(), model.vouched, found)
    progress("comparing profiles")
    expected = {
        user: people.profile(user, evidence.profiles.get(user), evidence.progress)
        for user in sorted({*people.users(), *evidence.profiles})
    }
    people.check_copies(expected)
    progress("folding the item model and computing lists again")
    listings = _listings(evidence, found)
    for user in people.users():
        if user in evidence.profiles and user not in evidence.listings:
            found.lists_differ += 1
            found.fault(f"user {user} has a profile and no list")
    model.check(listings, expected, _digests(evidence, settings, found))
    return found


def _evidence(store: Store) -> Evidence:
    progress = store.progress("recommend")
    users = sorted(set(store.users()))
    profiles: dict[str, bytes] = {}
    listings: dict[str, bytes] = {}
    for at in range(0, len(users), USERS_A_READ):
        part = users[at : at + USERS_A_READ]
        pairs = zip(part, store.profiles(part), store.listings(part), strict=True)
        for user, profile, listing in pairs:
            if profile is not None:
                profiles[user] = profile
            if listing is not None:
                listings[user] = listing
    return Evidence(progress, profiles, listings, store.digests())


def _listings(evidence: Evidence, found: Audit) -> dict[str, Listing]:
    listings = {}
    for user, value in evidence.listings.items():
        found.lists += 1
        try:
            listings[user] = decode_listing(value)
        except msgspec.DecodeError as error:
            found.lists_differ += 1
            found.fault(f"the list of user {user} cannot be read: {error}")
    return listings


def _digests(evidence: Evidence, settings: Settings, found: Audit) -> dict[str, Digest]:
    digests = {}
    for worker, value in evidence.digests.items():
        try:
            digest = msgspec.json.decode(value, type=Digest)
        except msgspec.DecodeError:
            found.fault(f"the digest of worker {worker} cannot be read")
            continue
        if digest.settings != settings.shape_hash():
            found.fault(f"worker {worker} has settings {digest.settings}, not these")
            continue
        digests[worker] = digest
    return digests
