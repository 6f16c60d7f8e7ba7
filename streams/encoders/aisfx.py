"""aiSFX (Ma and Lerch 2022) as a graph, its log-mel front end within: waves in, vectors out."""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from millstream.models.encoders.mel import mel_filters
from millstream.streams.encoders.checkpoint import Array
from millstream.streams.encoders.graph import Graph

RATE: Final = 44_100  # Hz
FFT: Final = 2048
HOP: Final = 1024
MELS: Final = 96
FRAMES: Final = 101  # of a block, as it was trained
DIM: Final = 512
GAIN: Final = 1e4
LOUDEST: Final = 9.457798957824707  # of all spectrograms that it was trained on
EPSILON: Final = 1e-5

WINDOW_S: Final = (FRAMES - 1) * HOP / RATE
HOP_S: Final = WINDOW_S / 2


def aisfx(weights: Mapping[str, Array]) -> onnx.ModelProto:
    """Return (batch, samples) float32 at 44,100 Hz -> audio_embeds (batch, 512)."""
    graph = Graph()
    x = _log_mel(graph, "waveform")
    for block in (1, 2, 3, 4):
        for layer in (1, 2):
            x = _conv(graph, x, weights, f"embedding_net.conv_block{block}.", layer)
        if block < 4:
            x = graph.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    over_bands = graph.op("ReduceMean", x, graph.ints(3), keepdims=0)
    pooled = graph.op("ReduceMax", over_bands, graph.ints(2), keepdims=0)
    inputs = {"waveform": (onnx.TensorProto.FLOAT, ("batch", "samples"))}
    return graph.model("aisfx", inputs, (pooled, "audio_embeds", DIM))


def _log_mel(graph: Graph, wave: str) -> str:
    """Add log10(1 + 10^4 mel power) over its largest; the transform is a convolution."""
    bins = FFT // 2 + 1
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)
    angles = 2 * np.pi * np.outer(np.arange(bins), np.arange(FFT)) / FFT
    waves = np.concatenate([np.cos(angles), -np.sin(angles)]) * window
    spectrum = graph.op(
        "Conv",
        graph.op("Unsqueeze", wave, graph.ints(1)),
        graph.weight("fourier", waves[:, None].astype(np.float32)),
        kernel_shape=[FFT],
        strides=[HOP],
        pads=[FFT // 2, FFT // 2],
    )
    real, imaginary = graph.ops("Split", 2, spectrum, graph.ints(bins, bins), axis=1)
    power = graph.op("Add", graph.op("Mul", real, real), graph.op("Mul", imaginary, imaginary))
    filters = mel_filters(RATE, FFT, MELS, 0.0, RATE / 2, "htk", "sum")
    mel = graph.op(
        "MatMul",
        graph.op("Transpose", power, perm=[0, 2, 1]),
        graph.weight("mel filters", filters.T.astype(np.float32)),
    )
    loud = graph.op("Add", graph.op("Mul", mel, graph.number(GAIN)), graph.number(1.0))
    scaled = graph.op("Mul", graph.op("Log", loud), graph.number(1 / math.log(10) / LOUDEST))
    return graph.op("Unsqueeze", scaled, graph.ints(1))


def _conv(graph: Graph, x: str, weights: Mapping[str, Array], block: str, layer: int) -> str:
    """Add a 3 x 3 convolution with its normalisation folded in, and ReLU."""

    def array(name: str) -> NDArray[np.float32]:
        return weights[f"{block}{name}"].astype(np.float32)

    scale = array(f"bn{layer}.weight") / np.sqrt(
        array(f"bn{layer}.running_var") + np.float32(EPSILON)
    )
    kernel = array(f"conv{layer}.weight") * scale[:, None, None, None]
    shift = array(f"bn{layer}.bias") - array(f"bn{layer}.running_mean") * scale
    y = graph.op(
        "Conv",
        x,
        graph.weight(f"{block}{layer}.kernel", kernel),
        graph.weight(f"{block}{layer}.bias", shift),
        kernel_shape=[3, 3],
        pads=[1, 1, 1, 1],
    )
    return graph.op("Relu", y)
