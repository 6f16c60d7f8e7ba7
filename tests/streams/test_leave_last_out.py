"""What is held out of a file: by hand."""

from millstream.streams.leave_last_out import held_out

USERS = ["a", "a", "b", "a", "b", "c"]
ITEMS = ["x", "y", "x", "x", "z", "q"]
ALL = [True] * 6


def test_each_persons_last_event_is_held_out_and_all_they_did_with_its_item() -> None:
    held = held_out(USERS, ITEMS, ALL)
    assert held.targets == [3, 4, 5]
    assert held.withheld == {0, 3, 4, 5}  # a met x before; b's x is b's to learn


def test_where_items_repeat_only_the_event_itself_is_withheld() -> None:
    assert held_out(USERS, ITEMS, ALL, repeats=True).withheld == {3, 4, 5}


def test_the_last_target_is_held_out_and_what_came_after_it_is_learnt() -> None:
    held = held_out(USERS, ITEMS, [True, True, True, False, False, False])
    assert held.targets == [1, 2]
    assert held.withheld == {1, 2}


def test_nobody_is_held_out_of_nothing() -> None:
    assert held_out([], [], []).targets == []
