"""Amazon reviews as McAuley's lab gives them: JSON lines of 2014, 2018, 2023, ratings alone."""

import re
from typing import Final

from millstream.streams.delimited import Dialect
from millstream.streams.loaders.format import Dataset, Format, ItemLayout, Layout
from millstream.streams.origins import Head

DATASETS: Final = {
    "amazon-reviews": Dataset(
        "Amazon reviews 2014, 2018, 2023: products, ratings 1 to 5, a file a category",
        None,
        None,
        "Collected for research by McAuley Lab (UC San Diego); read the terms on the home page; "
        "name it when you publish (McAuley et al. 2015, Ni et al. 2019, Hou et al. 2024).",
        "https://amazon-reviews-2023.github.io",
        "All_Beauty.jsonl.gz",
    )
}
_RATING: Final = re.compile(r"[^,]+,[^,]+,[1-5](\.0)?,\d{9,10}")
_ASIN: Final = re.compile(r"[0-9B][0-9A-Z]{9}")
_LOOKED_AT: Final = 50


def layout(head: Head) -> Layout | None:
    """Return how a file of reviews or of ratings alone is read."""
    names = set(head.names)
    if {"reviewerID", "asin", "overall", "unixReviewTime"} <= names:
        theirs = {"user": "reviewerID", "item": "asin", "value": "overall", "ts": "unixReviewTime"}
        return Layout(theirs, ts_unit="s")
    if {"user_id", "parent_asin", "rating", "timestamp"} <= names:
        # A product's colours and sizes have an asin each; the parent is what people choose.
        theirs = {"user": "user_id", "item": "parent_asin", "value": "rating", "ts": "timestamp"}
        return Layout(theirs)
    rows = [line.split(",") for line in head.lines[:_LOOKED_AT]]
    if not all(_RATING.fullmatch(line) for line in head.lines[:_LOOKED_AT]) or not rows:
        return None
    # 2014 has the user first, 2018 the item; an asin has ten characters, hardly a user has.
    places = [sum(bool(_ASIN.fullmatch(row[place])) for row in rows) for place in (0, 1)]
    if places[0] == places[1]:
        return None
    order = ("item", "user") if places[0] > places[1] else ("user", "item")
    columns = (*order, "value", "ts")
    return Layout({name: name for name in columns}, Dialect(columns, ","), "s")


def item_layout(head: Head) -> ItemLayout | None:
    """Return how a file of product descriptions is read."""
    names = set(head.names)
    item = "parent_asin" if "parent_asin" in names else "asin"
    if not {item, "title"} <= names or "rating" in names or "overall" in names:
        return None
    found = {"item": item, "title": "title"}
    for theirs in ("categories", "category"):
        if theirs in names:
            return ItemLayout({**found, "categories": theirs})
    return ItemLayout(found)


FORMAT: Final = Format(
    "amazon-reviews",
    DATASETS,
    ("*.json", "*.jsonl", "*.csv", "*.parquet"),
    layout,
    ("meta_*.json", "meta_*.jsonl"),
    item_layout,
)
