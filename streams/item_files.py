"""Media that a catalogue names by their files: into the message, or left in the media folder."""

from base64 import b64encode
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec

from millstream.streams.item_content import MEDIA_FIELDS, InFolder, media_ref
from millstream.streams.item_fields import ItemMessage
from millstream.streams.item_message import ITEM_BYTES_MAX

FILE_BYTES_MAX: Final = ITEM_BYTES_MAX * 3 // 4
"""Beyond it no file fits into a message, for base64 takes 4 bytes for 3."""

TOLD_CHARACTERS: Final = 100
TOO_LARGE: Final = "are too large for a message and belong into the folder encode.media_dir"


class MediaFiles:
    """Makes paths relative to a catalogue's file into what the ENCODE workers can read.

    What lies below the media folder stays a path, relative to that folder; any other file goes
    into the message. What is missing or does not fit is left out, and counted in `left_out`.
    """

    def __init__(self, folder: Path, media_dir: Path | None) -> None:
        """`folder` is the one that the catalogue's file is in."""
        self._folder = folder.absolute()
        self._media_dir = None if media_dir is None else media_dir.resolve()
        self.left_out: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def packed(self, message: ItemMessage) -> ItemMessage:
        """Return a message that needs no file beside it, or only those of the media folder."""
        if not any(f'"{name}":'.encode() in message.value for name in MEDIA_FIELDS):
            return message
        fields: dict[str, object] = msgspec.json.decode(message.value)
        for name in MEDIA_FIELDS:
            given = fields.get(name)
            if isinstance(given, str) and given and isinstance(media_ref(given), InFolder):
                self._place(message.item, fields, name, given)
        return ItemMessage(message.item, msgspec.json.encode(fields))

    def _place(self, item: str, fields: dict[str, object], name: str, given: str) -> None:
        """Put one file in its place, or take its field out."""
        if "\0" in given:  # no file's name
            del fields[name]
            self._leave_out("are not there", item, given)
            return
        path = (self._folder / given).resolve()
        if self._media_dir is not None:
            if path.is_relative_to(self._media_dir):
                fields[name] = path.relative_to(self._media_dir).as_posix()
                return
            if not path.is_file() and (self._media_dir / given).is_file():
                return
        del fields[name]
        try:
            size = path.stat().st_size if path.is_file() else -1
            content = path.read_bytes() if 0 <= size <= FILE_BYTES_MAX else b""
        except OSError:
            size, content = -1, b""
        whole = {**fields, name: {"base64": b64encode(content).decode()}}
        if size < 0:
            self._leave_out("are not there", item, given)
        elif size > FILE_BYTES_MAX or len(msgspec.json.encode(whole)) > ITEM_BYTES_MAX:
            self._leave_out(TOO_LARGE, item, given)
        else:
            fields[name] = whole[name]

    def _leave_out(self, why: str, item: str, given: str) -> None:
        self.left_out[why] += 1
        self._first.setdefault(why, f"{given[:TOLD_CHARACTERS]} of item {item}")

    def said(self) -> list[str]:
        """Return a sentence for each reason for which media were left out."""
        return [
            f"{count} media {why}; the first left out is {self._first[why]}"
            for why, count in self.left_out.items()
        ]
