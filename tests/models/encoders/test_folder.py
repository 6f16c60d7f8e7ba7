"""An encoder out of a folder, in every style that exporters write."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto as T
from tests.models.encoders.folders import (
    TABLE,
    TEXT_WEIGHTS,
    TOKENS,
    clap,
    clip_in_one_file,
    clip_in_two_files,
    dino,
    node,
    preprocessor,
    save,
    sentence_embedder,
    text_nodes,
    tokenizer,
    write_json,
)

from millstream.models.encoders.encoder import Encoder, Pixels, Sound, unit_rows
from millstream.models.encoders.folder import modalities, open_audio, open_image, open_text

RED_WINE = [1, 4, 6, 2]  # [CLS] red wine [SEP]


def picture(red: int, green: int, blue: int, height: int = 8, width: int = 8) -> Pixels:
    return np.full((height, width, 3), (red, green, blue), np.uint8)


def test_a_sentence_is_the_mean_of_its_tokens(tmp_path: Path) -> None:
    sentence_embedder(tmp_path)
    encoder = open_text(tmp_path)
    expected = unit_rows(TABLE[RED_WINE].mean(axis=0, keepdims=True))
    np.testing.assert_allclose(encoder.encode(["red wine"]), expected, atol=1e-6)
    assert (encoder.modality, encoder.dim) == ("text", 4)
    assert modalities(tmp_path) == ("text",)


def test_types_of_tokens_are_fed_only_where_they_are_declared(tmp_path: Path) -> None:
    sentence_embedder(tmp_path / "with")
    sentence_embedder(tmp_path / "without", types=False)
    one, other = (open_text(tmp_path / name).encode(["red wine"]) for name in ("with", "without"))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_folder_that_pools_by_its_first_token_is_believed(tmp_path: Path) -> None:
    sentence_embedder(tmp_path)
    write_json(tmp_path / "1_Pooling/config.json", pooling_mode_cls_token=True)
    np.testing.assert_allclose(
        open_text(tmp_path).encode(["red wine"]), unit_rows(TABLE[[1]]), atol=1e-6
    )


@pytest.mark.parametrize(("name", "rows"), [("bge-small-zh", [1]), ("multilingual-e5-small", None)])
def test_families_have_their_habits(tmp_path: Path, name: str, rows: list[int] | None) -> None:
    sentence_embedder(tmp_path / name)
    found = open_text(tmp_path / name).encode(["red wine"])
    # e5 reads "query: red wine": [CLS] [UNK] [UNK] red wine [SEP]
    expected = TABLE[rows or [1, 3, 3, 4, 6, 2]].mean(axis=0, keepdims=True)
    np.testing.assert_allclose(found, unit_rows(expected), atol=1e-6)


def test_a_text_alone_and_among_longer_ones_has_one_vector(tmp_path: Path) -> None:
    sentence_embedder(tmp_path)
    encoder = open_text(tmp_path)
    texts = ["red", "red wine", "blue sea two words", "", "sea", "two words " * 300]
    together = encoder.encode(texts)
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(encoder.encode([text])[0], row, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_a_model_whose_scale_is_the_batchs_runs_each_item_alone(tmp_path: Path) -> None:
    tokenizer(tmp_path)
    write_json(tmp_path / "config.json")
    nodes = text_nodes("mean")
    save(
        tmp_path / "model.onnx",
        [
            *nodes,
            # x - x/scale of the batch: what dynamic quantisation does, writ large
            *[_dynamic()],
            node("Cast", ["q"], "f", to=T.FLOAT),
            node("Mul", ["f", "scale"], "sentence_embedding"),
        ],
        {"input_ids": TOKENS},
        {"sentence_embedding": ("batch", 4)},
        TEXT_WEIGHTS,
    )
    encoder = open_text(tmp_path)
    together = encoder.encode(["red", "blue", "wine", "sea"])
    alone = np.concatenate([encoder.encode([one]) for one in ("red", "blue", "wine", "sea")])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def _dynamic():  # one of three outputs needs its own call
    from onnx import helper

    return helper.make_node("DynamicQuantizeLinear", ["mean"], ["q", "scale", "zero"])


@pytest.mark.parametrize("write", [clip_in_two_files, clip_in_one_file])
def test_both_towers_of_an_export_share_a_space(tmp_path: Path, write) -> None:
    write(tmp_path)
    assert modalities(tmp_path) == ("text", "image")
    text: Encoder[str] = open_text(tmp_path)
    image: Encoder[Pixels] = open_image(tmp_path)
    assert text.space == image.space
    assert text.dim == image.dim == 4
    np.testing.assert_allclose(
        text.encode(["red wine"]), unit_rows(TABLE[RED_WINE].mean(0, keepdims=True)), atol=1e-6
    )
    np.testing.assert_allclose(image.encode([picture(0, 255, 0)]), [[0, 1, 0, 0]], atol=1e-6)


def test_a_wide_picture_keeps_its_middle(tmp_path: Path) -> None:
    clip_in_two_files(tmp_path)
    wide = picture(255, 0, 0, 8, 32)
    wide[:, 8:24] = (0, 0, 255)
    np.testing.assert_allclose(open_image(tmp_path).encode([wide]), [[0, 0, 1, 0]], atol=0.02)


@pytest.mark.parametrize("output", ["last_hidden_state", "pooler_output"])
def test_dino_is_its_first_token_or_what_it_pools(tmp_path: Path, output: str) -> None:
    dino(tmp_path, output)
    (row,) = open_image(tmp_path).encode([picture(200, 10, 30)])
    np.testing.assert_allclose(row, [0.5] * 4, atol=1e-6)  # four equal red pixels


def test_clap_hears_the_pitch(tmp_path: Path) -> None:
    clap(tmp_path)
    encoder = open_audio(tmp_path)
    assert modalities(tmp_path) == ("audio",)

    def tone(hz: float, rate: int, seconds: float = 1.5) -> Sound:
        time = np.arange(int(seconds * rate)) / rate
        return Sound(np.sin(2 * np.pi * hz * time).astype(np.float32), rate)

    low, low_too, high = encoder.encode([tone(300, 8000), tone(300, 16_000), tone(3000, 8000)])
    assert low @ low_too > 0.99  # another rate, the same sound
    assert low @ high < 0.95


def test_an_encoder_json_says_all_itself(tmp_path: Path) -> None:
    tokenizer(tmp_path)
    save(
        tmp_path / "mine.onnx",
        [node("Gather", ["table", "words_in"], "words_out")],
        {"words_in": TOKENS},
        {"words_out": ("batch", "tokens", 4)},
        {"table": TABLE},
    )
    said = {"format": 1, "modality": "text", "file": "mine.onnx", "inputs": {"ids": "words_in"}}
    write_json(
        tmp_path / "encoder.json", **said, output="words_out", pooling="cls", space="ours", dim=4
    )
    encoder = open_text(tmp_path)
    assert encoder.space == "ours"
    np.testing.assert_allclose(encoder.encode(["red"]), unit_rows(TABLE[[1]]), atol=1e-6)


def test_whatever_shapes_vectors_changes_the_version(tmp_path: Path) -> None:
    sentence_embedder(tmp_path)
    versions = [open_text(tmp_path).version]
    assert open_text(tmp_path).version == versions[0]
    write_json(tmp_path / "1_Pooling/config.json", pooling_mode_cls_token=True)
    versions.append(open_text(tmp_path).version)
    tokens = tmp_path / "tokenizer.json"
    tokens.write_text(tokens.read_text().replace('"wine"', '"vine"'))
    versions.append(open_text(tmp_path).version)
    sentence_embedder(tmp_path, types=False)
    versions.append(open_text(tmp_path).version)
    assert len(set(versions)) == 4
    assert all(len(version) == 16 and int(version, 16) >= 0 for version in versions)


def test_no_items_give_no_rows(tmp_path: Path) -> None:
    clip_in_two_files(tmp_path)
    assert open_text(tmp_path).encode([]).shape == (0, 4)
    assert open_image(tmp_path).encode([]).shape == (0, 4)


def test_a_picture_of_one_pixel_and_a_hair_are_encoded(tmp_path: Path) -> None:
    clip_in_two_files(tmp_path)
    preprocessor(tmp_path)
    rows = open_image(tmp_path).encode([picture(255, 0, 0, 1, 1), picture(255, 0, 0, 1, 4000)])
    np.testing.assert_allclose(rows, [[1, 0, 0, 0]] * 2, atol=1e-6)
