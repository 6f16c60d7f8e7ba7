"""EfficientNet-Lite0 (Tan and Le 2019, without squeeze and swish) as a graph, from its weights."""

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from millstream.streams.encoders.checkpoint import Array
from millstream.streams.encoders.graph import Graph

SIDE: Final = 224
DIM: Final = 1280
STRIDES: Final = (1, 2, 2, 2, 1, 2, 1)  # of the seven stages' first blocks
EPSILON: Final = 1e-3

Weights = Mapping[str, Array]


def efficientnet_lite0(weights: Weights) -> onnx.ModelProto:
    """Return (batch, 3, 224, 224) -> image_embeds (batch, 1280), the mean over the last map."""
    net = _Net(weights)
    x = net.conv("pixel_values", "_conv_stem", "_bn0", 2)
    blocks = 1 + max(int(key.split(".")[1]) for key in weights if key.startswith("_blocks."))
    widths = [len(weights[f"_blocks.{n}._project_conv.weight"]) for n in range(blocks)]
    stage = -1
    for n, width in enumerate(widths):
        begins = n == 0 or widths[n - 1] != width
        stage += begins
        x = net.block(x, f"_blocks.{n}.", STRIDES[stage] if begins else 1, residual=not begins)
    x = net.conv(x, "_conv_head", "_bn1", 1)
    pooled = net.graph.op("Flatten", net.graph.op("GlobalAveragePool", x), axis=1)
    inputs = {"pixel_values": (onnx.TensorProto.FLOAT, ("batch", 3, SIDE, SIDE))}
    return net.graph.model("efficientnet-lite0", inputs, (pooled, "image_embeds", DIM))


class _Net:
    """Layers of one network; `side` is that of the map so far."""

    def __init__(self, weights: Weights) -> None:
        self.graph = Graph()
        self._weights = weights
        self._side = SIDE

    def block(self, x: str, name: str, stride: int, residual: bool) -> str:
        """Add widening, one convolution per channel, and narrowing (Sandler et al. 2018)."""
        y = x
        if f"{name}_expand_conv.weight" in self._weights:
            y = self.conv(y, f"{name}_expand_conv", f"{name}_bn0", 1)
        channels = len(self._weights[f"{name}_depthwise_conv.weight"])
        y = self.conv(y, f"{name}_depthwise_conv", f"{name}_bn1", stride, channels)
        y = self.conv(y, f"{name}_project_conv", f"{name}_bn2", 1, clipped=False)
        return self.graph.op("Add", y, x) if residual else y

    def conv(
        self, x: str, name: str, norm: str, stride: int, groups: int = 1, clipped: bool = True
    ) -> str:
        """Add a convolution with its normalisation folded in, TensorFlow's padding, ReLU6."""
        kernel, scale = self._array(f"{name}.weight"), self._scale(norm)
        shift = self._array(f"{norm}.bias") - self._array(f"{norm}.running_mean") * scale
        size = kernel.shape[2]
        side = math.ceil(self._side / stride)
        pad = max((side - 1) * stride + size - self._side, 0)
        self._side = side
        before, after = pad // 2, pad - pad // 2
        y = self.graph.op(
            "Conv",
            x,
            self.graph.weight(f"{name}.weight", kernel * scale[:, None, None, None]),
            self.graph.weight(f"{name}.bias", shift),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=groups,
        )
        if not clipped:
            return y
        return self.graph.op("Clip", y, self.graph.number(0), self.graph.number(6))

    def _scale(self, norm: str) -> NDArray[np.float32]:
        variance = self._array(f"{norm}.running_var")
        scale: NDArray[np.float32] = self._array(f"{norm}.weight") / np.sqrt(
            variance + np.float32(EPSILON)
        )
        return scale

    def _array(self, name: str) -> NDArray[np.float32]:
        return self._weights[name].astype(np.float32)
