"""What is known of a published data set: who made it, how to get it, and how its files look."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from millstream.streams.columns import Column, TsUnit
from millstream.streams.delimited import Dialect
from millstream.streams.origins import Head

Rows = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True, slots=True)
class Layout:
    """How one kind of file is read as events."""

    columns: Mapping[str, str]
    """Ours to theirs."""
    dialect: Dialect = field(default_factory=Dialect)
    ts_unit: TsUnit | None = None
    type: str = "click"
    reshape: Callable[[bool], Rows] | None = None
    """Given whether what was shown and not chosen is wanted too, what makes rows of a part."""
    remark: str = ""
    """What is said when such a file is read."""


@dataclass(frozen=True, slots=True)
class ItemLayout:
    """How one kind of file is read as a catalogue."""

    columns: Mapping[str, str]
    """Ours to theirs."""
    dialect: Dialect | None = None
    table: Callable[[Head], Mapping[str, Column]] | None = None
    """What reads the file, where it is like no other."""
    title: Callable[[str], Mapping[str, object]] | None = None
    """What a title tells beside the title."""
    separator: str = "|"
    """What stands between categories, where they are one text."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """What `data list` says of a data set."""

    title: str
    events: int | None
    items: int | None
    terms: str
    home: str
    file: str
    """What is downloaded, or which file of it has the events."""
    form: bool = False
    """Whether one must agree to its terms on a page before one is given it."""


@dataclass(frozen=True, slots=True)
class Format:
    """A family of data sets whose files look alike."""

    name: str
    datasets: Mapping[str, Dataset]
    events: tuple[str, ...]
    """Patterns of the names of its files of events, lower case, without .gz."""
    layout: Callable[[Head], Layout | None]
    """How a file is read, None if it is none of this format."""
    items: tuple[str, ...] = ()
    item_layout: Callable[[Head], ItemLayout | None] = lambda _: None
