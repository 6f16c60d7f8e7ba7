"""A catalogue's file in, described items out: what `evaluate --items` and its kin begin with."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import msgspec

from millstream.models.encoders.encoder import MODALITIES
from millstream.streams.assembly import new_input_reader
from millstream.streams.catalogue_table import read_items
from millstream.streams.describe import describe
from millstream.streams.described import DescribedItems
from millstream.streams.encoders.choose import OFF, open_encoders
from millstream.streams.errors import BadUsage
from millstream.streams.item_content import decode_content
from millstream.streams.item_fields import ItemMessage
from millstream.streams.item_message import RejectedItem
from millstream.streams.media_decoders import DECODERS
from millstream.streams.settings import Settings
from millstream.streams.vector_files import VectorFiles

FOLDER: Final = "vectors"
"""In the data folder, where vectors are kept between runs."""
FLAG: Final = "--item-columns"
CONTENT: Final = "content"
MANY: Final = 5_000
"""Items that take long enough to say so where no bar is shown: at some ms each."""

Say = Callable[[str], None]
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


def describe_file(
    source: str,
    columns: Mapping[str, str],
    settings: Settings,
    cache: Path,
    say: Say,
    progress: Progress,
) -> DescribedItems:
    """Return the items of a file or data set; paths of media are relative to the file.

    Encoders are those of the settings, fetched into `cache` where they are not there and the
    catalogue has something for them. Raises BadUsage and WorldMissing.
    """
    if CONTENT not in settings.model.sources:
        raise BadUsage(f"--items is for the source {CONTENT}, which model.sources leaves out")
    messages = read_items(source, columns, settings.data_path, say, FLAG)
    needed = _modalities(messages)
    encoders = open_encoders(_without(settings, needed), cache, fetch=True, say=say)
    path = Path(source).expanduser()
    folder = (path if path.is_dir() else path.parent).absolute()
    encode = msgspec.structs.replace(settings.encode, media_dir=str(folder))
    here = msgspec.structs.replace(settings, encode=encode)
    inputs = new_input_reader(here, [*encoders], DECODERS)
    kept = VectorFiles(settings.data_path / FOLDER, settings.encode.cache_mb * 1_000_000)
    if len(messages) >= MANY:
        say(f"describing {len(messages):,} items; their vectors are kept for the next run")
    with progress("describing", len(messages)) as tick:
        found = describe(source, messages, encoders, inputs, kept, say, tick)
    if found.failed.keys() & {"media-missing", "media-forbidden"}:
        say(f"paths of media are looked for below {folder}")
    if unread := sorted(needed - encoders.keys()):
        say(f"no encoder of {', '.join(unread)} is open: that of {source} is not read")
    elif not found.modalities():
        say(f"{source} says nothing of what its items are like: name its columns with {FLAG}")
    return found


def _modalities(messages: Collection[ItemMessage]) -> set[str]:
    """Return what these items have anything of for an encoder; a film is pictures."""
    found: set[str] = set()
    for message in messages:
        content = decode_content(message.value)
        if not isinstance(content, RejectedItem):
            found |= content.modalities
    return found


def _without(settings: Settings, needed: Collection[str]) -> Settings:
    """Return settings by which no encoder is opened that has nothing to read."""
    off = {modality: OFF for modality in MODALITIES if modality not in needed}
    encoders = msgspec.structs.replace(settings.encoders, **off)
    return msgspec.structs.replace(settings, encoders=encoders)
