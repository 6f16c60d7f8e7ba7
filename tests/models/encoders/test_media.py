"""Bytes that anybody may have sent: what they become, and what they cannot do."""

import json
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from millstream.models.encoders.encoder import Encoder, Pixels, Vectors, unit_rows
from millstream.models.encoders.pictures import decode_picture
from millstream.models.encoders.sounds import decode_sound
from millstream.models.encoders.videos import decode_video, encode_video
from millstream.models.errors import MediaRefused

MEMORY_BYTES = 1_500_000_000  # of addresses; the libraries alone map two thirds of it


def saved(picture: Image.Image, format: str, **options: object) -> bytes:
    out = BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_that_says(width: int, height: int) -> bytes:
    """A PNG of few bytes that unpacks to as much as it says."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 << 20)) for _ in range(200)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def apng(frames: int) -> bytes:
    pictures = [Image.new("RGB", (8, 8), (n % 256, 0, 0)) for n in range(frames)]
    return saved(pictures[0], "PNG", save_all=True, append_images=pictures[1:])


def refused(content: bytes) -> str:
    with pytest.raises(MediaRefused) as caught:
        decode_picture(content)
    return caught.value.reason


def test_a_picture_is_its_rgb_pixels() -> None:
    pixels = decode_picture(saved(Image.new("RGB", (3, 2), (10, 20, 30)), "PNG"))
    assert pixels.shape == (2, 3, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == (10, 20, 30)).all()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_every_format_is_read(format: str, mode: str) -> None:
    pixels = decode_picture(saved(Image.new(mode, (40, 20), 128), format))
    assert pixels.shape == (20, 40, 3)


def test_what_is_transparent_is_white() -> None:
    picture = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    picture.putpixel((1, 0), (0, 0, 0, 0))
    pixels = decode_picture(saved(picture, "PNG"))
    assert pixels[0].tolist() == [[255, 0, 0], [255, 255, 255]]


def test_a_picture_taken_sideways_stands_upright() -> None:
    picture = Image.new("RGB", (20, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert decode_picture(saved(picture, "JPEG", exif=exif)).shape == (20, 10, 3)


def test_sixteen_bits_of_grey_keep_their_shades() -> None:
    grey = Image.fromarray(np.array([[0, 0x8000, 0xFFFF]], np.uint16))
    assert decode_picture(saved(grey, "PNG"))[0, :, 0].tolist() == [0, 128, 255]


def test_of_ten_thousand_frames_the_first_is_read() -> None:
    assert (decode_picture(apng(10_000)) == (0, 0, 0)).all()


def test_what_is_no_picture_is_refused_with_its_reason() -> None:
    whole = saved(Image.effect_noise((64, 64), 50), "JPEG")
    assert refused(b"") == "empty"
    assert refused(whole[: len(whole) // 2]) == "corrupt"
    assert refused(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == "unknown-format"
    assert refused(saved(Image.new("RGB", (4, 4)), "GIF")) == "unknown-format"
    assert refused(bytes(20_000_001)) == "too-large"
    assert refused(png_that_says(50_000, 50_000)) == "too-many-pixels"
    assert refused(png_that_says(5000, 4001)) == "too-many-pixels"


@pytest.mark.parametrize("seed", range(20))
def test_a_picture_with_flipped_bytes_is_read_or_refused(seed: int) -> None:
    chance = np.random.default_rng(seed)
    for format in ("JPEG", "PNG", "WEBP"):
        content = bytearray(saved(Image.effect_noise((48, 48), 50), format))
        for place in chance.integers(0, len(content), 8):
            content[place] = chance.integers(256)
        with suppress(MediaRefused):
            assert decode_picture(bytes(content)).shape[2] == 3


def test_no_bad_picture_takes_more_than_the_memory_it_may(tmp_path: Path) -> None:
    contents = {
        "nothing": b"",
        "cut": saved(Image.effect_noise((900, 900), 50), "JPEG")[:20_000],
        "huge": png_that_says(50_000, 50_000),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='50000' height='50000'/>",
        "frames": apng(10_000),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    script = f"""
import json, resource, sys
from pathlib import Path
from millstream.models.encoders.pictures import decode_picture
from millstream.models.errors import MediaRefused
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
before = resource.getrusage(resource.RUSAGE_SELF)
found = {{}}
for path in Path(sys.argv[1]).iterdir():
    try:
        found[path.name] = decode_picture(path.read_bytes()).shape
    except MediaRefused as error:
        found[path.name] = error.reason
after = resource.getrusage(resource.RUSAGE_SELF)
found["cpu_s"] = after.ru_utime - before.ru_utime
found["grown_kb"] = after.ru_maxrss - before.ru_maxrss
print(json.dumps(found))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found.pop("cpu_s") < 1.0  # processor time, which a busy machine does not stretch
    assert found.pop("grown_kb") < 100_000
    assert found == {
        "nothing": "empty",
        "cut": "corrupt",
        "huge": "too-many-pixels",
        "svg": "unknown-format",
        "frames": [8, 8, 3],
    }


def tone(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, 1).astype(np.float32)


def sound_bytes(samples: np.ndarray, rate: int, format: str) -> bytes:
    out = BytesIO()
    soundfile.write(out, samples, rate, format=format)
    return out.getvalue()


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_sound_is_mono_at_its_own_rate(format: str) -> None:
    sound = decode_sound(sound_bytes(tone(1, 22_050, 2), 22_050, format))
    assert sound.rate == 22_050
    assert sound.samples.dtype == np.float32
    assert abs(len(sound.samples) - 22_050) < 2_500  # MP3 pads
    assert 0.45 < np.abs(sound.samples).max() < 0.55


def test_of_a_long_sound_a_minute_is_read() -> None:
    sound = decode_sound(sound_bytes(tone(70, 8000), 8000, "FLAC"))
    assert len(sound.samples) == 60 * 8000


def test_channels_are_averaged() -> None:
    both = np.array([[1.0, 0.0], [0.5, -0.5]], np.float32)
    sound = decode_sound(sound_bytes(both, 8000, "WAV"))
    np.testing.assert_allclose(sound.samples, [0.5, 0.0], atol=1e-4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"not a sound at all", "unknown-format"),
        (bytes(50_000_001), "too-large"),
        (sound_bytes(tone(0, 8000), 8000, "WAV"), "empty"),
        (sound_bytes(tone(1, 8000), 8000, "AIFF"), "unknown-format"),
        (sound_bytes(tone(1, 500), 500, "WAV"), "corrupt"),
    ],
    ids=["nothing", "text", "large", "no samples", "another format", "500 Hz"],
)
def test_what_is_no_sound_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(MediaRefused) as caught:
        decode_sound(content)
    assert caught.value.reason == reason


def test_samples_that_are_not_numbers_are_refused() -> None:
    out = BytesIO()
    soundfile.write(out, np.full(100, np.nan, np.float32), 8000, format="WAV", subtype="FLOAT")
    with pytest.raises(MediaRefused, match="not numbers"):
        decode_sound(out.getvalue())


def film(seconds: int, width: int = 64, height: int = 48, fps: int = 5) -> bytes:
    """Frames whose red tells the second."""
    av = pytest.importorskip("av")
    out = BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for n in range(seconds * fps):
            pixels = np.zeros((height, width, 3), np.uint8)
            pixels[..., 0] = 6 * (n // fps)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def test_a_film_is_one_frame_a_second() -> None:
    frames = decode_video(film(3))
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 3
    reds = [float(frame[..., 0].mean()) for frame in frames]
    assert reds == pytest.approx([0, 6, 12], abs=3)


def test_of_a_long_film_32_frames_are_read(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(film(40, fps=2))
    assert len(decode_video(path)) == 32


def test_large_frames_are_made_small() -> None:
    assert decode_video(film(1, 1024, 512))[0].shape == (256, 512, 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"#EXTM3U\nfile:///etc/hostname\n", "unknown-format"),
        (b"ffconcat version 1.0\nfile '/etc/hostname'\n", "unknown-format"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(200), "corrupt"),
    ],
    ids=["nothing", "playlist", "concatenation", "only a head"],
)
def test_what_is_no_film_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(MediaRefused) as caught:
        decode_video(content)
    assert caught.value.reason == reason


class Brightness:
    """An encoder that a person can compute: light and dark."""

    modality = "image"
    space = version = "brightness"
    dim = 2

    def encode(self, items: list[Pixels]) -> Vectors:
        shares = [float(one.mean()) / 255 for one in items]
        return unit_rows(np.array([[share, 1 - share] for share in shares]))


def test_a_film_is_the_mean_of_its_frames_at_length_one() -> None:
    light = np.full((2, 2, 3), 255, np.uint8)
    encoder: Encoder[Pixels] = Brightness()  # type: ignore[assignment]
    np.testing.assert_allclose(
        encode_video(encoder, [light, 0 * light]), [[0.5**0.5, 0.5**0.5]], atol=1e-6
    )
