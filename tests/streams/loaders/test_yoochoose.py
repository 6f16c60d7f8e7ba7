"""YooChoose: clicks and purchases without a header."""

from tests.streams.loaders.conftest import Desk

CLICKS = (
    "1,2014-04-07T10:51:09.277Z,214536502,0\n"
    "1,2014-04-07T10:54:09.868Z,214536500,0\n"
    "2,2014-04-07T13:56:37.614Z,214662742,S\n"
)
BUYS = "2,2014-04-07T13:58:00.000Z,214662742,12462,1\n"
CLICK_ROWS = [
    ("1", "214536502", 1396867869277, "click", 0.0),
    ("1", "214536500", 1396868049868, "click", 0.0),
    ("2", "214662742", 1396878997614, "click", 0.0),
]
BUY_ROWS = [("2", "214662742", 1396879080000, "purchase", 0.0)]


def test_clicks_are_read_to_the_millisecond_and_a_session_is_a_user(desk: Desk) -> None:
    assert desk.rows(desk.put("yoochoose-clicks.dat", CLICKS)) == CLICK_ROWS


def test_buys_are_purchases(desk: Desk) -> None:
    assert desk.rows(desk.put("yoochoose-buys.dat", BUYS)) == BUY_ROWS
    assert desk.rows(desk.put("yoochoose-buys.dat", BUYS), type="cart")[0][3] == "cart"


def test_the_folder_has_both_and_the_test_clicks_stay_out(desk: Desk) -> None:
    desk.put("yc/yoochoose-clicks.dat", CLICKS)
    desk.put("yc/yoochoose-buys.dat", BUYS)
    desk.put("yc/yoochoose-test.dat", "5,2014-04-07T17:13:46.713Z,214530776,0\n")
    assert desk.rows(desk.folder / "yc") == CLICK_ROWS + BUY_ROWS
