"""MIND: what was shown in one line, who clicked which of it."""

import pytest
from tests.streams.loaders.conftest import Desk

from millstream.streams.errors import BadUsage

BEHAVIORS = (
    "1\tU13740\t11/11/2019 9:05:58 AM\tN55189 N42782\tN55689-1 N35729-0\n"
    "2\tU91836\t11/12/2019 6:11:30 PM\t\tN20678-0 N39317-1 N58114-1\n"
    "3\tU13740\t11/11/2019 12:00:01 AM\tN55189\tN1-0\n"
)
AT = 1573462800000 + 358_000  # 9:00 in the morning, in UTC
EVENING = 1573582290000
NEWS = (
    "N55528\tlifestyle\tlifestyleroyals\tThe Brands Queen Elizabeth Swears By\tShop the items"
    "\thttps://x\t[]\t[]\n"
    'N19639\thealth\tweightloss\t"50 Worst Habits"\t\thttps://y\t[]\t[]\n'
)


def test_each_piece_of_news_that_was_clicked_is_an_event(desk: Desk) -> None:
    assert desk.rows(desk.put("behaviors.tsv", BEHAVIORS)) == [
        ("U13740", "N55689", AT, "click", 0.0),
        ("U91836", "N39317", EVENING, "click", 0.0),
        ("U91836", "N58114", EVENING, "click", 0.0),
    ]
    assert desk.said == [
        "behaviors.tsv: the history before a person's first impression is left out; its clicks "
        "have no times"
    ]


def test_what_was_shown_and_not_clicked_comes_when_it_is_asked_for(desk: Desk) -> None:
    rows = desk.rows(desk.put("behaviors.tsv", BEHAVIORS), impressions=True)
    assert [(row[1], row[3]) for row in rows] == [
        ("N1", "impression"),
        ("N55689", "click"),
        ("N35729", "impression"),
        ("N20678", "impression"),
        ("N39317", "click"),
        ("N58114", "click"),
    ]


def test_the_folders_for_training_and_validation_are_one_stream(desk: Desk) -> None:
    first, second, third = BEHAVIORS.splitlines(keepends=True)
    desk.put("MINDsmall/train/behaviors.tsv", second)
    desk.put("MINDsmall/dev/behaviors.tsv", first + third)
    assert [row[0] for row in desk.rows(desk.folder / "MINDsmall")] == [
        "U13740",
        "U91836",
        "U91836",
    ]


def test_the_test_set_has_no_clicks_and_says_so(desk: Desk) -> None:
    text = "1\tU1\t11/11/2019 9:05:58 AM\tN55189\tN55689 N35729\n"
    with pytest.raises(BadUsage, match="has no rows with a click"):
        desk.read(desk.put("behaviors.tsv", text))


def test_news_is_read_with_title_and_category(desk: Desk) -> None:
    items = desk.items(desk.put("MIND/news.tsv", NEWS).parent)
    assert items["N55528"] == {
        "title": "The Brands Queen Elizabeth Swears By",
        "description": "Shop the items",
        "categories": ["lifestyle"],
    }
    assert items["N19639"]["title"] == '"50 Worst Habits"'
