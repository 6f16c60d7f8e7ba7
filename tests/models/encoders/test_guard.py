"""A model that is not run, each with its reason."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto as T
from tests.models.encoders.folders import (
    IMAGE_WEIGHTS,
    PIXELS,
    TEXT_WEIGHTS,
    TOKENS,
    clap,
    clip_in_two_files,
    image_nodes,
    node,
    save,
    sentence_embedder,
    text_nodes,
    write_json,
)

from millstream.models.encoders.folder import open_audio, open_image, open_text
from millstream.models.errors import ENCODER_FAULTS, EncoderRefused

MODEL = "onnx/model.onnx"


def edit(folder: Path, change: Callable[[onnx.ModelProto], object]) -> None:
    model = onnx.ModelProto()
    model.ParseFromString((folder / MODEL).read_bytes())
    change(model)
    (folder / MODEL).write_bytes(model.SerializeToString())


def cut(folder: Path) -> None:
    content = (folder / MODEL).read_bytes()
    (folder / MODEL).write_bytes(content[: len(content) // 2])


def noise(folder: Path) -> None:
    (folder / MODEL).write_bytes(bytes(range(256)) * 8)


def nothing(folder: Path) -> None:
    (folder / MODEL).write_bytes(b"")


def weights_elsewhere(folder: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        weight = model.graph.initializer[0]
        weight.ClearField("raw_data")
        weight.data_location = T.EXTERNAL
        entry = weight.external_data.add()
        entry.key, entry.value = "location", "../../etc/hostname"

    edit(folder, change)


def weights_elsewhere_in_a_branch(folder: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        inner = onnx.helper.make_graph([], "inner", [], [])
        tensor = inner.initializer.add(name="w", data_type=T.FLOAT, dims=[1])
        tensor.data_location = T.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/hostname")
        model.graph.node[0].attribute.append(onnx.helper.make_attribute("then", inner))

    edit(folder, change)


def an_operator_of_its_own(folder: Path) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node[0].domain = "com.evil"
        model.opset_import.append(onnx.helper.make_opsetid("com.evil", 1))

    edit(folder, change)


def an_operator_that_is_not(folder: Path) -> None:
    edit(folder, lambda model: setattr(model.graph.node[0], "op_type", "Conjure"))


def another_input(folder: Path) -> None:
    save(
        folder / MODEL,
        [node("Gather", ["table", "words"], "last_hidden_state")],
        {"words": TOKENS},
        {"last_hidden_state": ("batch", "tokens", 4)},
        TEXT_WEIGHTS,
    )


def one_input_more(folder: Path) -> None:
    nodes = [*text_nodes("a"), node("Add", ["a", "mood"], "sentence_embedding")]
    mood: tuple[int, tuple[str | int, ...]] = (T.FLOAT, (4,))
    inputs = {"input_ids": TOKENS, "mood": mood}
    save(folder / MODEL, nodes, inputs, {"sentence_embedding": ("batch", 4)}, TEXT_WEIGHTS)


def another_output(folder: Path) -> None:
    inputs = {"input_ids": TOKENS}
    save(folder / MODEL, text_nodes("logits"), inputs, {"logits": ("batch", 4)}, TEXT_WEIGHTS)


def one_row_for_all(folder: Path) -> None:
    nodes = [
        *text_nodes("rows"),
        node("ReduceMean", ["rows", "first"], "sentence_embedding", keepdims=1),
    ]
    weights = {**TEXT_WEIGHTS, "first": np.array([0])}
    outputs = {"sentence_embedding": (1, 4)}
    save(folder / MODEL, nodes, {"input_ids": TOKENS}, outputs, weights)


def a_division_by_nought(folder: Path) -> None:
    nodes = [*text_nodes("rows"), node("Div", ["rows", "nought"], "sentence_embedding")]
    weights = {**TEXT_WEIGHTS, "nought": np.zeros(1, np.float32)}
    outputs = {"sentence_embedding": ("batch", 4)}
    save(folder / MODEL, nodes, {"input_ids": TOKENS}, outputs, weights)


def no_tokenizer_in_the_file(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")


def another_size_than_it_says(folder: Path) -> None:
    write_json(folder / "encoder.json", modality="text", file=MODEL, pooling="mean", dim=5)


def tokens_without_a_pooling(folder: Path) -> None:
    write_json(folder / "encoder.json", modality="text", file=MODEL)


def a_file_outside(folder: Path) -> None:
    write_json(folder / "encoder.json", modality="text", file="../model.onnx")


def no_json(folder: Path) -> None:
    (folder / "encoder.json").write_text("{")


def another_modality(folder: Path) -> None:
    write_json(folder / "encoder.json", modality="audio", file=MODEL)


BAD: dict[Callable[[Path], None], str] = {
    cut: "corrupt",
    noise: "corrupt",
    nothing: "corrupt",
    an_operator_that_is_not: "corrupt",
    weights_elsewhere: "external-data",
    weights_elsewhere_in_a_branch: "external-data",
    an_operator_of_its_own: "unknown-operators",
    another_input: "wrong-input",
    one_input_more: "wrong-input",
    another_output: "wrong-output",
    one_row_for_all: "wrong-shape",
    another_size_than_it_says: "wrong-shape",
    tokens_without_a_pooling: "wrong-shape",
    a_division_by_nought: "not-finite",
    no_tokenizer_in_the_file: "bad-config",
    a_file_outside: "bad-config",
    no_json: "bad-config",
    another_modality: "bad-config",
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_it_is_refused_with_its_reason(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    sentence_embedder(tmp_path)
    spoil(tmp_path)
    with pytest.raises(EncoderRefused) as caught:
        open_text(tmp_path)
    assert caught.value.reason == BAD[spoil]
    assert caught.value.reason in ENCODER_FAULTS
    assert len(str(caught.value)) > 20


def test_only_files_that_are_allowed_are_run(tmp_path: Path) -> None:
    sentence_embedder(tmp_path)
    sha256 = hashlib.sha256((tmp_path / MODEL).read_bytes()).hexdigest()
    assert open_text(tmp_path, allowed=[sha256]).dim == 4
    with pytest.raises(EncoderRefused, match=sha256) as caught:
        open_text(tmp_path, allowed=["0" * 64])
    assert caught.value.reason == "not-allowed"


def test_a_file_above_the_bound_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence_embedder(tmp_path)
    monkeypatch.setattr("millstream.models.encoders.guard.MODEL_BYTES_MAX", 100)
    with pytest.raises(EncoderRefused) as caught:
        open_text(tmp_path)
    assert caught.value.reason == "too-large"


def test_pictures_and_sounds_are_guarded_too(tmp_path: Path) -> None:
    clip_in_two_files(tmp_path / "clip")
    path = tmp_path / "clip/onnx/vision_model.onnx"
    outputs = {"image_embeds": ("batch", 4)}
    nodes = [*image_nodes("rows"), node("Log", ["rows"], "image_embeds")]
    save(path, nodes, {"pixel_values": PIXELS}, outputs, IMAGE_WEIGHTS)
    with pytest.raises(EncoderRefused, match="not finite"):
        open_image(tmp_path / "clip")
    clap(tmp_path / "clap")
    (tmp_path / "clap/onnx/audio_model.onnx").write_bytes(b"x")
    with pytest.raises(EncoderRefused):
        open_audio(tmp_path / "clap")


def test_a_folder_that_is_not_there_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_text(tmp_path / "none")


def test_no_telemetry_is_written_or_begun(tmp_path: Path) -> None:
    """Unless told before its import, ONNX Runtime writes a device id and a database at once."""
    sentence_embedder(tmp_path / "model")
    home = tmp_path / "home"
    home.mkdir()
    script = """
import os, sys
from pathlib import Path
from millstream.models.encoders.folder import open_text
open_text(Path(sys.argv[1])).encode(["red"])
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
print(*(os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}")), sep="\\n")
"""
    environment = {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONPATH": ":".join(sys.path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "model")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [*home.rglob("*")] == []
    assert "onnxruntime.db" not in done.stdout
    assert "socket:" not in done.stdout


def test_onnx_runtime_is_imported_in_one_place_and_quantised_behind_it(root: Path) -> None:
    importing = {
        str(path.relative_to(root))
        for name in ("models", "streams", "exporters")
        for path in (root / name).rglob("*.py")
        if "import onnxruntime" in path.read_text() or "from onnxruntime" in path.read_text()
    }
    assert importing == {"models/encoders/runtime.py", "streams/encoders/quantise.py"}
    quantise = (root / "streams/encoders/quantise.py").read_text()
    assert quantise.index("encoders.runtime import") < quantise.index("from onnxruntime")
