"""The Store in this process's memory: Redis's twin, for --embedded and for tests."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from millstream.exporters.keys import Shared
from millstream.exporters.store import DIGESTS_KEPT_MS, VERSION_BYTES, UserWrite


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class MemoryStore:
    """The Store as dicts behind one lock. Nothing outlives the process and nothing expires.

    Beyond `users_max` users the one written longest ago is evicted, as a full Redis would.
    """

    def __init__(self, users_max: int = 1_000_000, clock_ms: Callable[[], int] = _now_ms) -> None:
        self._users_max = users_max
        self._clock_ms = clock_ms
        self._lock = threading.Lock()
        self._users: dict[str, tuple[bytes, bytes]] = {}  # profile, list; oldest write first
        self._progress: dict[tuple[str, str], int] = {}
        self._shared: dict[Shared, bytes] = {}
        self._items: dict[str, bytes] = {}
        self._similar: dict[str, bytes] = {}
        self._hidden: set[str] = set()
        self._digests: dict[str, tuple[int, bytes]] = {}

    def profiles(self, users: Sequence[str]) -> list[bytes | None]:
        """Return the packed profile of each user, in order; None where there is none."""
        with self._lock:
            held = [self._users.get(user) for user in users]
        return [None if pair is None else pair[0] for pair in held]

    def listings(self, users: Sequence[str]) -> list[bytes | None]:
        """Return the list of each user, in order; None where there is none."""
        with self._lock:
            held = [self._users.get(user) for user in users]
        return [None if pair is None else pair[1] for pair in held]

    def write_users(self, writes: Sequence[UserWrite]) -> list[bool]:
        """Write profile and list of each user together; False for each conflict."""
        with self._lock:
            return [self._write_user(write) for write in writes]

    def _write_user(self, write: UserWrite) -> bool:
        held = self._users.get(write.user, (b"", b""))
        if held[0][:VERSION_BYTES] != write.expected:
            return False
        self._users.pop(write.user, None)
        self._users[write.user] = (write.profile, write.listing)
        if len(self._users) > self._users_max:
            del self._users[next(iter(self._users))]
        return True

    def users(self) -> Iterator[str]:
        """Return every user with a profile, as they are now."""
        with self._lock:
            return iter(list(self._users))

    def progress(self, app: str) -> dict[str, int]:
        """Return the next offset by "topic_id:partition" of an app; {} when nothing is kept."""
        with self._lock:
            return {field: at for (name, field), at in self._progress.items() if name == app}

    def advance(
        self, app: str, moves: Mapping[str, tuple[int | None, int]]
    ) -> dict[str, int | None]:
        """Set all fields if each still holds the last one written, else return what differs."""
        with self._lock:
            held = {field: self._progress.get((app, field)) for field in moves}
            differing = {field: at for field, at in held.items() if at != moves[field][0]}
            if not differing:
                self._progress.update({(app, field): new for field, (_, new) in moves.items()})
            return differing

    def write_shared(self, name: Shared, listing: bytes) -> None:
        """Replace a fallback list."""
        with self._lock:
            self._shared[name] = listing

    def shared(self, name: Shared) -> bytes | None:
        """Return a fallback list, None before the first was written."""
        with self._lock:
            return self._shared.get(name)

    def write_items(self, items: Mapping[str, bytes | None]) -> None:
        """Replace what is said of each item; None deletes it and its neighbours."""
        with self._lock:
            for item, said in items.items():
                if said is None:
                    self._items.pop(item, None)
                    self._similar.pop(item, None)
                else:
                    self._items[item] = said

    def items(self, ids: Sequence[str]) -> list[bytes | None]:
        """Return what is said of each item, in order; None where nothing is."""
        with self._lock:
            return [self._items.get(item) for item in ids]

    def write_similar(self, similar: Mapping[str, bytes]) -> None:
        """Replace the neighbours of each item."""
        with self._lock:
            self._similar.update(similar)

    def similar(self, ids: Sequence[str]) -> list[bytes | None]:
        """Return the neighbours of each item, in order; None where none are kept."""
        with self._lock:
            return [self._similar.get(item) for item in ids]

    def hide(self, items: Iterable[str]) -> None:
        """Put items among those that are never served."""
        with self._lock:
            self._hidden.update(items)

    def unhide(self, items: Iterable[str]) -> None:
        """Take items out of those that are never served."""
        with self._lock:
            self._hidden.difference_update(items)

    def hidden_among(self, ids: Sequence[str]) -> list[bool]:
        """Return for each item whether it is hidden, in order."""
        with self._lock:
            return [item in self._hidden for item in ids]

    def hidden(self) -> set[str]:
        """Return all hidden items."""
        with self._lock:
            return set(self._hidden)

    def write_digest(self, worker: str, digest: bytes) -> None:
        """Replace a worker's digest, and drop those of workers silent for an hour."""
        now_ms = self._clock_ms()
        with self._lock:
            self._digests[worker] = (now_ms, digest)
            self._digests = {
                name: held
                for name, held in self._digests.items()
                if held[0] >= now_ms - DIGESTS_KEPT_MS
            }

    def digests(self) -> dict[str, bytes]:
        """Return the digest of each worker that wrote one within the last hour."""
        oldest_ms = self._clock_ms() - DIGESTS_KEPT_MS
        with self._lock:
            return {
                name: digest
                for name, (at_ms, digest) in self._digests.items()
                if at_ms >= oldest_ms
            }

    def version(self) -> str:
        """Return "embedded"."""
        return "embedded"

    def ping(self) -> None:
        """Return: memory always answers."""

    def close(self) -> None:
        """Do nothing: what is held stays readable until the process ends."""
