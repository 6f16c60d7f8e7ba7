"""The audit of people: every event accounted for, every profile folded again."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from millstream.models.errors import StateRefused
from millstream.models.event import Event, Merge, event_key
from millstream.models.event_set import Added, ProfileParams
from millstream.models.profile import Profile
from millstream.streams.decode import Rejected, record_decoder
from millstream.streams.log import Log
from millstream.streams.settings import EVENT_ROLES, Settings

if TYPE_CHECKING:
    from millstream.streams.audit import Audit

Place = tuple[str, int, int]
"""(topic id, partition, offset) of a source record."""


class Read(NamedTuple):
    """One event or merge as the log holds it."""

    appended_ms: int
    place: Place
    slot: str  # "clicks-3", as lists name it
    event: Event | Merge

    @property
    def key(self) -> bytes:
        """Return what profiles know it by."""
        return event_key(self.event.id)

    def add_to(self, profile: Profile, params: ProfileParams) -> Added:
        """Take it into a profile."""
        if isinstance(self.event, Merge):
            return profile.add_merge(self.event)
        return profile.add(self.event, params)


@dataclass(slots=True)
class People:
    """Every event of the log by user, and the places of rejected records."""

    settings: Settings
    log: Log
    found: "Audit"
    by_user: dict[str, list[Read]] = field(default_factory=dict)
    rejected: set[Place] = field(default_factory=set)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)  # (topic id, partition) -> end
    removed_slots: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Read the event topics."""
        names = {self.settings.topics.name(role): role for role in EVENT_ROLES}
        ids = self.log.topic_ids(list(names))
        decode = record_decoder(self.settings)
        for topic, role in names.items():
            for partition in range(self.log.partitions(topic)):
                begin, end = self.log.bounds(topic, partition)
                slot = f"{role}-{partition}"
                self.ends[ids[topic], partition] = end
                if begin:
                    self.removed_slots.add(slot)
                for record in self.log.read(topic, partition, begin, end):
                    place = (ids[topic], partition, record.offset)
                    outcome = decode(record, ids[topic])
                    if not isinstance(outcome, Rejected):
                        read = Read(record.timestamp_ms, place, slot, outcome)
                        self.by_user.setdefault(outcome.user, []).append(read)
                    else:
                        self.rejected.add(place)
                    self.found.events += 1
        for events in self.by_user.values():
            events.sort(key=lambda read: (read.appended_ms, read.place))

    def users(self) -> Iterable[str]:
        """Return every user of the log."""
        return self.by_user.keys()

    def dead_letters(self) -> set[Place]:
        """Return the places that dead letters name."""
        topic = self.settings.topics.name("dead_letters")
        ids = self.log.topic_ids([self.settings.topics.name(role) for role in EVENT_ROLES])
        places: set[Place] = set()
        begin, end = self.log.bounds(topic, 0)
        for record in self.log.read(topic, 0, begin, end):
            said = dict(record.headers)
            source = ids.get(said.get("topic", b"").decode())
            if source is not None:
                places.add((source, int(said["partition"]), int(said["offset"])))
        return places

    def profile(
        self, user: str, packed: bytes | None, progress: Mapping[str, int]
    ) -> Profile | None:
        """Return the profile that the log gives as of the stored one's offsets.

        Counts and names what differs. None when there is nothing to compare with.
        """
        found, params = self.found, self.settings.profile
        reads = self.by_user.get(user, [])
        if packed is None:
            if any(_below(read.place, progress) for read in reads):
                found.profiles_differ += 1
                found.fault(f"user {user} has events below progress and no profile")
            return None
        found.profiles += 1
        try:
            stored = Profile.unpack(packed)
        except StateRefused as error:
            found.profiles_differ += 1
            found.fault(f"the profile of user {user}: {error}")
            return None
        expected = Profile()
        expected.as_of = stored.as_of
        for read in reads:
            if read.place[2] < stored.as_of.get(read.slot, 0):
                read.add_to(expected, params)
        if expected.same_events(stored):
            return expected
        if self.removed_slots & stored.as_of.keys() or self._created_anew(progress):
            found.profiles_unchecked += 1
            return None
        found.profiles_differ += 1
        found.fault(f"the profile of user {user} {_difference(stored, expected)}")
        return expected

    def check_copies(self, profiles: Mapping[str, Profile | None]) -> None:
        """Name what merged guests' profiles keep and the log does not hold under the person."""
        if self.removed_slots:
            return  # copies may have stood in what retention removed
        keys: dict[str, set[bytes]] = {}
        for guest, profile in profiles.items():
            if profile is None or profile.mark is None:
                continue
            into = profile.mark[2]
            if into not in keys:
                keys[into] = {read.key for read in self.by_user.get(into, [])}
            for key in sorted(profile.kept_keys() - keys[into]):
                self.found.missing += 1
                self.found.fault(
                    f"event {key.decode()} of guest {guest} was not told of user {into}"
                )

    def _created_anew(self, progress: Mapping[str, int]) -> bool:
        """Return whether progress tells of event topics that are gone, with the events in them."""
        known = {f"{topic_id}:{partition}" for topic_id, partition in self.ends}
        return not progress.keys() <= known


def account(
    people: People,
    progress: Mapping[str, int],
    published: Mapping[Place, int],
    vouched: Mapping[str, int],
    found: "Audit",
) -> None:
    """Count every event below progress as applied, duplicate, late, dead letter or missing.

    `published` says how often the item model has counted each place; for those up to `vouched`
    (by topic id and partition) the snapshot from which it is folded stands in.
    """
    letters = people.dead_letters()
    found.dead_letters = len(letters & people.rejected)
    for place in sorted(people.rejected - letters):
        if _below(place, progress):
            _missing(found, place, "was rejected and has no dead letter")
        else:
            found.waiting += 1
    for place in sorted(letters - people.rejected):
        if (place[0], place[1]) in people.ends and place[2] < people.ends[place[0], place[1]]:
            found.fault(f"there is a dead letter for {_name(place)}, which is a good event")
    known: set[Place] = set()
    for user, reads in people.by_user.items():
        known |= _account_user(people, user, reads, progress, published, vouched, found)
    for place in sorted(published.keys() - known):
        if (place[0], place[1]) in people.ends and not people.removed_slots:
            found.doubled += 1
            found.fault(f"an interaction names {_name(place)}, where the log has no such event")
    for (topic_id, partition), end in people.ends.items():
        if progress.get(f"{topic_id}:{partition}", 0) > end:
            found.missing += 1
            found.fault(f"progress of {topic_id}:{partition} is beyond the log's end {end}")


def _account_user(
    people: People,
    user: str,
    reads: list[Read],
    progress: Mapping[str, int],
    published: Mapping[Place, int],
    vouched: Mapping[str, int],
    found: "Audit",
) -> Set[Place]:
    """Account for one user's events; return the places of those that were published."""
    counted: dict[bytes, int] = {}
    merges = [read for read in reads if isinstance(read.event, Merge)]
    if merges:
        _account_merges(merges, progress, found)
        reads = [read for read in reads if isinstance(read.event, Event)]
    for read in reads:
        times = published.get(read.place, 0)
        if times:
            found.applied += 1
            counted[read.key] = counted.get(read.key, 0) + times
    for key, times in counted.items():
        if times > 1:
            found.doubled += times - 1
            found.fault(
                f"event {key.decode()} of user {user} was counted {times} times by the item model"
            )
    for read in reads:
        if read.place in published:
            continue
        if not _below(read.place, progress):
            found.waiting += 1
        elif read.key in counted:
            found.duplicates += 1
        elif read.place[2] <= vouched.get(f"{read.place[0]}:{read.place[1]}", -1):
            found.applied += 1
            counted[read.key] = 1
        elif _is_late(people.settings, read, reads):
            found.late += 1
        else:
            _missing(found, read.place, f"(event {read.event.id} of user {user}) was never applied")
    return {read.place for read in reads if read.place in published}


def _account_merges(merges: list[Read], progress: Mapping[str, int], found: "Audit") -> None:
    """Account for merges: they reach no item model, and profiles show whether they were applied."""
    keys: set[bytes] = set()
    for read in merges:
        if not _below(read.place, progress):
            found.waiting += 1
        elif read.key in keys:
            found.duplicates += 1
        else:
            found.applied += 1
            keys.add(read.key)


def _is_late(settings: Settings, late: Read, reads: list[Read]) -> bool:
    """Return whether a profile that may have existed when the event came had no place for it."""
    profile = Profile()
    for read in reads:
        before = read.place[:2] != late.place[:2] or read.place[2] < late.place[2]
        if before and read.key != late.key:
            read.add_to(profile, settings.profile)
    return late.add_to(profile, settings.profile) == "late"


def _below(place: Place, progress: Mapping[str, int]) -> bool:
    return place[2] < progress.get(f"{place[0]}:{place[1]}", 0)


def _missing(found: "Audit", place: Place, why: str) -> None:
    found.missing += 1
    found.fault(f"{_name(place)} {why}")


def _name(place: Place) -> str:
    return f"offset {place[2]} of partition {place[1]} of topic id {place[0]}"


def _difference(stored: Profile, expected: Profile) -> str:
    lacks = [k for k in expected.keys if k not in stored.keys]
    extra = [k for k in stored.keys if k not in expected.keys]
    if lacks or extra:
        return f"lacks {len(lacks)} events and has {len(extra)} too many: {(lacks + extra)[:3]}"
    return "has the right events with other content, or other hashes of what was seen before"
