"""MovieLens in GroupLens' own files: 100K, 1M and 10M, and those since 20M."""

import pytest
from tests.streams.loaders.conftest import Desk

from millstream.streams.errors import BadUsage, WorldMissing

DAT = "1::1193::5::978300760\n1::661::3::978302109\n2::1193::3.5::978298413\n"
DAT_ROWS = [
    ("2", "1193", 978298413000, "click", 3.5),
    ("1", "1193", 978300760000, "click", 5.0),
    ("1", "661", 978302109000, "click", 3.0),
]
CSV = "userId,movieId,rating,timestamp\n1,307,3.5,1256677221\n1,481,3.5,1256677456\n"
CSV_ROWS = [
    ("1", "307", 1256677221000, "click", 3.5),
    ("1", "481", 1256677456000, "click", 3.5),
]
MOVIES_DAT = (
    "1::Toy Story (1995)::Animation|Children's|Comedy\n"
    "53::Lamerica (1994)::Drama\n"
    "2019::Seven Samurai: The Magnificent Seven (1954)::Action|Drama\n"
    "73::Mis\u00e9rables, Les (1995)::Drama|Musical\n"
)
MOVIES_CSV = (
    "movieId,title,genres\n"
    "1,Toy Story (1995),Adventure|Animation\n"
    '11,"American President, The (1995)",Comedy|Drama\n'
    "176601,Black Mirror,(no genres listed)\n"
)
U_ITEM = (
    "1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
    "543|Mis\u00e9rables, Les (1995)|01-Jan-1995||http://x|0|0|0|0|0|0|0|0|1|0|0|0|1|0|0|0|0|0|0\n"
)


def test_ratings_with_colons_are_read_under_any_name(desk: Desk) -> None:
    assert desk.rows(desk.put("ratings.dat", DAT)) == DAT_ROWS
    assert desk.rows(desk.put("mine.txt", DAT)) == DAT_ROWS
    assert desk.rows(desk.put("no-suffix", DAT)) == DAT_ROWS
    assert desk.said == []


def test_ratings_as_csv_are_read(desk: Desk) -> None:
    assert desk.rows(desk.put("ratings.csv", CSV)) == CSV_ROWS


def test_u_data_is_read_without_a_header(desk: Desk) -> None:
    path = desk.put("u.data", "196\t242\t3\t881250949\n186\t302\t5\t891717742\n")
    assert desk.rows(path, positive="value>=4") == [("186", "302", 891717742000, "click", 0.0)]


def test_the_order_is_that_of_time_and_the_limit_takes_the_earliest(desk: Desk) -> None:
    path = desk.put("ratings.dat", DAT)
    assert [row[:2] for row in desk.rows(path, limit=1)] == [("2", "1193")]


def test_positive_and_targets_speak_of_value_or_of_the_files_own_name(desk: Desk) -> None:
    path = desk.put("ratings.csv", CSV.replace("481,3.5", "481,5.0"))
    for name in ("value", "rating"):
        assert [row[1] for row in desk.rows(path, positive=f"{name}>=4")] == ["481"]
    table = desk.read(path, targets="value>=4")
    assert (table.types, table.values, table.targets) == (
        ["rating", "rating"],
        [3.5, 5.0],
        [False, True],
    )


@pytest.mark.parametrize(
    ("folder", "files", "expected"),
    [
        ("ml-1m", {"ratings.dat": DAT, "movies.dat": "1::A (1990)::Drama\n"}, DAT_ROWS),
        (
            "ml-latest",
            {"ratings.csv": CSV, "movies.csv": MOVIES_CSV, "tags.csv": "userId,movieId,tag\n"},
            CSV_ROWS,
        ),
        ("down/ml-20m", {"ratings.csv": CSV}, CSV_ROWS),
    ],
)
def test_a_folder_is_read_as_what_it_is(
    desk: Desk, folder: str, files: dict[str, str], expected: list[object]
) -> None:
    for name, text in files.items():
        desk.put(f"{folder}/{name}", text)
    assert desk.rows(desk.folder / folder.split("/", maxsplit=1)[0]) == expected


def test_the_archive_as_it_was_downloaded_is_read(desk: Desk) -> None:
    path = desk.zipped("ml-1m.zip", **{"ml-1m__ratings_dot_dat": DAT, "ml-1m__README": "x"})
    assert desk.rows(path) == DAT_ROWS
    assert desk.read(path).name == "ml-1m"


def test_by_name_it_is_looked_for_in_the_data_folder(desk: Desk) -> None:
    with pytest.raises(
        WorldMissing, match=r"movielens-1m is not here: download it from https://gr"
    ):
        desk.read("movielens-1m")
    desk.put("data/datasets/movielens-1m/ml-1m/ratings.dat", DAT)
    assert desk.rows("movielens-1m") == DAT_ROWS
    assert desk.read("movielens-1m").name == "movielens-1m"


def test_a_folder_of_a_data_sets_name_is_read_where_the_data_set_is_not_here(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.put("movielens-1m/ratings.dat", DAT).parent.parent)
    assert desk.rows("movielens-1m") == DAT_ROWS


def test_a_line_with_too_few_fields_is_named(desk: Desk) -> None:
    with pytest.raises(BadUsage, match=r"ratings\.dat line 4: .* fields where there should be 7"):
        desk.read(desk.put("ratings.dat", DAT + "3::17\n"))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_films_are_read_with_titles_years_and_genres(desk: Desk, encoding: str) -> None:
    items = desk.items(desk.put("movies.dat", MOVIES_DAT, encoding))
    assert items["1"] == {
        "title": "Toy Story",
        "year": 1995,
        "categories": ["Animation", "Children's", "Comedy"],
    }
    assert items["2019"]["title"] == "Seven Samurai: The Magnificent Seven"
    assert items["73"]["title"] == "Mis\u00e9rables, Les"
    assert len(items) == 4


def test_films_as_csv_are_read(desk: Desk) -> None:
    items = desk.items(desk.put("ml/movies.csv", MOVIES_CSV).parent)
    assert items["11"] == {
        "title": "American President, The",
        "year": 1995,
        "categories": ["Comedy", "Drama"],
    }
    assert items["176601"] == {"title": "Black Mirror", "categories": []}


def test_films_of_100k_are_read_by_their_flags(desk: Desk) -> None:
    items = desk.items(desk.put("u.item", U_ITEM, "latin-1"))
    assert items["1"]["categories"] == ["Animation", "Children's", "Comedy"]
    assert items["543"] == {
        "title": "Mis\u00e9rables, Les",
        "year": 1995,
        "categories": ["Drama", "Musical"],
    }
