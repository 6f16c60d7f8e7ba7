"""What the settings mean, with and without fetched encoders."""

from pathlib import Path

import msgspec
import pytest
from tests.models.encoders.folders import clip_in_two_files, sentence_embedder

from millstream.models.errors import EncoderRefused
from millstream.streams.encoders.choose import open_encoders, open_usable
from millstream.streams.errors import BadUsage, WorldMissing
from millstream.streams.settings import EncoderSettings, Settings
from millstream.streams.settings_reader import as_environment, load_settings


def chosen(**encoders: object) -> Settings:
    return Settings(encoders=msgspec.convert(encoders, EncoderSettings))


def test_auto_without_anything_fetched_is_hashing_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    found = open_encoders(Settings(), tmp_path, say=said.append)
    assert {name: encoder.space for name, encoder in found.items()} == {"text": "hashing"}  # type: ignore[attr-defined]
    assert len(said) == 3
    assert "millstream encoders fetch use-multilingual" in said[0]


def test_off_is_off(tmp_path: Path) -> None:
    assert open_encoders(chosen(text="off", image="off", audio="off"), tmp_path) == {}


def test_folders_are_opened(tmp_path: Path) -> None:
    sentence_embedder(tmp_path / "e5")
    clip_in_two_files(tmp_path / "clip")
    found = open_encoders(
        chosen(text=str(tmp_path / "e5"), image=str(tmp_path / "clip"), audio="off"), tmp_path
    )
    assert [*found] == ["text", "image"]
    assert found["image"].dim == 4


def test_a_worker_goes_on_with_what_can_be_opened_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sentence_embedder(tmp_path / "e5")
    clip_in_two_files(tmp_path / "clip")
    (model,) = (tmp_path / "e5").rglob("*.onnx")
    model.write_bytes(b"cut")
    settings = chosen(text=str(tmp_path / "e5"), image=str(tmp_path / "clip"), audio="aisfx")
    with caplog.at_level("WARNING", "millstream"):
        assert [*open_usable(settings, tmp_path)] == ["image"]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "an encoder of text" in said[0]
    assert "fetch it again" in said[0]
    assert "millstream encoders fetch aisfx" in said[1]
    with pytest.raises(BadUsage):
        open_usable(chosen(text="aisfx"), tmp_path)


def test_only_allowed_models_of_folders_are_opened(tmp_path: Path) -> None:
    sentence_embedder(tmp_path / "e5")
    with pytest.raises(EncoderRefused, match="not allowed"):
        open_encoders(chosen(text=str(tmp_path / "e5"), allowed=["0" * 64]), tmp_path)


def test_what_is_not_there_is_missing_and_what_is_meant_wrongly_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorldMissing, match="no such folder"):
        open_encoders(chosen(text="bert-of-the-north"), tmp_path)
    with pytest.raises(WorldMissing, match="millstream encoders fetch aisfx"):
        open_encoders(chosen(text="off", image="off", audio="aisfx"), tmp_path)
    with pytest.raises(BadUsage, match="encodes audio"):
        open_encoders(chosen(text="aisfx"), tmp_path)
    with pytest.raises(WorldMissing):
        open_encoders(chosen(text="off", image="hashing"), tmp_path)


def test_the_built_ins_are_what_auto_means_once_they_are_here(
    built_ins: dict[str, Path],
) -> None:
    cache = next(iter(built_ins.values())).parent.parent
    found = open_encoders(Settings(), cache)
    spaces = [found["text"].space, found["image"].space, found["audio"].space]
    assert spaces == ["use-multilingual-3", "efficientnet-lite0", "aisfx"]


def test_the_settings_reach_another_process_by_the_environment() -> None:
    settings = chosen(text="hashing", allowed=["0" * 64, "1" * 64])
    assert load_settings(environ=as_environment(settings)).encoders == settings.encoders
    assert load_settings(environ=as_environment(Settings())).encoders == EncoderSettings()


def test_an_allowed_hash_that_is_none_is_refused() -> None:
    with pytest.raises(BadUsage, match="64 hex digits"):
        load_settings(environ={"MILLSTREAM_ENCODERS_ALLOWED": "abc"})
