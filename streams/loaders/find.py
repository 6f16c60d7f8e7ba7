"""What a person names is found: a data set, a file, a zip archive, or a folder of such files."""

import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Final, Generic, TypeVar

from millstream.streams import movielens
from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.loaders.format import Format, ItemLayout, Layout
from millstream.streams.loaders.registry import DATASETS, FORMATS, format_of
from millstream.streams.origins import Head, Origin, read_head

L = TypeVar("L", Layout, ItemLayout)
Say = Callable[[str], None]

SHOWN: Final = 8
_TABLES: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")


@dataclass(frozen=True, slots=True)
class Found(Generic[L]):
    """The files to read, each with how it is read; None is found out from its columns."""

    name: str
    files: Sequence[tuple[Head, L | None]]


@dataclass(frozen=True, slots=True)
class _Side(Generic[L]):
    """Events or items: the patterns of their files' names, and how a file is read as such."""

    patterns: Callable[[Format], Sequence[str]]
    layout: Callable[[Format, Head], L | None]


_EVENTS: Final[_Side[Layout]] = _Side(lambda one: one.events, lambda one, head: one.layout(head))
_ITEMS: Final[_Side[ItemLayout]] = _Side(
    lambda one: one.items, lambda one, head: one.item_layout(head)
)


def find_events(source: str, data_dir: Path, say: Say) -> Found[Layout]:
    """Return the files of events of a data set's name, a file or a folder.

    A data set that can be fetched is. Raises WorldMissing, with what to do, and BadUsage.
    """
    if source in movielens.DATASETS:
        path = movielens.ensure_dataset(source, data_dir, say) / "events.parquet"
        ours = Layout({name: name for name in ("user", "item", "ts", "value")}, ts_unit="s")
        return Found(source, [(read_head(Origin(path)), ours)])
    return _find(source, data_dir, _EVENTS)


def find_items(source: str, data_dir: Path, say: Say) -> Found[ItemLayout]:
    """Return the files of a catalogue, as `find_events` does those of events."""
    if source in movielens.DATASETS:
        path = movielens.ensure_dataset(source, data_dir, say) / "items.parquet"
        return Found(source, [(read_head(Origin(path)), None)])
    return _find(source, data_dir, _ITEMS)


def is_kept(name: str, data_dir: Path) -> bool:
    """Return whether a data set's events are in its folder."""
    if name in movielens.DATASETS:
        return movielens.is_here(name, data_dir)
    format_ = format_of(name)
    origins = _origins(movielens.dataset_folder(name, data_dir))
    return bool(_recognised(origins, [format_], _EVENTS))


def by_hand(name: str, data_dir: Path) -> str:
    """Return how one gets a data set that is not fetched."""
    known = DATASETS[name]
    first = "agree to its terms at" if known.form else "download it from"
    folder = movielens.dataset_folder(name, data_dir)
    return (
        f"{first} {known.home} ({known.file}), then name the file or folder in place of {name}, "
        f"or put it into {folder}"
    )


def _find(source: str, data_dir: Path, side: _Side[L]) -> Found[L]:
    path = Path(source).expanduser()
    if source in DATASETS:
        kept = _recognised(
            _origins(movielens.dataset_folder(source, data_dir)), [format_of(source)], side
        )
        if kept:
            return Found(source, kept)
        if not path.exists():
            raise _not_here(source, data_dir, side)
    if path.is_dir() or path.suffix == ".zip":
        name = path.resolve().stem
        origins = list(_origins(path))
        return Found(name, _of_many(path, origins, side))
    _look_for(path)
    head = read_head(Origin(path))
    layout = next((found for one in FORMATS if (found := side.layout(one, head))), None)
    return Found(path.stem, [(head, layout)])


def _not_here(name: str, data_dir: Path, side: _Side[L]) -> WorldMissing | BadUsage:
    if not side.patterns(format_of(name)):
        return BadUsage(f"{name} has no such file; millstream data list says what it has")
    return WorldMissing(f"{name} is not here: {by_hand(name, data_dir)}")


def _look_for(path: Path) -> None:
    if not path.exists():
        also = "" if path.suffix or len(path.parts) > 1 else _also_not(path.name)
        raise WorldMissing(f"the file {path} is not there{also}")


def _also_not(name: str) -> str:
    return f", and no data set is called {name}; known: {', '.join(DATASETS)}"


def _origins(path: Path) -> Iterable[Origin]:
    """Yield the files of a folder and of its folders, or the members of an archive."""
    if path.is_dir():
        for file in sorted([*path.glob("*"), *path.glob("*/*")]):
            if file.suffix == ".zip":
                yield from _origins(file)
            elif file.is_file() and not file.name.startswith((".", "_")):
                yield Origin(file)
    elif path.suffix == ".zip":
        _look_for(path)
        try:
            with zipfile.ZipFile(path) as archive:
                members = sorted(archive.namelist())
        except (OSError, zipfile.BadZipFile) as error:
            raise WorldMissing(f"the file {path} cannot be read: {error}") from error
        for member in members:
            if not member.endswith("/") and "__MACOSX" not in member:
                yield Origin(path, member)


def _recognised(
    origins: Iterable[Origin],
    formats: Sequence[Format],
    side: _Side[L],
) -> list[tuple[Head, L | None]]:
    """Return the files of the first format that has any, by their names and how they begin."""
    here = list(origins)
    for one in formats:
        named = [o for o in here if any(fnmatch(o.name.lower(), p) for p in side.patterns(one))]
        files = [(head, layout) for head in _heads(named) if (layout := side.layout(one, head))]
        if files:
            return list(files)
    return []


def _heads(origins: Iterable[Origin]) -> list[Head]:
    """Return how files begin; one of many that is empty or torn is passed over."""
    heads = []
    for origin in origins:
        with suppress(BadUsage):
            heads.append(read_head(origin))
    return heads


def _of_many(
    path: Path,
    origins: Sequence[Origin],
    side: _Side[L],
) -> list[tuple[Head, L | None]]:
    """Return a known format's files, else the only file, else parts that have equal columns."""
    if files := _recognised(origins, FORMATS, side):
        return files
    tables = [o for o in origins if PurePosixPath(o.name).suffix.lower() in _TABLES]
    heads = _heads(tables)
    if heads and len({(head.kind, head.names) for head in heads}) == 1:
        return [(head, None) for head in heads]
    there = ", ".join(origin.name for origin in origins[:SHOWN]) or "nothing"
    raise BadUsage(
        f"{path} is {'an archive' if path.suffix == '.zip' else 'a folder'} of no known data set; "
        f"name a CSV, JSONL or Parquet file of it (there is {there})"
    )
