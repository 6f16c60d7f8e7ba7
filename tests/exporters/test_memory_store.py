"""What only the store in memory promises: its bound."""

from millstream.exporters.memory_store import MemoryStore
from millstream.exporters.store import UserWrite


def test_beyond_its_bound_the_user_written_longest_ago_is_evicted() -> None:
    store = MemoryStore(users_max=3)
    for user in ("u1", "u2", "u3"):
        store.write_users([UserWrite(user, b"", b"version1", b"list")])
    store.write_users([UserWrite("u1", b"version1", b"version2", b"list")])
    store.write_users([UserWrite("u4", b"", b"version1", b"list")])
    assert sorted(store.users()) == ["u1", "u3", "u4"]
    assert store.write_users([UserWrite("u2", b"", b"version1", b"list")]) == [True]
