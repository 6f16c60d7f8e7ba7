"""What a model file must be before it is run: known, whole, alone, and of known operators."""

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import onnx
from google.protobuf.message import DecodeError

from millstream.models.errors import EncoderRefused

MODEL_BYTES_MAX: Final = 1_500_000_000  # protobuf itself ends at 2 GiB
DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operators that ONNX Runtime brings; others would need code from elsewhere."""

EXTERNAL: Final = onnx.TensorProto.EXTERNAL


def read_model(path: Path, allowed: Collection[str] | None = None) -> tuple[onnx.ModelProto, str]:
    """Return the model and the sha256 of its file, in hex; nothing of it has been run.

    `allowed` are the sha256 that may be; None allows any. Raises EncoderRefused, and OSError for a
    file that cannot be read.
    """
    if path.stat().st_size > MODEL_BYTES_MAX:
        raise EncoderRefused(
            "too-large", f"{path} is above {MODEL_BYTES_MAX:,} bytes; export it quantised"
        )
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if allowed is not None and sha256 not in allowed:
        raise EncoderRefused(
            "not-allowed",
            f"{path} has sha256 {sha256}, which is not allowed; if you trust it, add it to "
            "encoders.allowed",
        )
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise EncoderRefused(
            "corrupt", f"{path} is not an ONNX file, or not all of one; fetch it again"
        ) from error
    if not model.graph.node or not model.opset_import:
        raise EncoderRefused("corrupt", f"{path} holds no graph; fetch it again")
    _check_alone(model, path)
    _check_operators(model, path)
    return model, sha256


def operators(model: onnx.ModelProto) -> set[str]:
    """Return the types of all operators, those within branches, loops and functions too."""
    return {node.op_type for graph in _graphs(model) for node in graph.node}


def _check_alone(model: onnx.ModelProto, path: Path) -> None:
    """Weights in other files could be any file: they are not read."""
    for graph in _graphs(model):
        tensors = [a.t for node in graph.node for a in node.attribute if a.HasField("t")]
        tensors += [t for node in graph.node for a in node.attribute for t in a.tensors]
        if isinstance(graph, onnx.GraphProto):
            tensors += graph.initializer
            for sparse in graph.sparse_initializer:
                tensors += [sparse.values, sparse.indices]
        if any(t.data_location == EXTERNAL or t.external_data for t in tensors):
            raise EncoderRefused(
                "external-data",
                f"{path} keeps weights in another file; save it as one file "
                "(onnx.save_model with save_as_external_data=False)",
            )


def _check_operators(model: onnx.ModelProto, path: Path) -> None:
    own = {(function.domain, function.name) for function in model.functions}
    unknown = {
        f"{node.domain}.{node.op_type}"
        for graph in _graphs(model)
        for node in graph.node
        if node.domain not in DOMAINS and (node.domain, node.op_type) not in own
    }
    if unknown:
        raise EncoderRefused(
            "unknown-operators",
            f"{path} needs operators that are not ONNX's: {', '.join(sorted(unknown)[:5])}; "
            "export it without custom operators",
        )


def _graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto | onnx.FunctionProto]:
    """Yield the graph, and every function and every graph within; however deep, no recursion."""
    waiting: list[onnx.GraphProto | onnx.FunctionProto] = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        yield graph
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    waiting.append(attribute.g)
                waiting.extend(attribute.graphs)
