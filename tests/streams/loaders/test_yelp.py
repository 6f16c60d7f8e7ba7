"""Yelp: reviews and businesses as JSON lines."""

import json
from collections.abc import Sequence

import pytest
from tests.streams.loaders.conftest import Desk

from millstream.streams.errors import WorldMissing

REVIEWS = [
    {
        "review_id": "KU_O5udG6zpxOg-VcAEodg",
        "user_id": "mh_-eMZ6K5RLWhZyISBhwA",
        "business_id": "XQfwVwDr-v0ZS3_CbbE5Xw",
        "stars": 3.0,
        "useful": 0,
        "text": "If you decide to eat here, just be aware\nit is going to take about 2 hours.",
        "date": "2018-07-07 22:09:11",
    },
    {
        "review_id": "BiTunyQ73aT9WBnpR9DZGw",
        "user_id": "OyoGAe7OKpv6SyGZT5g77Q",
        "business_id": "7ATYjTIgM3jUlt4UM3IypQ",
        "stars": 5.0,
        "text": "I've taken a lot of spin classes",
        "date": "2012-01-03 15:28:18",
    },
]
NAME = "yelp_academic_dataset_review.json"


def text(rows: Sequence[object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_reviews_are_read_in_the_order_of_their_dates(desk: Desk) -> None:
    assert desk.rows(desk.put(NAME, text(REVIEWS))) == [
        ("OyoGAe7OKpv6SyGZT5g77Q", "7ATYjTIgM3jUlt4UM3IypQ", 1325604498000, "click", 5.0),
        ("mh_-eMZ6K5RLWhZyISBhwA", "XQfwVwDr-v0ZS3_CbbE5Xw", 1531001351000, "click", 3.0),
    ]


def test_of_the_folder_only_the_reviews_are_events(desk: Desk) -> None:
    desk.put(f"yelp/{NAME}", text(REVIEWS))
    desk.put("yelp/yelp_academic_dataset_tip.json", text([{"user_id": "u", "business_id": "b"}]))
    assert len(desk.rows(desk.folder / "yelp", positive="stars>=4")) == 1


def test_without_the_file_it_says_where_its_terms_are_agreed_to(desk: Desk) -> None:
    with pytest.raises(WorldMissing, match=rf"agree to its terms at https://business.*{NAME}"):
        desk.read("yelp")


def test_businesses_are_read_with_their_categories(desk: Desk) -> None:
    rows = [
        {"business_id": "b1", "name": "Sonic", "categories": "Burgers, Fast Food", "stars": 2.0},
        {"business_id": "b2", "name": "None", "categories": None},
    ]
    assert desk.items(desk.put("yelp_academic_dataset_business.json", text(rows))) == {
        "b1": {"title": "Sonic", "categories": ["Burgers", "Fast Food"]},
        "b2": {"title": "None"},
    }
