"""Universal Sentence Encoder Multilingual v3 (Yang et al. 2019), the convolutional one, as a graph.

Weights of its embedding table are bytes with one scale and offset for each of 17 shards, and stay
bytes in the graph.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from millstream.streams.encoders.checkpoint import Array
from millstream.streams.encoders.graph import Graph

DIM: Final = 512
SHARDS: Final = 17
WIDTHS: Final = (2, 3, 5)  # of the convolutions, in tokens
BEFORE: Final = {2: 0, 3: 1, 5: 2}  # tokens to the left that each sees
CHANNELS: Final = 256

Weights = Mapping[str, Array]


def sentence_encoder(weights: Weights, ids: NDArray[np.int64]) -> onnx.ModelProto:
    """Return (batch, tokens) ids and mask -> sentence_embedding (batch, 512).

    `ids` are the rows of the embedding table that are kept, in their new order.
    """
    graph = Graph()
    mask = graph.op("Cast", "attention_mask", to=onnx.TensorProto.FLOAT)
    along, across = (graph.op("Unsqueeze", mask, graph.ints(axis)) for axis in (-1, 1))
    embedded = _embed(graph, weights, ids)
    seen = _convolve(graph, weights, embedded, along, across)
    features = graph.op("Concat", embedded, seen, axis=2)
    features = _normalise(graph, features, weights, "ln_g", "ln_b")
    features = graph.op("Mul", features, along)
    total = graph.op("ReduceSum", features, graph.ints(1), keepdims=0)
    count = graph.op("ReduceSum", mask, graph.ints(1), keepdims=1)
    found = _head(graph, weights, total, count)
    length = graph.op("ReduceL2", found, graph.ints(-1), keepdims=1)
    unit = graph.op("Div", found, length)
    kind = (onnx.TensorProto.INT64, ("batch", "tokens"))
    inputs = {"input_ids": kind, "attention_mask": kind}
    return graph.model("use-multilingual-3", inputs, (unit, "sentence_embedding", DIM))


def _embed(graph: Graph, weights: Weights, ids: NDArray[np.int64]) -> str:
    """Look up bytes and scale them, shape (batch, tokens, 512)."""
    table = np.empty((SHARDS * len(weights["q1"]), DIM), np.uint8)
    for shard in range(SHARDS):
        table[shard::SHARDS] = weights[f"q{shard + 1}"]
    bytes_ = graph.op("Gather", graph.weight("table", table[ids]), "input_ids", axis=0)
    values = graph.op("Cast", bytes_, to=onnx.TensorProto.FLOAT)
    for kind, name in (("Mul", "scale"), ("Add", "lo")):
        of_row = weights[name][ids % SHARDS].astype(np.float32)[:, None]
        row = graph.op("Gather", graph.weight(name, of_row), "input_ids", axis=0)
        values = graph.op(kind, values, row)
    return values


def _convolve(graph: Graph, weights: Weights, embedded: str, along: str, across: str) -> str:
    """Add two convolutions of each width over projections, shape (batch, tokens, 768)."""
    for name in ("proj", "proj_b", "ln_g", "ln_b"):
        joined = np.concatenate([weights[f"{name}{width}"] for width in WIDTHS], axis=-1)
        graph.weight(f"{name} all", joined)
    projected = graph.op("Add", graph.op("MatMul", embedded, "proj all"), "proj_b all")
    x = _layer_norm(graph, projected, "ln_g all", "ln_b all", float(weights["eps"]))
    x = graph.op("Transpose", graph.op("Mul", x, along), perm=[0, 2, 1])
    parts = graph.ops("Split", 3, x, graph.ints(*[CHANNELS] * 3), axis=1)
    convolved = []
    for width, part in zip(WIDTHS, parts, strict=True):
        once = graph.op("Mul", _residual(graph, weights, part, width, 1), across)
        convolved.append(_residual(graph, weights, once, width, 2))
    return graph.op("Transpose", graph.op("Concat", *convolved, axis=1), perm=[0, 2, 1])


def _residual(graph: Graph, weights: Weights, x: str, width: int, layer: int) -> str:
    kernel = weights[f"w{layer}_{width}"].reshape(width, CHANNELS, CHANNELS).transpose(2, 1, 0)
    y = graph.op(
        "Conv",
        x,
        graph.weight(f"kernel {layer} {width}", kernel),
        graph.weight(f"bias {layer} {width}", weights[f"b{layer}_{width}"]),
        kernel_shape=[width],
        pads=[BEFORE[width], width - 1 - BEFORE[width]],
    )
    return graph.op("Add", graph.op("Relu", y), x)


def _head(graph: Graph, weights: Weights, total: str, count: str) -> str:
    """Average by the root of the length, then two dense layers with shortcuts, and tanh."""
    for name in ("cnn_W", "cnn_b", "d0", "d1", "d2", "d3", "p1", "p3"):
        graph.weight(name, weights[name])
    summed = graph.op("Add", graph.op("MatMul", total, "cnn_W"), graph.op("Mul", count, "cnn_b"))
    mean = graph.op("Div", summed, graph.op("Sqrt", count))
    first = graph.op("Relu", graph.op("MatMul", mean, "d0"))
    second = _sum_of(graph, (mean, "p1"), (first, "d1"))
    second = graph.op("Relu", second)
    third = graph.op("Relu", graph.op("MatMul", second, "d2"))
    return graph.op("Tanh", _sum_of(graph, (second, "p3"), (third, "d3")))


def _sum_of(graph: Graph, *products: tuple[str, str]) -> str:
    one, other = (graph.op("MatMul", *product) for product in products)
    return graph.op("Add", one, other)


def _normalise(graph: Graph, x: str, weights: Weights, gain: str, bias: str) -> str:
    names = (graph.weight(gain, weights[gain]), graph.weight(bias, weights[bias]))
    return _layer_norm(graph, x, *names, float(weights["eps"]))


def _layer_norm(graph: Graph, x: str, gain: str, bias: str, epsilon: float) -> str:
    return graph.op("LayerNormalization", x, gain, bias, axis=-1, epsilon=epsilon)
