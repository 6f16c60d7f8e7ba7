"""Amazon reviews: JSON lines of 2014, 2018 and 2023, and ratings without a header."""

import json
from collections.abc import Sequence

import pytest
from tests.streams.loaders.conftest import Desk

OLD = [
    {
        "reviewerID": "A2SUAM1J3GNN3B",
        "asin": "0000013714",
        "reviewerName": "J. McDonald",
        "helpful": [2, 3],
        "reviewText": "I bought this for my husband who plays the piano, \u201cgreat\u201d.",
        "overall": 5.0,
        "summary": "Heavenly",
        "unixReviewTime": 1252800000,
        "reviewTime": "09 13, 2009",
    },
    {
        "overall": 2.0,
        "vote": "3",
        "verified": True,
        "reviewTime": "07 3, 2014",
        "reviewerID": "AQ5V2H1SKH3Y1",
        "asin": "B00005N5PF",
        "style": {"Format:": "Hardcover"},
        "unixReviewTime": 1404345600,
    },
]
OLD_ROWS = [
    ("A2SUAM1J3GNN3B", "0000013714", 1252800000000, "click", 5.0),
    ("AQ5V2H1SKH3Y1", "B00005N5PF", 1404345600000, "click", 2.0),
]
NEW = [
    {
        "rating": 4.0,
        "title": "Such a lovely scent",
        "text": "not overpowering",
        "images": [],
        "asin": "B00YQ6X8EO",
        "parent_asin": "B00YQ6X8E0",
        "user_id": "AGKHLEW2SOWHNMFQIJGBECAF7INQ",
        "timestamp": 1588687728923,
        "helpful_vote": 0,
        "verified_purchase": True,
    }
]


def lines(rows: Sequence[object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("name", ["Books_5.json", "reviews_Books.json.gz", "books.jsonl"])
def test_reviews_of_2014_and_2018_are_read(desk: Desk, name: str) -> None:
    assert desk.rows(desk.put(name, lines(OLD))) == OLD_ROWS


def test_reviews_of_2023_are_of_the_parent_and_in_milliseconds(desk: Desk) -> None:
    path = desk.put("All_Beauty.jsonl.gz", lines(NEW))
    assert desk.rows(path) == [
        ("AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B00YQ6X8E0", 1588687728923, "click", 4.0)
    ]


def test_ratings_of_2023_have_a_header(desk: Desk) -> None:
    text = "user_id,parent_asin,rating,timestamp\nAGKH,B00YQ6X8E0,4.0,1588687728923\n"
    assert desk.rows(desk.put("All_Beauty.csv", text)) == [
        ("AGKH", "B00YQ6X8E0", 1588687728923, "click", 4.0)
    ]


def test_ratings_alone_are_read_whichever_of_user_and_item_comes_first(desk: Desk) -> None:
    rows = [(row[0], row[1], int(float(str(row[4]))), int(str(row[2])) // 1000) for row in OLD_ROWS]
    text_2014 = "".join(f"{user},{item},{value}.0,{ts}\n" for user, item, value, ts in rows)
    text_2018 = "".join(f"{item},{user},{value}.0,{ts}\n" for user, item, value, ts in rows)
    assert desk.rows(desk.put("ratings_Books.csv", text_2014)) == OLD_ROWS
    assert desk.rows(desk.put("Books.csv", text_2018)) == OLD_ROWS


def test_several_categories_of_a_folder_are_one_stream(desk: Desk) -> None:
    desk.put("down/a.json", lines(OLD[1:]))
    desk.put("down/b.json", lines(OLD[:1]))
    desk.put("down/meta_a.json", lines([{"asin": "B00005N5PF", "title": "A book"}]))
    assert desk.rows(desk.folder / "down") == OLD_ROWS
    assert desk.said[0] == "down: a.json, b.json"


def test_products_are_read_with_titles_and_categories(desk: Desk) -> None:
    meta = [
        {"parent_asin": "B1", "title": "Soap", "categories": ["Beauty", "Bath"], "price": 3.0},
        {"parent_asin": "B2", "title": "Comb", "categories": []},
    ]
    assert desk.items(desk.put("meta_All_Beauty.jsonl", lines(meta))) == {
        "B1": {"title": "Soap", "categories": ["Beauty", "Bath"], "price": 3.0},
        "B2": {"title": "Comb", "categories": []},
    }
    nested = [{"asin": "0000031852", "title": "Tutu", "categories": [["Sports", "Dance"]]}]
    assert desk.items(desk.put("meta_2014.json", lines(nested))) == {
        "0000031852": {"title": "Tutu", "categories": ["Sports", "Dance"]}
    }
