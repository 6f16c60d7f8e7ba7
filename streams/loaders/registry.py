"""The data sets that are known: a format is one file beside this one, and one line here."""

from collections.abc import Mapping
from typing import Final

from millstream.streams.loaders import amazon, mind, movielens, yelp, yoochoose
from millstream.streams.loaders.format import Dataset, Format

FORMATS: Final = (
    movielens.FORMAT,
    amazon.FORMAT,
    yelp.FORMAT,
    yoochoose.FORMAT,
    mind.FORMAT,
)

DATASETS: Final[Mapping[str, Dataset]] = {
    name: dataset for format_ in FORMATS for name, dataset in format_.datasets.items()
}


def format_of(name: str) -> Format:
    """Return the format of a data set's name."""
    return next(format_ for format_ in FORMATS if name in format_.datasets)
