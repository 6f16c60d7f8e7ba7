"""Which encoders the settings mean, opened."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from millstream.models.encoders.encoder import Encoder, Encoders, Modality, Pixels, Sound
from millstream.models.encoders.folder import open_audio, open_image, open_text
from millstream.models.encoders.hashing import HashingText
from millstream.models.errors import EncoderRefused
from millstream.streams.encoders.builtin import BUILT_INS
from millstream.streams.encoders.kept import encoder_folder, ensure_encoder, is_here
from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.settings import Settings

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
    try:
        if (text := _text(settings, cache, fetch, say)) is not None:
            found["text"] = text
    except (WorldMissing, EncoderRefused) as error:
        refused("text", error)
    try:
        if (image := _image(settings, cache, fetch, say)) is not None:
            found["image"] = image
    except (WorldMissing, EncoderRefused) as error:
        refused("image", error)
    try:
        if (audio := _audio(settings, cache, fetch, say)) is not None:
            found["audio"] = audio
    except (WorldMissing, EncoderRefused) as error:
        refused("audio", error)
    return found


def _text(settings: Settings, cache: Path, fetch: bool, say: Say) -> Encoder[str] | None:
    chosen = settings.encoders
    folder = _folder("text", chosen.text, cache, fetch, say)
    if folder == HASHING:
        return HashingText()
    if not isinstance(folder, Path):
        return None
    allowed = _unless_built_in(folder, cache, chosen.allowed or None)
    return _opened("text", lambda: open_text(folder, allowed, chosen.threads))


def _image(settings: Settings, cache: Path, fetch: bool, say: Say) -> Encoder[Pixels] | None:
    chosen = settings.encoders
    folder = _folder("image", chosen.image, cache, fetch, say)
    if not isinstance(folder, Path):
        return None
    allowed = _unless_built_in(folder, cache, chosen.allowed or None)
    return _opened("image", lambda: open_image(folder, allowed, chosen.threads))


def _audio(settings: Settings, cache: Path, fetch: bool, say: Say) -> Encoder[Sound] | None:
    chosen = settings.encoders
    folder = _folder("audio", chosen.audio, cache, fetch, say)
    if not isinstance(folder, Path):
        return None
    allowed = _unless_built_in(folder, cache, chosen.allowed or None)
    return _opened("audio", lambda: open_audio(folder, allowed, chosen.threads))


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


def _unless_built_in(
    folder: Path, cache: Path, allowed: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """Return what may be run: built-ins are made here, of wheels that are pinned."""
    return None if folder.parent == cache / "encoders" else allowed


def _opened(modality: Modality, opening: Callable[[], Encoder[Content]]) -> Encoder[Content]:
    try:
        return opening()
    except OSError as error:
        raise WorldMissing(f"encoders.{modality} cannot be read: {error}") from error
