"""The cache of profiles is bounded, forgets who was met longest ago, and counts."""

from millstream.streams.cache import ProfileCache


def test_what_was_put_is_got_and_what_was_not_is_a_miss() -> None:
    cache = ProfileCache(10)
    cache.put("u", b"1")
    cache.put("u", b"2")
    assert cache.get("u") == b"2"
    assert cache.get("x") is None
    assert (cache.hits, cache.misses, len(cache)) == (1, 1, 1)


def test_the_bound_is_held_and_who_was_met_longest_ago_leaves() -> None:
    cache = ProfileCache(3)
    for user in "abc":
        cache.put(user, user.encode())
    cache.get("a")
    cache.put("d", b"d")
    assert len(cache) == 3
    assert [cache.get(user) for user in "abcd"] == [b"a", None, b"c", b"d"]
    for n in range(1000):
        cache.put(f"u{n}", b"")
    assert len(cache) == 3


def test_a_put_counts_as_met() -> None:
    cache = ProfileCache(2)
    cache.put("a", b"1")
    cache.put("b", b"1")
    cache.put("a", b"2")
    cache.put("c", b"1")
    assert [cache.get(user) for user in "abc"] == [b"2", None, b"1"]


def test_dropping_and_clearing_forget_and_are_harmless_twice() -> None:
    cache = ProfileCache(3)
    cache.put("a", b"1")
    cache.put("b", b"1")
    cache.drop("a")
    cache.drop("a")
    assert (cache.get("a"), len(cache)) == (None, 1)
    cache.clear()
    cache.clear()
    assert (cache.get("b"), len(cache)) == (None, 0)
