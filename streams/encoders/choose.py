"""Which encoders the settings mean, opened."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from millstream.models.encoders.encoder import Encoder, Encoders, Modality
from millstream.models.encoders.folder import open_audio, open_image, open_text
from millstream.models.encoders.hashing import HashingText
from millstream.models.errors import EncoderRefused
from millstream.streams.encoders.builtin import BUILT_INS
from millstream.streams.encoders.kept import encoder_folder, ensure_encoder, is_here
from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.settings import EncoderSettings, Settings

AUTO: Final = "auto"
OFF: Final = "off"
HASHING: Final = "hashing"

Say = Callable[[str], None]
Content = TypeVar("Content")

logger = logging.getLogger("millstream")


def open_encoders(
    settings: Settings, cache: Path, fetch: bool = False, say: Say = logger.info
) -> Encoders:
    """Return the encoders of the settings by modality; one that is off is not in it.

    `fetch` brings built-ins that are not here yet. What `auto` came to is said. Raises BadUsage,
    WorldMissing, and EncoderRefused for a model that is not run.
    """
    return _open(settings, cache, fetch, say, _raise)


def open_usable(settings: Settings, cache: Path, say: Say = logger.info) -> Encoders:
    """Return those that can be opened, and say of the others why not. Raises BadUsage.

    For a worker: items are hidden and shown, and embedded by what is left, whatever became of a
    model's file. Vectors that the missing encoder has published stay.
    """

    def refused(modality: Modality, error: WorldMissing | EncoderRefused) -> None:
        logger.warning("goes on without an encoder of %s: %s", modality, error)

    return _open(settings, cache, False, say, refused)


def _raise(_: Modality, error: WorldMissing | EncoderRefused) -> None:
    raise error


def _open(
    settings: Settings,
    cache: Path,
    fetch: bool,
    say: Say,
    refused: Callable[[Modality, WorldMissing | EncoderRefused], None],
) -> Encoders:
    found: Encoders = {}
    chosen = settings.encoders

    @contextmanager
    def told(modality: Modality) -> Iterator[None]:
        try:
            yield
        except (WorldMissing, EncoderRefused) as error:
            refused(modality, error)

    with told("text"):
        place = _folder("text", chosen.text, cache, fetch, say)
        if isinstance(place, Path):
            found["text"] = _opened("text", open_text, place, cache, chosen)
        elif place == HASHING:
            found["text"] = HashingText()
    with told("image"):
        place = _folder("image", chosen.image, cache, fetch, say)
        if isinstance(place, Path):
            found["image"] = _opened("image", open_image, place, cache, chosen)
    with told("audio"):
        place = _folder("audio", chosen.audio, cache, fetch, say)
        if isinstance(place, Path):
            found["audio"] = _opened("audio", open_audio, place, cache, chosen)
    return found


def built_in(modality: Modality) -> str:
    """Return the name of the built-in encoder of a modality."""
    return next(name for name, known in BUILT_INS.items() if known.modality == modality)


def _folder(modality: Modality, said: str, cache: Path, fetch: bool, say: Say) -> Path | str:
    """Return where an encoder lies, or `hashing`, or `off`."""
    if said == OFF or (said == HASHING and modality == "text"):
        return said
    if said == AUTO:
        return _auto(modality, cache, fetch, say)
    if said in BUILT_INS:
        of = BUILT_INS[said].modality
        if of != modality:
            raise BadUsage(f"encoders.{modality} is {said}, which encodes {of}")
        if fetch:
            return ensure_encoder(said, cache, say)
        if not is_here(said, cache):
            raise WorldMissing(
                f"encoders.{modality} is {said}, which is not here; bring it with: "
                f"millstream encoders fetch {said}"
            )
        return encoder_folder(said, cache)
    folder = Path(said).expanduser()
    if not folder.is_dir():
        known = ", ".join([AUTO, OFF, *([HASHING] if modality == "text" else [])])
        raise WorldMissing(
            f"encoders.{modality} is {said!r}: no such folder, and none of {known}, "
            f"{built_in(modality)}"
        )
    return folder


def _auto(modality: Modality, cache: Path, fetch: bool, say: Say) -> Path | str:
    name = built_in(modality)
    instead = HASHING if modality == "text" else OFF
    if is_here(name, cache):
        return encoder_folder(name, cache)
    if fetch:
        try:
            return ensure_encoder(name, cache, say)
        except WorldMissing as error:
            say(f"{modality}: {error}")
    meaning = "hashed words, a fallback that knows spelling only" if modality == "text" else "off"
    say(f"{modality}: {meaning}; better with: millstream encoders fetch {name}")
    return instead


def _opened(
    modality: Modality,
    opening: Callable[[Path, tuple[str, ...] | None, int], Encoder[Content]],
    folder: Path,
    cache: Path,
    chosen: EncoderSettings,
) -> Encoder[Content]:
    # Built-ins are made here, of wheels that are pinned: they need nobody's leave.
    allowed = None if folder.parent == cache / "encoders" else chosen.allowed or None
    try:
        return opening(folder, allowed, chosen.threads)
    except OSError as error:
        raise WorldMissing(f"encoders.{modality} cannot be read: {error}") from error
