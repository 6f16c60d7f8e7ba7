"""A peer's packages in a folder of their own: never in Millstream's environment."""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

INSTALL_S: Final = 900.0


class NotInstalled(Exception):
    """A peer's packages cannot be had here; the sentence says why."""


def packages_of(pins: Sequence[str], cache: Path) -> Path:
    """Return the folder of pinned packages, the peer's own first; it need not be there."""
    # Compiled packages are of one Python; other pins are another folder.
    of = hashlib.sha256(" ".join((sys.version, *pins)).encode()).hexdigest()[:8]
    return cache / "peers" / f"{pins[0].replace('==', '-')}-{of}"


def ensure_installed(pins: Sequence[str], cache: Path) -> Path | None:
    """Return the folder that holds the pinned packages, None when none are needed.

    It is made aside and renamed, so that it is there whole or not. Raises NotInstalled.
    """
    if not pins:
        return None
    folder = packages_of(pins, cache)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="aside-", dir=folder.parent) as aside:
        made = Path(aside) / "packages"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--prefer-binary"]
        command += ["--disable-pip-version-check", "--target", str(made), *pins]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise NotInstalled(f"pip took longer than {INSTALL_S:.0f} s") from error
        if done.returncode:
            raise NotInstalled(_reason(done.stderr))
        with suppress(OSError):  # another run was quicker, with the same packages
            made.rename(folder)
    return folder


def _reason(said: str) -> str:
    """Return pip's own error in one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "× "))]
    return ((errors or lines or ["pip failed without a word"])[-1])[:300]
