"""MovieLens in GroupLens' own files: `u.data`, `ratings.dat` with `::`, `ratings.csv`."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from millstream.streams import movielens
from millstream.streams.columns import Column
from millstream.streams.delimited import Dialect
from millstream.streams.loaders.format import Dataset, Format, ItemLayout, Layout
from millstream.streams.origins import Head

_RULES: Final = (
    "GroupLens' (University of Minnesota): research use; name it when you publish (Harper and "
    "Konstan 2015, doi 10.1145/2827872); no commercial use without their permission; no "
    "endorsement is implied; "
)
CLOSED: Final = _RULES + "no redistribution."
SHARED: Final = _RULES + "redistribution under these same terms only."
HOME: Final = "https://grouplens.org/datasets/movielens/"
FILM: Final = ("item", "title", "categories")


def _dataset(title: str, file: str, events: int | None, items: int | None, terms: str) -> Dataset:
    return Dataset(f"{title}: films, ratings", events, items, terms, HOME, file)


DATASETS: Final = {
    "movielens-100k": Dataset(
        "MovieLens 100K: films, ratings 1 to 5", 100_000, 1_682, movielens.TERMS, HOME, "ml-100k"
    ),
    "movielens-1m": _dataset("MovieLens 1M", "ml-1m.zip", 1_000_209, 3_883, CLOSED),
    "movielens-10m": _dataset("MovieLens 10M", "ml-10m.zip", 10_000_054, 10_681, CLOSED),
    "movielens-20m": _dataset("MovieLens 20M", "ml-20m.zip", 20_000_263, 27_278, CLOSED),
    "movielens-25m": _dataset("MovieLens 25M", "ml-25m.zip", 25_000_095, 62_423, CLOSED),
    "movielens-32m": _dataset("MovieLens 32M", "ml-32m.zip", 32_000_204, 87_585, CLOSED),
    "movielens-latest-small": _dataset(
        "MovieLens latest, small", "ml-latest-small.zip", None, None, SHARED
    ),
    "movielens-latest": _dataset("MovieLens latest", "ml-latest.zip", None, None, SHARED),
}

# Arrow splits at one character only: of `1::1193::5::978300760` every second field is empty.
_COLONS: Final = ("user", "", "item", "", "value", "", "ts")
_OURS: Final = {"user": "user", "item": "item", "value": "value", "ts": "ts"}


def layout(head: Head) -> Layout | None:
    """Return how a file of ratings is read."""
    if {"userId", "movieId", "rating", "timestamp"} <= set(head.names):
        theirs = {"user": "userId", "item": "movieId", "value": "rating", "ts": "timestamp"}
        return Layout(theirs)
    if re.fullmatch(r"\d+::\d+::[\d.]+::\d+", head.first):
        names = tuple(name or f"nothing {number}" for number, name in enumerate(_COLONS))
        return Layout(_OURS, Dialect(names, ":", quoted=False), "s")
    if re.fullmatch(r"\d+\t\d+\t[1-5]\t\d{9}", head.first):
        return Layout(_OURS, Dialect(tuple(_OURS), "\t", quoted=False), "s")
    return None


def item_layout(head: Head) -> ItemLayout | None:
    """Return how a file of films is read; the year leaves the title for a field of its own."""
    if {"movieId", "title", "genres"} <= set(head.names):
        theirs = {"item": "movieId", "title": "title", "categories": "genres"}
        return ItemLayout(theirs, title=title_and_year)
    ours = {name: name for name in FILM}
    if re.fullmatch(r"\d+::.+::[^:]*", head.first):
        return ItemLayout(ours, table=_films_by_colons, title=title_and_year)
    if re.fullmatch(r"\d+\|[^|]*\|[^|]*\|[^|]*\|[^|]*(\|[01]){19}", head.first):
        return ItemLayout(ours, table=_films_by_flags, title=title_and_year)
    return None


def _films_by_colons(head: Head) -> Mapping[str, Column]:
    """Return the films of `1::Toy Story (1995)::Animation|Children's|Comedy`."""
    return _films(line.split("::") for line in _lines(head))


def _films_by_flags(head: Head) -> Mapping[str, Column]:
    """Return the films of `1|Toy Story (1995)|01-Jan-1995||http://…|0|0|0|1|…`."""
    return _films(
        (
            *line.split("|")[:2],
            "|".join(
                genre
                for genre, flag in zip(movielens.GENRES, line.split("|")[5:], strict=False)
                if flag == "1" and genre != "unknown"
            ),
        )
        for line in _lines(head)
    )


def _films(rows: Iterable[Iterable[str]]) -> Mapping[str, Column]:
    columns = zip(*((*row, "", "")[:3] for row in rows), strict=True)
    return {name: list(column) for name, column in zip(FILM, columns, strict=True)}


def _lines(head: Head) -> Iterable[str]:
    """Return the lines; 1M is in Latin-1, 10M in UTF-8, and neither says so."""
    with head.origin.open() as file:
        content = file.read()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return [line for line in text.splitlines() if line]


def title_and_year(raw: str) -> Mapping[str, object]:
    """Return `Toy Story (1995)` as its title and year."""
    match = movielens.TITLE.fullmatch(raw.strip())
    return {"title": match[1], "year": int(match[2])} if match else {"title": raw.strip()}


FORMAT: Final = Format(
    "movielens",
    DATASETS,
    ("ratings.dat", "ratings.csv", "u.data"),
    layout,
    ("movies.dat", "movies.csv", "u.item"),
    item_layout,
)
