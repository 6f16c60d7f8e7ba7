"""RECOMMEND: events in, profiles and lists out. The order of a batch is what loses nothing.

A batch is (a) published as interactions and acknowledged, (b) written as profile and list of each
user by compare-and-set, (c) noted in progress. Copies of what a merged guest does are published
before (b) too. A crash between any two repeats work and changes nothing: the profile is a set, a
copy has its event's id, and LEARN skips source offsets it has folded.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from millstream.exporters.store import Store, UserWrite
from millstream.models.event import Event, Merge
from millstream.models.event_set import Added
from millstream.models.interaction import Interaction
from millstream.models.packed import VERSION_BYTES
from millstream.models.profile import Profile
from millstream.models.recommender import Recommender, Request
from millstream.models.teaching import Taught
from millstream.streams.batch_report import Report, Stopwatch
from millstream.streams.cache import ProfileCache
from millstream.streams.copies import Copies
from millstream.streams.dead_letters import DeadLetters
from millstream.streams.decode import Decode, Rejected
from millstream.streams.errors import MillstreamError
from millstream.streams.interactions import interaction_of, records_of
from millstream.streams.list_maker import ListMaker
from millstream.streams.log import Log, Message, Record
from millstream.streams.patience import Patience
from millstream.streams.positions import Partition, Positions
from millstream.streams.renewals import Renewals
from millstream.streams.replica import Replica
from millstream.streams.settings import EVENT_ROLES, Settings

CONFLICT_TRIES: Final = 20


class Contended(MillstreamError):
    """Users' profiles changed under this worker again and again."""


@dataclass(slots=True)
class _Touched:
    """A user of this batch: the version that was stored, and the profile as it becomes."""

    expected: bytes
    profile: Profile
    offsets: dict[str, int] = field(default_factory=dict)
    taught: Taught | None = None  # what the profile teaches, while that is known
    into: str | None = None  # into whom the stored profile was merged
    told: frozenset[bytes] = frozenset()  # keys of the events it keeps, that `into` has too


class RecommendCore:
    """Applies records of the event topics. One thread calls it; `Positions` says what is owned."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        store: Store,
        replica: Replica,
        recommender: Recommender,
        decode: Decode,
        patience: Patience,
        clock_ms: Callable[[], int],
        failpoint: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.positions = Positions("recommend", log, store, patience)
        self.replica = replica
        self.cache = ProfileCache(settings.worker.cache_users)
        self._log = log
        self._store = store
        self._lists = ListMaker(settings, replica, recommender)
        self.renewals = Renewals(settings, log, store, self._lists, decode, patience, clock_ms)
        self._decode = decode
        self._patience = patience
        self._clock_ms = clock_ms
        self._failpoint = failpoint
        self._dead_letters = DeadLetters(settings)
        self._copies = Copies(settings)
        self._roles = {settings.topics.name(role): role for role in EVENT_ROLES}
        self._interactions = settings.topics.name("interactions")

    def assign(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Own exactly these partitions; return where each goes on."""
        owned = list(partitions)
        self.cache.clear()
        begins = self.positions.take(owned)
        self.renewals.assign(begins)
        return begins

    def apply(self, records: Iterable[Record]) -> Report:
        """Apply records, each once and in order, in batches; returns when all is stored."""
        report = Report()
        ordered = self.positions.in_order(records)
        while batch := list(islice(ordered, self.settings.worker.batch_max)):
            self._apply_batch(batch, report)
        return report

    def sweep(self, partitions: Iterable[Partition] | None = None) -> Report:
        """Apply what lies beyond our positions, in all or some, although nobody delivered it."""
        report = Report()
        ordered = self.positions.behind(partitions)
        while batch := list(islice(ordered, self.settings.worker.batch_max)):
            self._apply_batch(batch, report)
        return report

    def _apply_batch(self, batch: Sequence[Record], report: Report) -> None:
        report.batches.append(len(batch))
        watch = Stopwatch(report.seconds)
        self.replica.catch_up()
        watch.lap("model")
        decoded = [self._decode(r, self.positions.topic_id(r.topic)) for r in batch]
        events = [
            (record, event)
            for record, event in zip(batch, decoded, strict=True)
            if not isinstance(event, Rejected)
        ]
        letters = self._dead_letters.take(batch, decoded, report.rejects)
        watch.lap("decode")
        touched = self._load(dict.fromkeys(event.user for _, event in events))
        watch.lap("load")
        interactions = self._merge(events, touched, report)
        watch.lap("merge")
        self._publish(letters, interactions)
        watch.lap("publish")
        self._failpoint("recommend.published")
        self._write(touched, report, watch)
        self._failpoint("recommend.written")
        if not self.positions.store():
            report.progress_moved += 1
            self.cache.clear()
        watch.lap("progress")
        now_ms = self._clock_ms()
        report.waits_s.extend((now_ms - record.timestamp_ms) / 1000 for record, _ in events)
        self._dead_letters.check_ratio()

    def _load(self, users: Iterable[str]) -> dict[str, _Touched]:
        cached = {user: self.cache.get(user) for user in users}
        missing = [user for user, packed in cached.items() if packed is None]
        if missing:
            stored = self._patience.call(lambda: self._store.profiles(missing))
            cached.update(zip(missing, stored, strict=True))
        return {user: _touched(packed) for user, packed in cached.items()}

    def _merge(
        self,
        events: Sequence[tuple[Record, Event | Merge]],
        touched: dict[str, _Touched],
        report: Report,
    ) -> list[tuple[str, Interaction]]:
        """Add each event to its user's profile; return (topic id, interaction) of the new ones."""
        published: list[tuple[str, Interaction]] = []
        for record, event in events:
            user = touched[event.user]
            if isinstance(event, Merge):
                outcome = user.profile.add_merge(event)
            else:
                outcome = self._add(record, event, user, published)
            report.count(event.type, "applied" if outcome == "new" else outcome)
            user.offsets |= self._offsets(record.partition)
        return published

    def _add(
        self, record: Record, event: Event, user: _Touched, published: list[tuple[str, Interaction]]
    ) -> Added:
        """Add one event to its user's profile, and to `published` if it is new."""
        profile, most = user.profile, self.settings.model.history_max
        before = user.taught or profile.taught(self.settings.weights, most)
        length = len(profile.items)
        place = record.partition, record.offset
        interaction = interaction_of(event, profile, before, self.settings, *place)
        outcome = profile.add(event, self.settings.profile)
        user.taught = None
        if outcome != "new":
            return outcome
        published.append((self.positions.topic_id(record.topic), interaction))
        if len(profile.items) > length:
            user.taught = profile.taught_after(event, before, self.settings.weights, most)
        elif event.type == "impression":
            user.taught = before
        return outcome

    def _offsets(self, partition: int) -> dict[str, int]:
        """Return the next offsets of this partition of every event topic we own."""
        owned = self.positions.owned()
        return {
            f"{role}-{partition}": owned[topic, partition]
            for topic, role in self._roles.items()
            if (topic, partition) in owned
        }

    def _publish(
        self, letters: Sequence[Message], interactions: Sequence[tuple[str, Interaction]]
    ) -> None:
        if letters:
            self._patience.call(lambda: self._dead_letters.publish(self._log, letters))
        if interactions:
            messages = [Message(None, value) for value in records_of(interactions)]
            self._patience.call(lambda: self._log.append(self._interactions, messages))

    def _tell_of_guests(self, touched: Mapping[str, _Touched]) -> None:
        """Publish, under the person, what a merged guest's profile will keep and did not."""
        copies: list[Message] = []
        for name, user in touched.items():
            mark = user.profile.mark
            if mark is not None:
                known = user.told if mark[2] == user.into else ()
                copies += self._copies.due(name, user.profile, known)
        if copies:
            self._patience.call(lambda: self._log.append(self._copies.topic, copies))
            self._failpoint("recommend.copied")

    def _write(self, touched: dict[str, _Touched], report: Report, watch: Stopwatch) -> None:
        """Rank and write every touched user; who conflicts is loaded, merged, ranked again."""
        waiting = touched
        for _ in range(CONFLICT_TRIES):
            self._tell_of_guests(waiting)
            watch.lap("publish")
            writes = self._rank(waiting)
            watch.lap("rank")
            done = self._patience.call(lambda: self._store.write_users(writes))  # noqa: B023
            watch.lap("write")
            for write, ok in zip(writes, done, strict=True):
                if ok:
                    self.cache.put(write.user, write.profile)
                    report.profile_bytes += len(write.profile)
                    report.lists += 1
                else:
                    self.cache.drop(write.user)
            self.renewals.active(w.user for w, ok in zip(writes, done, strict=True) if ok)
            lost = [write.user for write, ok in zip(writes, done, strict=True) if not ok]
            if not lost:
                return
            report.conflicts += len(lost)
            waiting = self._reload({user: waiting[user] for user in lost})
        raise Contended(f"{len(waiting)} profiles changed under this worker {CONFLICT_TRIES} times")

    def _reload(self, mine: dict[str, _Touched]) -> dict[str, _Touched]:
        merged = self._load(mine)
        for user, stored in merged.items():
            stored.profile.merge(mine[user].profile, self.settings.profile)
            stored.offsets = mine[user].profile.as_of | mine[user].offsets
        return merged

    def _rank(self, touched: dict[str, _Touched]) -> list[UserWrite]:
        made_at = self._clock_ms()
        ends: dict[str, int] = {}
        for user in touched.values():
            user.profile.note_offsets(self._furthest(user.profile.as_of, user.offsets, ends))
        requests = [
            Request(name, user.profile, made_at, user.taught) for name, user in touched.items()
        ]
        profiles = [user.profile.pack() for user in touched.values()]
        lists = self._lists.make(requests, [packed[:VERSION_BYTES] for packed in profiles])
        return [
            UserWrite(name, user.expected, packed, listing)
            for (name, user), packed, listing in zip(touched.items(), profiles, lists, strict=True)
        ]

    def _furthest(
        self, kept: Mapping[str, int], offsets: Mapping[str, int], ends: dict[str, int]
    ) -> dict[str, int]:
        """Return the offsets, or those kept where another worker has taken in more than we.

        What is kept beyond the log's end is of a topic that was created anew since. `ends` are
        looked up where needed: we are behind, or the topic is new.
        """
        furthest = dict(offsets)
        for slot, offset in offsets.items():
            if kept.get(slot, 0) <= offset:
                continue
            if slot not in ends:
                role, _, partition = slot.rpartition("-")
                place = self.settings.topics.name(role), int(partition)
                _, ends[slot] = self._patience.call(lambda: self._log.bounds(*place))  # noqa: B023
            if kept[slot] <= ends[slot]:
                furthest[slot] = kept[slot]
        return furthest


def _touched(packed: bytes | None) -> _Touched:
    """Return a user as stored."""
    profile = Profile.unpack(packed)
    user = _Touched(packed[:VERSION_BYTES] if packed else b"", profile)
    if profile.mark is not None:
        user.into, user.told = profile.mark[2], profile.kept_keys()
    return user
