"""The learner's whole state in files: written aside and renamed, checked when read, some kept."""

import io
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from millstream.models.frame import Array
from millstream.streams.errors import FoundWrong

FORMAT: Final = 1
NAME: Final = re.compile(r"model-(\d{20})\.snapshot")


class SnapshotRefused(FoundWrong):
    """A snapshot was made with other settings."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A learner's state at interaction `offset`; frames that follow it begin at `deltas`."""

    offset: int
    deltas: int
    settings: str
    topic: str  # id of the interactions topic that was folded
    arrays: Mapping[str, Array]


class _Meta(msgspec.Struct):
    format: int
    offset: int
    deltas: int
    settings: str
    topic: str
    sha256: str


class Snapshots:
    """Snapshots in a folder, the last `kept`; a torn or altered one is passed over."""

    def __init__(
        self, folder: Path, kept: int, failpoint: Callable[[str], None] = lambda _: None
    ) -> None:
        self.folder = folder
        self._kept = kept
        self._failpoint = failpoint
        self.refused = 0

    def save(self, snapshot: Snapshot) -> Path:
        """Write a snapshot and drop the oldest. Raises OSError when the disk does not take it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        body = io.BytesIO()
        np.savez(body, allow_pickle=False, **dict(snapshot.arrays))
        data = body.getvalue()
        meta = msgspec.json.encode(
            _Meta(
                FORMAT,
                snapshot.offset,
                snapshot.deltas,
                snapshot.settings,
                snapshot.topic,
                sha256(data).hexdigest(),
            )
        )
        path = self.folder / f"model-{snapshot.offset:020d}.snapshot"
        aside = path.with_suffix(f".{os.getpid()}.part")
        try:
            with aside.open("wb") as file:
                file.write(meta + b"\n" + data)
                file.flush()
                os.fsync(file.fileno())
            self._failpoint("snapshot.written")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        # By time of writing: a re-created topic begins again at low offsets.
        for old in sorted(self.paths(), key=lambda p: p.stat().st_mtime_ns)[: -self._kept]:
            old.unlink(missing_ok=True)
        for left in self.folder.glob("*.part"):  # of a worker that was killed while it wrote
            left.unlink(missing_ok=True)
        return path

    def paths(self) -> list[Path]:
        """Return the snapshot files, newest first."""
        if not self.folder.is_dir():
            return []
        return sorted((p for p in self.folder.iterdir() if NAME.fullmatch(p.name)), reverse=True)

    def newest(self, settings: str, topic: str, at_most: int | None = None) -> Snapshot | None:
        """Return the newest whole snapshot of this log, None when there is none.

        Raises SnapshotRefused when the newest whole one was made with other settings.
        """
        for snapshot in self._whole(topic):
            if at_most is not None and snapshot.offset > at_most:
                continue
            if snapshot.settings != settings:
                raise SnapshotRefused(
                    f"the snapshots in {self.folder} were made with settings {snapshot.settings}, "
                    f"these are {settings}; go back to those, or delete the folder to learn again "
                    "from the start of the log"
                )
            return snapshot
        return None

    def oldest(self, settings: str, topic: str) -> Snapshot | None:
        """Return the oldest whole snapshot of this log and these settings."""
        fitting = [s for s in self._whole(topic) if s.settings == settings]
        return fitting[-1] if fitting else None

    def _whole(self, topic: str) -> Iterator[Snapshot]:
        for path in self.paths():
            try:
                snapshot = _read(path)
            except (OSError, ValueError, KeyError, zipfile.BadZipFile, msgspec.DecodeError):
                self.refused += 1
                continue
            if snapshot.topic == topic:
                yield snapshot


def _read(path: Path) -> Snapshot:
    """Return a file's snapshot. Raises ValueError when it is torn, altered or newer."""
    head, _, data = path.read_bytes().partition(b"\n")
    meta = msgspec.json.decode(head, type=_Meta)
    if meta.format != FORMAT:
        raise ValueError(f"format {meta.format}")
    if sha256(data).hexdigest() != meta.sha256:
        raise ValueError("checksum")
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays: dict[str, Array] = {name: file[name] for name in file.files}
    return Snapshot(meta.offset, meta.deltas, meta.settings, meta.topic, arrays)
