"""What Millstream asks of the store of profiles and lists. Redis is one, memory its twin."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from millstream.exporters.keys import Shared

VERSION_BYTES: Final = 8
"""A packed profile begins with a hash of its content, this long: the version of the CAS."""

DIGESTS_KEPT_MS: Final = 3_600_000


class UserWrite(NamedTuple):
    """A user's new profile and list, and the version of the profile they were made from."""

    user: str
    expected: bytes  # first 8 bytes of the profile as it was read; b"" if there was none
    profile: bytes
    listing: bytes


class Store(Protocol):
    """Profiles, lists, the catalogue and progress. Safe to call from several threads.

    Any call may raise StoreUnavailable, and then may or may not have been done: do it again.
    No call waits longer than about twice the store's timeout for each thousand keys it is given.
    """

    def profiles(self, users: Sequence[str]) -> list[bytes | None]:
        """Return the packed profile of each user, in order; None where there is none."""

    def write_users(self, writes: Sequence[UserWrite]) -> list[bool]:
        """Write profile and list of each user together, if the profile is still the expected one.

        False is a conflict: nothing was written, so load, merge, score and try again. A user
        may be named once per call.
        """

    def listings(self, users: Sequence[str]) -> list[bytes | None]:
        """Return the list of each user, in order; None where there is none."""

    def users(self) -> Iterator[str]:
        """Return every user with a profile, in no order; one may come twice while others write."""

    def progress(self, app: str) -> dict[str, int]:
        """Return the next offset by "topic_id:partition" of an app; {} when nothing is kept."""

    def advance(
        self, app: str, moves: Mapping[str, tuple[int | None, int]]
    ) -> dict[str, int | None]:
        """Set the fields to the new offsets if each still holds the last one written (or None).

        All or nothing. Returns {} when done, else what the store holds in each field that
        differs.
        """

    def write_shared(self, name: Shared, listing: bytes) -> None:
        """Replace a fallback list."""

    def shared(self, name: Shared) -> bytes | None:
        """Return a fallback list, None before the first was written."""

    def write_items(self, items: Mapping[str, bytes | None]) -> None:
        """Replace what is said of each item; None deletes it and its neighbours."""

    def items(self, ids: Sequence[str]) -> list[bytes | None]:
        """Return what is said of each item, in order; None where nothing is."""

    def write_similar(self, similar: Mapping[str, bytes]) -> None:
        """Replace the neighbours of each item."""

    def similar(self, ids: Sequence[str]) -> list[bytes | None]:
        """Return the neighbours of each item, in order; None where none are kept."""

    def hide(self, items: Iterable[str]) -> None:
        """Put items among those that are never served."""

    def unhide(self, items: Iterable[str]) -> None:
        """Take items out of those that are never served."""

    def hidden_among(self, ids: Sequence[str]) -> list[bool]:
        """Return for each item whether it is hidden, in order."""

    def hidden(self) -> set[str]:
        """Return all hidden items."""

    def write_digest(self, worker: str, digest: bytes) -> None:
        """Replace a worker's digest, and drop those of workers silent for an hour."""

    def digests(self) -> dict[str, bytes]:
        """Return the digest of each worker that wrote one within the last hour."""

    def version(self) -> str:
        """Return what it is: "redis 7.0.15", "valkey 9.1.2" or "embedded"."""

    def ping(self) -> None:
        """Return if the store answers."""

    def close(self) -> None:
        """Let go of all connections; the store may still be used, and opens new ones."""
