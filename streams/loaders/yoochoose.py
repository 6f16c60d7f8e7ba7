"""YooChoose, the RecSys Challenge of 2015: clicks and purchases by session, without a header."""

import re
from typing import Final

from millstream.streams.delimited import Dialect
from millstream.streams.loaders.format import Dataset, Format, Layout
from millstream.streams.origins import Head

DATASETS: Final = {
    "yoochoose": Dataset(
        "YooChoose (RecSys Challenge 2015): a shop's sessions, clicks and purchases",
        34_154_697,
        None,
        "YooChoose GmbH's; CC BY-NC-ND 4.0: non-commercial use, no changed copies.",
        "https://recsys.acm.org/recsys15/challenge/",
        "yoochoose-clicks.dat",
    )
}
_OURS: Final = {"user": "session", "item": "item", "ts": "ts"}
_MOMENT: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


def layout(head: Head) -> Layout | None:
    """Return how clicks or purchases are read; a session stands for a user."""
    if re.fullmatch(rf"\d+,{_MOMENT},\d+,\d+,\d+", head.first):
        buys = Dialect(("session", "ts", "item", "price", "quantity"), ",", quoted=False)
        return Layout(_OURS, buys, type="purchase")
    if re.fullmatch(rf"\d+,{_MOMENT},\d+,\w+", head.first):
        return Layout(_OURS, Dialect(("session", "ts", "item", "category"), ",", quoted=False))
    return None


FORMAT: Final = Format(
    "yoochoose", DATASETS, ("yoochoose-clicks.dat", "yoochoose-buys.dat"), layout
)
