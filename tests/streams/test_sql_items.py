"""A catalogue out of real databases: SQLite always, PostgreSQL and MariaDB where they are."""

import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
import pymysql
import pytest
from tests.streams.test_encode_job import until

from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.item_fields import ItemMessage
from millstream.streams.sql_items import is_database, read_sql_items

PASSWORD: Final = "hunter2%40x"
ROWS: Final = 3_000
CREATE: Final = (
    "create table products (sku integer primary key, name varchar(100), price decimal(8, 2), "
    "groups_ varchar(100), since timestamp, poster {blob}, is_hidden {bool})"
)
ALL: Final = "select * from products order by sku"
COLUMNS: Final = {
    "item": "sku",
    "title": "name",
    "categories": "groups_",
    "available_from": "since",
    "image": "poster",
    "hidden": "is_hidden",
}


def rows() -> list[tuple[object, ...]]:
    return [
        (n, f"Café {n} 100%:a", 9.5, "home|light", "2024-05-01 12:00:00", b"\x89PNG", n % 2 == 1)
        for n in range(ROWS)
    ]


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("sqlite") / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(CREATE.format(blob="blob", bool="boolean"))
        # It has no type for moments: what is written is what is read, so with its zone.
        timed = [(*row[:4], f"{row[4]}+00:00", *row[5:]) for row in rows()]
        connection.executemany("insert into products values (?, ?, ?, ?, ?, ?, ?)", timed)
        connection.commit()
    return f"sqlite:///{path}"


@contextmanager
def server(command: list[str], user: str, answers: Callable[[], object]) -> Iterator[None]:
    """Run a server, as another user where it refuses to be root's, until it is of no more use."""
    process = subprocess.Popen(
        command,
        user=user if os.geteuid() == 0 else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def ready() -> bool:
        assert process.poll() is None, "the server has ended"
        try:
            answers()
        except (psycopg.OperationalError, pymysql.OperationalError):
            return False
        return True

    try:
        until(ready)
        yield
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def program(name: str, *folders: str) -> str | None:
    """The path of a server's program, also where Debian hides it."""
    found = [str(path) for folder in folders for path in sorted(Path("/").glob(folder))]
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *found]))


def server_folder(stack: ExitStack, user: str) -> Path:
    """A folder that the server's user may write; a test's own is root's alone."""
    made = Path(tempfile.mkdtemp(prefix="millstream-db-"))
    stack.callback(shutil.rmtree, made, ignore_errors=True)
    if os.geteuid() == 0:
        os.chown(made, pwd.getpwnam(user).pw_uid, -1)
    return made


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    initdb = program("initdb", "usr/lib/postgresql/*/bin")
    if initdb is None:
        pytest.skip("no PostgreSQL here: apt install postgresql")
    user = "postgres" if any(u.pw_name == "postgres" for u in pwd.getpwall()) else "nobody"
    with ExitStack() as stack:
        folder = server_folder(stack, user)
        secret = folder / "secret"
        secret.write_text(PASSWORD.replace("%40", "@"))
        secret.chmod(0o644)
        data, port = folder / "data", free_port()
        subprocess.run(
            [initdb, "-D", data, "-U", "shop", "-A", "scram-sha-256", "--pwfile", secret, "-E",
             "UTF8", "--locale=C", "--no-sync"],
            user=user if os.geteuid() == 0 else None,
            check=True,
            capture_output=True,
        )  # fmt: skip
        command = [str(Path(initdb).parent / "postgres"), "-D", str(data), "-p", str(port), "-F",
                   "-c", "listen_addresses=127.0.0.1", "-k", str(folder)]  # fmt: skip
        url = f"postgresql://shop:{PASSWORD}@127.0.0.1:{port}/postgres"
        with server(command, user, lambda: psycopg.connect(url).close()):
            with psycopg.connect(url) as connection, connection.cursor() as cursor:
                cursor.execute(CREATE.format(blob="bytea", bool="boolean"))
                cursor.executemany("insert into products values (%s,%s,%s,%s,%s,%s,%s)", rows())
            yield url


@pytest.fixture(scope="module")
def mariadb() -> Iterator[str]:
    mariadbd = program("mariadbd", "usr/sbin", "usr/libexec")
    if mariadbd is None:
        pytest.skip("no MariaDB here: apt install mariadb-server-core")
    with ExitStack() as stack:
        folder = server_folder(stack, "nobody")
        data, port = folder / "data", free_port()
        secret = PASSWORD.replace("%40", "@")
        shared = Path(mariadbd).resolve().parents[1] / "share" / "mysql"
        # The server's own tables are made by its own scripts, as mariadb-install-db does.
        script = "create database mysql;\nuse mysql;\n" + "".join(
            (shared / f"{name}.sql").read_text()
            for name in ("mysql_system_tables", "mysql_performance_tables")
            if (shared / f"{name}.sql").is_file()
        )
        common = [mariadbd, "--no-defaults", f"--datadir={data}", f"--lc-messages-dir={shared}",
                  f"--character-sets-dir={shared / 'charsets'}"]  # fmt: skip
        as_user: dict[str, Any] = {"user": "nobody"} if os.geteuid() == 0 else {}
        subprocess.run(["mkdir", data], check=True, **as_user)
        made = subprocess.run(
            [*common, "--bootstrap", "--skip-grant-tables", "--innodb-log-file-size=8M"],
            input=script, text=True, capture_output=True, check=False, **as_user,
        )  # fmt: skip
        if made.returncode != 0:
            pytest.skip(f"this MariaDB cannot make a database: {made.stderr[-300:]}")
        start = folder / "start.sql"
        start.write_text(
            "create database shop;\n"
            f"create user shop@'127.0.0.1' identified by '{secret}';\n"
            "grant all on shop.* to shop@'127.0.0.1';\n"
        )
        start.chmod(0o644)
        command = [*common, f"--port={port}", "--bind-address=127.0.0.1", "--skip-name-resolve",
                   f"--socket={folder / 's'}", f"--init-file={start}",
                   f"--pid-file={folder / 'p'}"]  # fmt: skip

        def connect() -> Any:
            return pymysql.connect(
                host="127.0.0.1", port=port, user="shop", password=secret, database="shop"
            )

        with server(command, "nobody", lambda: connect().close()):
            with closing(connect()) as connection, connection.cursor() as cursor:
                cursor.execute(CREATE.format(blob="blob", bool="boolean"))
                cursor.executemany("insert into products values (%s,%s,%s,%s,%s,%s,%s)", rows())
                connection.commit()
            yield f"mysql://shop:{PASSWORD}@127.0.0.1:{port}/shop"


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def database(request: pytest.FixtureRequest) -> str:
    """Each of the three that is here, with the same rows."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def said() -> list[str]:
    return []


def read(url: str, query: str = ALL, **columns: str) -> list[ItemMessage]:
    return list(read_sql_items(url, query, columns or COLUMNS))


def test_the_rows_of_a_query_become_messages(database: str) -> None:
    items = read(database)
    assert [one.item for one in items] == [str(n) for n in range(ROWS)]
    found = msgspec.json.decode(items[7].value)
    moment = datetime.fromisoformat(found.pop("available_from"))
    assert moment == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert found == {
        "title": "Café 7 100%:a",
        "price": 9.5,
        "categories": ["home", "light"],
        "image": {"base64": "iVBORw=="},
        "hidden": True,
    }


def test_columns_may_be_named_in_the_query_itself(database: str) -> None:
    query = "select sku as item, name as title from products where name like '%:a' and sku < 2"
    assert [one.value for one in read_sql_items(database, query, {})] == [
        '{"title":"Café 0 100%:a"}'.encode(),
        '{"title":"Café 1 100%:a"}'.encode(),
    ]


def test_rows_are_streamed_and_not_held(database: str) -> None:
    """In a process of its own, where nobody else's memory counts."""
    query = "select a.sku as item, b.name as title from products a, products b where b.sku < 20"
    script = (
        "import sys, tracemalloc\n"
        "from millstream.streams.sql_items import read_sql_items\n"
        "next(read_sql_items(*sys.argv[1:], {}))\n"  # what a first reading imports is no row
        "tracemalloc.start()\n"
        "print(sum(1 for _ in read_sql_items(*sys.argv[1:], {})))\n"
        "print(tracemalloc.get_traced_memory()[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, database, query],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    rows, most = map(int, done.stdout.split())
    assert rows == ROWS * 20
    assert most < 5_000_000, "60,000 rows at once are 15 MB"


def test_postgres_is_asked_for_rows_as_they_are_needed(postgres: str) -> None:
    """Its driver would hold them where Python sees none; so a row far behind must not matter yet.

    What was not asked for cannot fail.
    """
    query = f"select sku as item, 1 / ({ROWS - 1} - sku) as n from products order by sku"
    reading = read_sql_items(postgres, query, {})
    assert [next(reading).item for _ in range(1_000)] == [str(n) for n in range(1_000)]
    with pytest.raises((BadUsage, WorldMissing), match="division by zero"):
        list(reading)


def test_nothing_is_changed_in_the_database(database: str) -> None:
    for query in ("delete from products", "drop table products", "update products set name = ''"):
        with pytest.raises((BadUsage, WorldMissing)):
            read(database, query) and None
        assert len(read(database)) == ROWS, query


def test_rows_that_are_no_items_are_left_out_and_said(sqlite: str, said: list[str]) -> None:
    query = "select 1 as item, 'A' as title union all select null, 'B' union all select 3, x'00ff'"
    items = list(read_sql_items(sqlite, query, {}, said.append))
    assert [one.item for one in items] == ["1", "3"]
    assert said == [
        "1 rows left out; the first is row 2 (no usable item)",
        "1 values of title are not understood and left out; the first is b'\\x00\\xff' (row 3)",
    ]


@pytest.mark.parametrize(
    ("query", "columns", "sentence"),
    [
        ("selec 1", {}, "syntax"),
        ("select 1 as x", {}, "say which it is with --columns item=NAME"),
        ("select 1 as x", {"item": "y"}, "no column 'y' for item"),
        ("select 1 as item, 2 as item", {}, "name each column once"),
        ("select 1 as item where 1 = 0", {}, "no usable item"),
        ("select 1 as item from nowhere", {}, "nowhere"),
    ],
)
def test_a_query_that_is_wrong_is_refused_with_a_sentence(
    database: str, query: str, columns: dict[str, str], sentence: str
) -> None:
    with pytest.raises((BadUsage, WorldMissing), match=sentence) as refused:
        list(read_sql_items(database, query, columns))
    assert "hunter2" not in str(refused.value)


def test_a_wrong_password_is_told_without_any_password(postgres: str, mariadb: str) -> None:
    for url in (postgres, mariadb):
        wrong = url.replace("hunter2", "letmein")
        with pytest.raises(WorldMissing, match=r"shop:\*\*\*@127") as refused:
            read(wrong)
        assert "letmein" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["postgresql://a:secret@127.0.0.1:1/x", "mysql://a:secret@127.0.0.1:1/x"]
)
def test_a_database_that_is_not_there_is_missing(url: str) -> None:
    with pytest.raises(WorldMissing) as refused:
        read(url)
    assert "secret" not in str(refused.value)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize("url", ["postgresql://a:secret@h:port/x", "mysql://a:sec ret@[::1/x"])
def test_a_url_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises((BadUsage, WorldMissing)) as refused:
        read(url)
    assert "sec" not in str(refused.value).replace("second", "")
    assert refused.value.__cause__ is None or "secret" not in str(refused.value.__cause__)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "sqlalchemy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(WorldMissing, match=r"pip install 'millstream\[sql\]'"):
        read("sqlite://")


@pytest.mark.parametrize(
    ("source", "true"),
    [
        ("postgresql://h/x", True),
        ("mysql://h/x", True),
        ("sqlite:///x.db", True),
        ("mariadb://h/x", True),
        ("catalogue.csv", False),
        ("postgresql", False),
        ("ftp://h/x", False),
    ],
)
def test_a_database_is_known_by_its_url(source: str, true: bool) -> None:
    assert is_database(source) == true
