"""Whose list is due: the oldest are asked for, the most recently active come first."""

from millstream.streams.renewal_ring import RenewalRing


def due(
    ring: RenewalRing, before: int, blank: int = 0, since: int = 0, most: int = 10
) -> list[str]:
    return list(ring.due(before, blank, since, most))


def test_of_old_lists_those_of_the_most_recently_active_come_first() -> None:
    ring = RenewalRing(10)
    for n, user in enumerate("abcde"):
        ring.active(user, 100 + n, blank=False)
    assert due(ring, 103) == ["c", "b", "a"]
    assert due(ring, 103, most=2) == ["c", "b"]
    ring.made("c", 200)
    ring.made("b", 200)
    assert due(ring, 103) == ["a"]
    ring.active("a", 200, blank=False)
    assert due(ring, 103) == []
    assert due(ring, 201) == ["a", "e", "d", "c", "b"], "making a list makes nobody more active"


def test_blank_lists_are_due_sooner() -> None:
    ring = RenewalRing(10)
    ring.active("a", 100, blank=True)
    ring.active("b", 101, blank=False)
    assert due(ring, 50) == []
    assert due(ring, 50, blank=200) == ["a"]
    ring.made("a", 300)
    assert due(ring, 50, blank=400) == []


def test_it_is_bounded_and_those_of_long_ago_leave_first() -> None:
    ring = RenewalRing(3)
    ring.active("x", 500, blank=True)
    ring.was_active("old", 10)
    ring.was_active("older", 5)
    ring.was_active("no room", 20)
    assert due(ring, 1) == ["old", "older"]
    for n in range(1000):
        ring.active(f"u{n}", 600 + n, blank=n % 2 == 0)
    assert len(ring) == 3
    assert due(ring, 10_000) == ["u999", "u998", "u997"]
    ring.clear()
    assert due(ring, 10_000, blank=10_000) == []


def test_who_was_not_active_for_long_is_forgotten() -> None:
    ring = RenewalRing(3)
    ring.active("gone", 100, blank=False)
    ring.active("here", 900, blank=False)
    assert due(ring, 1000, since=500) == ["here"]
    assert len(ring) == 1


def test_a_list_of_unknown_age_is_due_until_it_is_known() -> None:
    ring = RenewalRing(3)
    ring.active("a", 100, blank=False)
    assert due(ring, 50) == []
    ring.was_active("b", 10)
    assert ring.due(50, 0, 0, 10) == {"b": 0}
    ring.made("b", 60)
    assert due(ring, 50) == []
    ring.was_active("b", 20)
    assert due(ring, 101) == ["a", "b"]
