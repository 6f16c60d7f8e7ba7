"""Folders as exporters write them, with models small enough to compute by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordLevel

WORDS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "red", "blue", "wine", "sea", "two", "words")
TABLE = np.random.default_rng(0).normal(size=(len(WORDS), 4)).astype(np.float32)


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, Sequence[str | int]]],
    outputs: Mapping[str, Sequence[str | int]],
    weights: Mapping[str, np.ndarray],
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_tensor_value_info(name, T.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    imports = [helper.make_opsetid("", 18), *(helper.make_opsetid(one, 1) for one in domains)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return model


def node(kind: str, inputs: Sequence[str], output: str, **more: object) -> onnx.NodeProto:
    made = helper.make_node(kind, inputs, [output])
    made.attribute.extend(helper.make_attribute(*one) for one in more.items())
    return made


def tokenizer(folder: Path) -> None:
    made = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(made.to_str())


def write_json(path: Path, **content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


Kind = tuple[int, tuple[str | int, ...]]
TOKENS: Kind = (T.INT64, ("batch", "tokens"))
PIXELS: Kind = (T.FLOAT, ("batch", 3, 8, 8))


def sentence_embedder(
    folder: Path, *, types: bool = True, output: str = "last_hidden_state"
) -> None:
    """e5, bge, MiniLM: a vector for each token."""
    tokenizer(folder)
    write_json(folder / "config.json", model_type="bert", max_position_embeddings=512)
    inputs = {"input_ids": TOKENS, "attention_mask": TOKENS}
    nodes = [node("Gather", ["table", "input_ids"], output)]
    if types:
        inputs["token_type_ids"] = TOKENS
        nodes = [
            node("Gather", ["table", "input_ids"], "found"),
            node("Cast", ["token_type_ids"], "types", to=T.FLOAT),
            node("Unsqueeze", ["types", "last"], "column"),
            node("Add", ["found", "column"], output),
        ]
    save(
        folder / "onnx/model.onnx",
        nodes,
        inputs,
        {output: ("batch", "tokens", 4)},
        {"table": TABLE, "last": np.array([-1])},
    )


def image_nodes(output: str) -> list[onnx.NodeProto]:
    return [
        node("ReduceMean", ["pixel_values", "sides"], "means", keepdims=0),
        node("Gemm", ["means", "mix"], output),
    ]


IMAGE_WEIGHTS = {"sides": np.array([2, 3]), "mix": np.eye(3, 4, dtype=np.float32)}


def text_nodes(output: str) -> list[onnx.NodeProto]:
    return [
        node("Gather", ["table", "input_ids"], "found"),
        node("ReduceMean", ["found", "middle"], output, keepdims=0),
    ]


TEXT_WEIGHTS = {"table": TABLE, "middle": np.array([1])}


def preprocessor(folder: Path, **more: object) -> None:
    write_json(
        folder / "preprocessor_config.json",
        **{
            "size": {"shortest_edge": 8},
            "do_center_crop": True,
            "crop_size": {"height": 8, "width": 8},
            "do_normalize": False,
            **more,
        },
    )


def clip_in_two_files(folder: Path) -> None:
    tokenizer(folder)
    preprocessor(folder)
    write_json(folder / "config.json", model_type="clip")
    save(
        folder / "onnx/text_model.onnx",
        text_nodes("text_embeds"),
        {"input_ids": TOKENS},
        {"text_embeds": ("batch", 4)},
        TEXT_WEIGHTS,
    )
    save(
        folder / "onnx/vision_model.onnx",
        image_nodes("image_embeds"),
        {"pixel_values": PIXELS},
        {"image_embeds": ("batch", 4)},
        IMAGE_WEIGHTS,
    )


def clip_in_one_file(folder: Path) -> None:
    clip_in_two_files(folder)
    (folder / "onnx/text_model.onnx").unlink()
    (folder / "onnx/vision_model.onnx").unlink()
    save(
        folder / "onnx/model.onnx",
        [
            *text_nodes("text_embeds"),
            *image_nodes("image_embeds"),
            node("Transpose", ["image_embeds"], "turned"),
            node("MatMul", ["text_embeds", "turned"], "logits_per_text"),
        ],
        {"input_ids": TOKENS, "pixel_values": PIXELS},
        {"logits_per_text": ("t", "i"), "text_embeds": ("t", 4), "image_embeds": ("i", 4)},
        {**TEXT_WEIGHTS, **IMAGE_WEIGHTS},
    )


def dino(folder: Path, output: str = "last_hidden_state") -> None:
    """Patches of pixels as tokens, the first of them the one that counts."""
    preprocessor(folder)
    write_json(folder / "config.json", model_type="dinov2")
    save(
        folder / "onnx/model.onnx",
        [
            node("Reshape", ["pixel_values", "patches"], "flat"),
            node("Slice", ["flat", "begin", "end", "axis"], output),
        ],
        {"pixel_values": PIXELS},
        {output: ("batch", 3, 4)},
        {
            "patches": np.array([0, 3, 64]),
            "begin": np.array([0]),
            "end": np.array([4]),
            "axis": np.array([2]),
        },
    )


def clap(folder: Path) -> None:
    """Mel bands, averaged over time."""
    write_json(folder / "config.json", model_type="clap")
    write_json(
        folder / "preprocessor_config.json",
        feature_size=16,
        sampling_rate=8000,
        fft_window_size=256,
        hop_length=80,
        max_length_s=1,
        frequency_min=50,
        frequency_max=4000,
    )
    save(
        folder / "onnx/audio_model.onnx",
        [node("ReduceMean", ["input_features", "axes"], "audio_embeds", keepdims=0)],
        {"input_features": (T.FLOAT, ("batch", 1, "frames", 16))},
        {"audio_embeds": ("batch", 16)},
        {"axes": np.array([1, 2])},
    )
