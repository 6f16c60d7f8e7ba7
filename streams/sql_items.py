"""A catalogue out of a database: rows of one query, streamed, each a message."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

from millstream.streams.catalogue_rows import CatalogueRows
from millstream.streams.catalogue_table import GUESSED
from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.guesses import guessed, listed
from millstream.streams.item_fields import ItemMessage
from millstream.streams.tables import Say

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, CursorResult

ROWS_AT_ONCE: Final = 500
CONNECT_S: Final = 10
INSTALL: Final = "pip install 'millstream[sql]'"
DRIVERS: Final = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "sqlite": "sqlite",
}

READ_ONLY: Final = {
    "postgresql": "set session characteristics as transaction read only",
    "mysql": "set session transaction read only",
    "mariadb": "set session transaction read only",
    "sqlite": "pragma query_only = on",
}


def is_database(source: str) -> bool:
    """Return whether a source is a database's URL."""
    return source.partition("://")[0] in DRIVERS and "://" in source


def read_sql_items(
    url: str, query: str, columns: Mapping[str, str], say: Say = lambda _: None
) -> Iterator[ItemMessage]:
    """Yield the items of a query's rows as they come; equal ids are not looked for.

    `columns` are ours to theirs, as in files. `say` hears at the end what was left out. Nothing
    is changed in the database. Raises WorldMissing, and BadUsage, none of which tells a password.
    """
    kept = 0
    with _connected(url) as connection, _result(connection, query) as result:
        names = list(map(str, result.keys()))
        rows = CatalogueRows(_found(names, columns))
        for number, row in enumerate(result, 1):
            message = rows.message(dict(zip(names, row, strict=True)), f"row {number}")
            if message is not None:
                kept += 1
                yield message
    for sentence in rows.said():
        say(sentence)
    if not kept:
        raise BadUsage("the query has no usable item")


def _found(names: list[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Return which of the query's columns is what."""
    if len(set(names)) != len(names):
        raise BadUsage(f"the query must name each column once; {listed(names)}")
    found: dict[str, str] = {}
    for ours, guesses in GUESSED.items():
        named = columns.get(ours)
        if named is not None and named not in names:
            raise BadUsage(f"the query has no column {named!r} for {ours}; {listed(names)}")
        column = named or guessed(names, guesses)
        if column is not None:
            found[ours] = column
    if "item" not in found:
        raise BadUsage(
            f"the query has no column item; {listed(names)}: say which it is with "
            "--columns item=NAME"
        )
    return found


@contextmanager
def _result(connection: "Connection", query: str) -> Iterator["CursorResult[Any]"]:
    """Run a query, of whose rows ROWS_AT_ONCE are held."""
    # The driver's own text: a colon or a percent sign in a query is no parameter of ours.
    streamed = connection.execution_options(yield_per=ROWS_AT_ONCE, no_parameters=True)
    with closing(streamed.exec_driver_sql(query)) as result:
        if not result.returns_rows:
            raise BadUsage("--query must be one that returns rows: select …")
        yield result


@contextmanager
def _connected(text: str) -> Iterator["Connection"]:
    """Connect for reading; whatever was done is rolled back."""
    try:
        from sqlalchemy import create_engine, exc
        from sqlalchemy.pool import NullPool
    except ImportError as error:
        raise WorldMissing(f"databases need more: {INSTALL}") from error
    url = _url(text)
    try:
        engine = create_engine(url, poolclass=NullPool, connect_args=_arguments(url))
    except ImportError as error:
        raise WorldMissing(
            f"the driver of {url.get_backend_name()} is missing: {INSTALL}"
        ) from error
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(READ_ONLY[url.get_backend_name()])
            connection.commit()  # it holds for the session, from the next transaction on
            try:
                yield connection
            finally:
                connection.rollback()
    except exc.OperationalError as error:
        raise WorldMissing(_sentence(url, error)) from error
    except exc.SQLAlchemyError as error:
        raise BadUsage(_sentence(url, error)) from error
    finally:
        engine.dispose()


def _url(text: str) -> "URL":
    from sqlalchemy import exc, make_url

    scheme, _, rest = text.partition("://")
    try:
        return make_url(f"{DRIVERS[scheme]}://{rest}")
    except (exc.ArgumentError, ValueError):
        # Neither is its message shown nor is it kept as the cause: it may hold the password.
        raise BadUsage(
            f"the database's URL is not understood; write {scheme}://USER:PASSWORD@HOST/DATABASE"
        ) from None


def _arguments(url: "URL") -> dict[str, object]:
    return {} if url.get_backend_name() == "sqlite" else {"connect_timeout": CONNECT_S}


def _sentence(url: "URL", error: Exception) -> str:
    """Return what a database says, on one line, without the password."""
    cause: object = getattr(error, "orig", None) or error
    said = " ".join(str(cause).split())
    if url.password:
        said = said.replace(str(url.password), "***")
    return f"{url.render_as_string(hide_password=True)}: {said[:300]}"
