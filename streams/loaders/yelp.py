"""Yelp's open data set: reviews with stars, and businesses."""

from typing import Final

from millstream.streams.loaders.format import Dataset, Format, ItemLayout, Layout
from millstream.streams.origins import Head

DATASETS: Final = {
    "yelp": Dataset(
        "Yelp: businesses, reviews with 1 to 5 stars",
        6_990_280,
        150_346,
        "Yelp's Dataset User Agreement: academic, non-commercial use; no redistribution.",
        "https://business.yelp.com/data/resources/open-dataset/",
        "yelp_academic_dataset_review.json",
        form=True,
    )
}


def layout(head: Head) -> Layout | None:
    """Return how a file of reviews is read."""
    if {"user_id", "business_id", "stars", "date"} <= set(head.names):
        return Layout({"user": "user_id", "item": "business_id", "value": "stars", "ts": "date"})
    return None


def item_layout(head: Head) -> ItemLayout | None:
    """Return how the file of businesses is read."""
    if {"business_id", "name", "categories"} <= set(head.names):
        theirs = {"item": "business_id", "title": "name", "categories": "categories"}
        return ItemLayout(theirs, separator=", ")
    return None


FORMAT: Final = Format(
    "yelp",
    DATASETS,
    ("*review*.json",),
    layout,
    ("*business*.json",),
    item_layout,
)
