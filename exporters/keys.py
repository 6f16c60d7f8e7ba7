"""The names of Redis keys: the one place that knows them (docs/redis.md promises them)."""

import re
from typing import Final, Literal
from urllib.parse import unquote

from millstream.exporters.errors import StoreError

Shared = Literal["popular", "trending", "new"]

# A brace would move or close the Cluster hash tag, and a colon in an item would make
# "a:similar" share a key with the neighbours of "a". Percent goes too, so that decoding is
# plain percent-decoding in every language.
_IN_USERS: Final = {ord(c): f"%{ord(c):02X}" for c in "%{}"}
_IN_ITEMS: Final = {ord(c): f"%{ord(c):02X}" for c in "%{}:"}
_PREFIX: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class Keys:
    """Key names under one prefix, as bytes."""

    def __init__(self, prefix: str = "ms") -> None:
        if not _PREFIX.fullmatch(prefix):
            raise StoreError(
                f"redis prefix {prefix!r} is not usable: 1 to 64 of letters, digits and . _ : -"
            )
        self.prefix = prefix
        self._user = f"{prefix}:{{".encode()
        self._item = f"{prefix}:item:".encode()
        self.hidden = f"{prefix}:hidden".encode()
        self.progress = f"{prefix}:progress".encode()
        self.digests = f"{prefix}:digests".encode()
        self.profile_pattern = f"{prefix}:{{*}}:profile".encode()

    def user(self, user: str) -> bytes:
        """Return what the user's keys begin with, up to and with the closing brace."""
        return b"%b%b}" % (self._user, quote_user(user).encode())

    def profile(self, user: str) -> bytes:
        """Return the key of the user's packed profile."""
        return self.user(user) + b":profile"

    def listing(self, user: str) -> bytes:
        """Return the key of the user's list."""
        return self.user(user) + b":list"

    def user_of(self, profile_key: bytes) -> str | None:
        """Return the user whose profile this key holds, or None if it is no profile key."""
        if not (profile_key.startswith(self._user) and profile_key.endswith(b"}:profile")):
            return None
        try:
            return unquote(profile_key[len(self._user) : -len(b"}:profile")].decode())
        except UnicodeDecodeError:
            return None  # somebody else's key: ours are UTF-8

    def item(self, item: str) -> bytes:
        """Return the key of an item's title, categories and flags."""
        return self._item + quote_item(item).encode()

    def similar(self, item: str) -> bytes:
        """Return the key of an item's neighbours."""
        return self._item + quote_item(item).encode() + b":similar"

    def shared(self, name: Shared) -> bytes:
        """Return the key of a fallback list."""
        return f"{self.prefix}:{name}".encode()


def quote_user(user: str) -> str:
    """Return the user as it stands in keys: % { } as %25 %7B %7D, all else as it is."""
    return user if user.isalnum() else user.translate(_IN_USERS)


def quote_item(item: str) -> str:
    """Return the item as it stands in keys: % { } : as %25 %7B %7D %3A, all else as it is."""
    return item if item.isalnum() else item.translate(_IN_ITEMS)
