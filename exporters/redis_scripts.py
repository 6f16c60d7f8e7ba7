"""What Redis does for us in one step: three small Lua scripts and how they are called."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from millstream.exporters.keys import Keys
from millstream.exporters.store import DIGESTS_KEPT_MS, VERSION_BYTES, UserWrite


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script and the name under which the server's cache knows it."""

    source: bytes

    @property
    def sha(self) -> bytes:
        """Return the 40 hexadecimal digits that EVALSHA takes."""
        return hashlib.sha1(self.source, usedforsecurity=False).hexdigest().encode()


WRITE_USER: Final = Script(
    b"""if redis.call('GETRANGE', KEYS[1], 0, %d) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[4])
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[5])
return 1"""
    % (VERSION_BYTES - 1)
)
"""KEYS profile, list; ARGV expected, profile, list, the TTLs in s. 1 written, 0 conflict."""

ADVANCE: Final = Script(
    b"""local held = {}
local same = true
for i = 1, #ARGV, 3 do
  local now = redis.call('HGET', KEYS[1], ARGV[i])
  held[#held + 1] = now
  if (now or '') ~= ARGV[i + 1] then same = false end
end
if not same then return held end
for i = 1, #ARGV, 3 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2]) end
return 1"""
)
"""KEYS progress; ARGV field, last written or '', new, for each. 1 done, else what each holds."""

WRITE_DIGEST: Final = Script(
    b"""local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%%.0f ', now_ms) .. ARGV[2])
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at = tonumber(string.match(all[i + 1], '^%%d+'))
  if not at or at < now_ms - %d then redis.call('HDEL', KEYS[1], all[i]) end
end
return 1"""
    % DIGESTS_KEPT_MS
)
"""KEYS digests; ARGV worker, digest. The value is the server's ms since the epoch, a space, it."""


def write_user_calls(
    keys: Keys, writes: Sequence[UserWrite], profile_ttl_s: int, list_ttl_s: int
) -> list[tuple[bytes, ...]]:
    """Return for each user an EVALSHA of WRITE_USER, packed, in pieces to be joined.

    Pieces, because formatting profile and list into one value first costs a copy: 6 us a user.
    """
    head = b"*10\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n2\r\n" % WRITE_USER.sha
    ttls = (b"%d" % profile_ttl_s, b"%d" % list_ttl_s)
    tail = b"".join(b"\r\n$%d\r\n%b" % (len(ttl), ttl) for ttl in ttls) + b"\r\n"
    calls: list[tuple[bytes, ...]] = []
    for user, expected, profile, listing in writes:
        key = keys.user(user)
        size = len(key)
        before = b"%b$%d\r\n%b:profile\r\n$%d\r\n%b:list\r\n$%d\r\n%b\r\n$%d\r\n" % (
            (head, size + 8, key, size + 5, key, len(expected), expected, len(profile))
        )
        calls.append((before, profile, b"\r\n$%d\r\n" % len(listing), listing, tail))
    return calls
