"""Vectors on disk, by encoder version and content: what was encoded once is read the next time."""

import os
import zipfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from millstream.models.embedding import DIGEST_BYTES, Modality

Vector = npt.NDArray[np.float16]
Vectors = dict[bytes, Vector]
SUFFIX: Final = ".npz"
SHARE: Final = 3
"""Three modalities are encoded: a file has at most a third of the folder's bound."""
TORN: Final = (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile)


class VectorFiles:
    """A folder with a file for each encoder version, at most `bytes_max` in all.

    Of the files those go that were not used for longest. Two processes may write: the last wins,
    and none reads half a file.
    """

    def __init__(self, folder: Path, bytes_max: int) -> None:
        self._folder = folder
        self._bytes_max = bytes_max

    def read(self, modality: Modality, version: str) -> Vectors:
        """Return the vectors kept, by content digest; {} where there are none, or no whole file."""
        path = self._path(modality, version)
        try:
            if path.stat().st_size > self._bytes_max:
                return {}
            # Opened here: np.load does not close what it finds to be no archive.
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                digests, rows = file["digests"], file["rows"]
            os.utime(path)
        except TORN:
            return {}
        whole = digests.dtype == np.uint8 and digests.shape == (len(rows), DIGEST_BYTES)
        if not whole or rows.dtype != np.float16 or rows.ndim != 2:
            return {}
        rows.flags.writeable = False
        return {digests[n].tobytes(): rows[n] for n in range(len(rows))}

    def write(self, modality: Modality, version: str, vectors: Mapping[bytes, Vector]) -> None:
        """Keep the first of these, as many as fit, in place of what was. Raises OSError."""
        width = next((len(vector) for vector in vectors.values()), 0)
        most = self._bytes_max // SHARE // (2 * width + DIGEST_BYTES) if width else 0
        kept = dict(islice(vectors.items(), most))
        if not kept:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(modality, version)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        digests = np.frombuffer(b"".join(kept), np.uint8).reshape(len(kept), DIGEST_BYTES)
        try:
            with part.open("wb") as file:
                np.savez(file, digests=digests, rows=np.stack(list(kept.values())))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        self._make_room(path)

    def _path(self, modality: Modality, version: str) -> Path:
        return self._folder / f"{modality}-{version}{SUFFIX}"

    def _make_room(self, newest: Path) -> None:
        """Delete the files that were not used for longest until the rest is within the bound."""
        files = {path: path.stat() for path in self._folder.glob(f"*{SUFFIX}")}
        total = sum(stat.st_size for stat in files.values())
        for path in sorted(files, key=lambda one: files[one].st_mtime_ns):
            if total <= self._bytes_max or path == newest:
                return
            path.unlink(missing_ok=True)
            total -= files[path].st_size
