"""Which columns of a file hold an event's fields: said, known of its format, or guessed aloud."""

from millstream.streams.delimited import Dialect
from millstream.streams.errors import BadUsage
from millstream.streams.guesses import EVENT_NAMES, PLAIN, find_column, guessed, listed
from millstream.streams.loaders.format import Layout
from millstream.streams.origins import Head
from millstream.streams.reading import Reading
from millstream.streams.tables import Say, column_names


def event_columns(
    head: Head, layout: Layout | None, reading: Reading, say: Say
) -> tuple[dict[str, str], Dialect | None]:
    """Return the file's column for each of our fields, and how the file is written."""
    dialect = layout.dialect if layout else _numbered(head, reading)
    names = column_names(head, dialect)
    if layout and layout.reshape:
        if reading.columns:
            raise BadUsage(f"{head.origin} is known, and so are its columns; leave --columns out")
        return dict(layout.columns), dialect
    found: dict[str, str] = {}
    given = {**(layout.columns if layout else {}), **reading.columns}
    for ours, guesses in EVENT_NAMES.items():
        named = given.get(ours)
        if layout or (ours == "type" and not _types_may_be_guessed(reading)):
            guesses = ()
        column = find_column(head, ours, named, guesses, names)
        if named is None and column in found.values():
            column = None
        if column is not None:
            found[ours] = column
        elif ours in PLAIN:
            headless = head.kind == "delimited" and any(name[0].isdigit() for name in names)
            raise BadUsage(
                f"{head.origin} has no column {ours}; {listed(names)}: say which it is with "
                f"--columns {ours}=NAME"
                + (", or, if that is a row, by number: --columns user=1,item=2,ts=3" * headless)
            )
    if reading.types and "type" not in found:
        raise BadUsage(f"{head.origin}: which column do --types speak of? --columns type=NAME")
    told = [
        f"{found[ours]} as {ours}"
        for ours, plain in PLAIN.items()
        if not layout and ours not in given and guessed([found[ours]], plain) is None
    ]
    if told:
        say(f"{head.origin.name}: read {', '.join(told)}; --columns says otherwise")
    return found, dialect


def _types_may_be_guessed(reading: Reading) -> bool:
    return reading.positive is None and (reading.type is None or bool(reading.types))


def _numbered(head: Head, reading: Reading) -> Dialect | None:
    """Return the dialect of a file without a header, if its columns were named by number."""
    theirs = list(reading.columns.values())
    plain = all(name.isdigit() and name not in head.names for name in theirs)
    if not theirs or not plain or head.kind in ("parquet", "json"):
        return None
    return Dialect(tuple(str(number) for number in range(1, len(head.names) + 1)), head.delimiter)
