"""One tower of a model that has several: the part of a graph that leads to one output."""

from collections.abc import Iterable

import onnx


def input_names(model: onnx.ModelProto) -> list[str]:
    """Return what must be fed; weights are not inputs, though old files list them as such."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [one.name for one in model.graph.input if one.name not in weights]


def output_names(model: onnx.ModelProto) -> list[str]:
    """Return the outputs, in the file's order."""
    return [one.name for one in model.graph.output]


def cut_to(model: onnx.ModelProto, output: str) -> onnx.ModelProto:
    """Return a model of what `output` needs and no more; `model` itself if that is all of it.

    CLIP in one file asks for a picture to encode a text; cut, it does not.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output if name}
    needed: set[str] = set()
    waiting = [output]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            if name in makers:
                waiting.extend(_read_by(makers[name]))
    kept = [node for node in graph.node if needed.intersection(node.output)]
    if len(kept) == len(graph.node) and len(graph.output) == 1:
        return model
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    for field in ("node", "input", "output", "initializer", "sparse_initializer", "value_info"):
        cut.graph.ClearField(field)
    cut.graph.node.extend(kept)
    cut.graph.input.extend(one for one in graph.input if one.name in needed)
    cut.graph.output.extend(one for one in graph.output if one.name == output)
    cut.graph.initializer.extend(one for one in graph.initializer if one.name in needed)
    cut.graph.sparse_initializer.extend(
        one for one in graph.sparse_initializer if one.values.name in needed
    )
    return cut


def _read_by(node: onnx.NodeProto) -> Iterable[str]:
    """Yield the names that a node reads, those of the outer graph within its branches too."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (
            [attribute.g, *attribute.graphs] if attribute.HasField("g") else (attribute.graphs)
        ):
            for inner in graph.node:
                yield from _read_by(inner)
            yield from (one.name for one in graph.output)
