"""A bounded cache of stored profiles in front of Redis. Holds only what was written."""

from collections import OrderedDict


class ProfileCache:
    """Packed profiles of the users last met, at most `most`; compare-and-set finds stale ones."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._packed: OrderedDict[str, bytes] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        """Return how many profiles are held."""
        return len(self._packed)

    def get(self, user: str) -> bytes | None:
        """Return a user's packed profile, None when it must be read from the store."""
        packed = self._packed.get(user)
        if packed is None:
            self.misses += 1
        else:
            self.hits += 1
            self._packed.move_to_end(user)
        return packed

    def put(self, user: str, packed: bytes) -> None:
        """Keep what was just written."""
        self._packed[user] = packed
        self._packed.move_to_end(user)
        if len(self._packed) > self._most:
            self._packed.popitem(last=False)

    def drop(self, user: str) -> None:
        """Forget a user's profile."""
        self._packed.pop(user, None)

    def clear(self) -> None:
        """Forget all."""
        self._packed.clear()
