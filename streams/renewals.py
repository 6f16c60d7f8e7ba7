"""Lists that have grown old are made again while nothing else is to be done.

A list is replaced only if the profile is still the one it was made from, and the profile is left
as it is: so live events, other workers and the audit see a list like any other. Who is in the
ring is whom this worker met, and after an assignment whom the last records of its partitions name.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from millstream.exporters.store import Store, UserWrite
from millstream.models.packed import VERSION_BYTES
from millstream.models.profile import Profile
from millstream.models.recommender import Request
from millstream.streams.decode import Decode, Rejected
from millstream.streams.list_maker import ListMaker
from millstream.streams.listing import decode_listing
from millstream.streams.log import BeyondEnd, Follower, Log, RangeRemoved
from millstream.streams.patience import Patience
from millstream.streams.positions import Partition
from millstream.streams.renewal_ring import RenewalRing
from millstream.streams.settings import Settings

AT_ONCE: Final = 8
"""Lists of one step, some 3 ms: what a live event may have to wait for."""
BLANK_MS: Final = 1_000
ACTIVE_WITHIN_MS: Final = 30 * 86_400_000
"""Writing a list keeps the profile alive in Redis: not for ever for somebody who left."""
LOOK_BACK: Final = 500
"""Records of each partition that are looked through for people, after an assignment."""


class Renewals:
    """Makes old lists again, a few at a time, for who is asked to call it when nothing waits."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        store: Store,
        maker: ListMaker,
        decode: Decode,
        patience: Patience,
        clock_ms: Callable[[], int],
    ) -> None:
        self.ring = RenewalRing(settings.worker.cache_users)
        self._after_ms = int(settings.list.renew_after_s * 1000)
        self._log = log
        self._store = store
        self._maker = maker
        self._decode = decode
        self._patience = patience
        self._clock_ms = clock_ms
        self._until: dict[Partition, int] = {}
        self._past: Follower | None = None

    def assign(self, positions: Mapping[Partition, int]) -> None:
        """Forget all, and begin to look through what came just before these positions."""
        self.close()
        self.ring.clear()
        self._until = dict(positions) if self._after_ms else {}

    def active(self, users: Iterable[str]) -> None:
        """Note who has just got a list."""
        now_ms, blank = self._clock_ms(), not self._maker.knows_items
        for user in users:
            self.ring.active(user, now_ms, blank=blank)

    def due(self) -> dict[str, int]:
        """Return whose lists are to be made again next, and when they were made (0: not known)."""
        if not self._after_ms:
            return {}
        now_ms = self._clock_ms()
        blank_ms = now_ms - BLANK_MS if self._maker.knows_items else 0
        return self.ring.due(now_ms - self._after_ms, blank_ms, now_ms - ACTIVE_WITHIN_MS, AT_ONCE)

    def renew(self) -> int:
        """Make the next few lists again; return how many were written."""
        users = self._truly_old(self.due())
        packed = self._patience.call(lambda: self._store.profiles(users)) if users else []
        now_ms = self._clock_ms()
        requests, profiles = [], []
        for user, profile in zip(users, packed, strict=True):
            if profile is None:
                self.ring.forget(user)
            else:
                requests.append(Request(user, Profile.unpack(profile), now_ms))
                profiles.append(profile)
        versions = [profile[:VERSION_BYTES] for profile in profiles]
        lists = self._maker.make(requests, versions)
        writes = [
            UserWrite(request.user, version, profile, listing)
            for request, version, profile, listing in zip(
                requests, versions, profiles, lists, strict=True
            )
        ]
        done = self._patience.call(lambda: self._store.write_users(writes)) if writes else []
        for write in writes:  # after a conflict too: somebody has just written a newer list
            self.ring.made(write.user, now_ms)
        return sum(done)

    def look_back(self) -> None:
        """Read on, without waiting, in what came before the positions, for who was active."""
        if self._past is None:
            if not self._until:
                return
            bounds = self._patience.call(lambda: self._log.bounds_of(self._until))
            starts = {
                tp: max(begin, self._until[tp] - LOOK_BACK)
                for tp, (begin, _) in bounds.items()
                if begin < self._until[tp]
            }
            self._until = {tp: self._until[tp] for tp in starts}
            if starts:
                self._past = self._log.follow(starts)
            return
        try:
            records = self._past.poll(0.0, LOOK_BACK)
        except (RangeRemoved, BeyondEnd):
            self.close()
            return
        for record in records:
            event = self._decode(record)
            if not isinstance(event, Rejected):
                self.ring.was_active(event.user, record.timestamp_ms)
        if all(self._past.position(*tp) >= until for tp, until in self._until.items()):
            self.close()

    def close(self) -> None:
        """Stop looking back."""
        past, self._past, self._until = self._past, None, {}
        if past is not None:
            past.close()

    def _truly_old(self, due: Mapping[str, int]) -> list[str]:
        """Return those due whose list is old, reading when it was made where that is not known."""
        unknown = [user for user, made_ms in due.items() if not made_ms]
        if not unknown:
            return list(due)
        lists = self._patience.call(lambda: self._store.listings(unknown))
        oldest_ms = self._clock_ms() - self._after_ms
        fresh = set()
        for user, listing in zip(unknown, lists, strict=True):
            made_ms = _made_at(listing)
            if made_ms >= oldest_ms:
                self.ring.made(user, made_ms)
                fresh.add(user)
        return [user for user in due if user not in fresh]


def _made_at(listing: bytes | None) -> int:
    """Return when a list was made, 0 if it is none."""
    try:
        return decode_listing(listing).made_at if listing else 0
    except msgspec.DecodeError:
        return 0
