"""docs/encoders.md is true: its five lines run, and its tables are whole."""

import re
from pathlib import Path
from typing import Final

import msgspec
import pytest

from millstream.models.encoders.spec import EncoderSpec
from millstream.models.errors import ENCODER_FAULTS
from millstream.streams.encoders.builtin import BUILT_INS
from tests.models.encoders.folders import sentence_embedder
from tests.test_docs import table

PAGE: Final = Path(__file__).resolve().parent.parent / "docs/encoders.md"


def block(language: str) -> str:
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert isinstance(found, str)
    return found


def test_the_lines_of_the_page_open_a_folder_and_encode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = block("python")
    assert len(lines.strip().splitlines()) <= 5
    sentence_embedder(tmp_path / "my-encoder")
    monkeypatch.chdir(tmp_path)
    exec(compile(lines, str(PAGE), "exec"), {})
    assert capsys.readouterr().out.startswith("4 ")


def test_the_encoder_json_of_the_page_is_one() -> None:
    spec = msgspec.json.decode(block("json"), type=EncoderSpec)
    assert spec == EncoderSpec(
        modality="text",
        output="last_hidden_state",
        pooling="mean",
        inputs={"ids": "input_ids", "mask": "attention_mask"},
    )


def test_the_page_has_every_built_in_with_its_licence() -> None:
    rows = {cells[0].strip("`"): cells[3] for cells in table(PAGE, "name")}
    assert set(rows) == {*BUILT_INS, "hashing"}
    for name, known in BUILT_INS.items():
        assert known.licence.replace("-", " ") in rows[name].replace("-", " ")


def test_the_page_has_every_reason_in_order() -> None:
    assert tuple(row[0].strip("`") for row in table(PAGE, "reason")) == ENCODER_FAULTS
