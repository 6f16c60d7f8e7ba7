"""Folders of what is fetched: whole, or not there at all, however many fetch it at once."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def fetched_into(folder: Path, is_here: Callable[[], bool]) -> Iterator[tuple[Path, Path]]:
    """Give a folder to work in and one to fill, which stands at `folder` when all has gone well.

    `is_here` says whether `folder` is whole. Who was quicker has the same files, so theirs stay;
    what is there and is not whole is replaced. After an exception nothing is left.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
        aside = Path(name)
        ready = aside / "ready"
        ready.mkdir()
        yield aside, ready
        if folder.exists() and not is_here():
            shutil.rmtree(folder)
        try:
            ready.rename(folder)
        except OSError:
            if not is_here():
                raise
