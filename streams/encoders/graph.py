"""A graph that grows operator by operator, and becomes an ONNX model."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import helper, numpy_helper

OPSET: Final = 18
IR_VERSION: Final = 9  # what ONNX Runtime 1.17 reads already

Attribute = int | float | str | Sequence[int]


class Graph:
    """Operators and weights; names of results are made up, those of weights are given."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}

    def weight(self, name: str, value: ArrayLike) -> str:
        """Store a constant, and return its name."""
        self._weights[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def ints(self, *values: int) -> str:
        """Store integers such as axes, shape (len(values),), and return their name."""
        return self.weight(f"ints {' '.join(map(str, values))}", np.array(values, np.int64))

    def number(self, value: float) -> str:
        """Store a float32, and return its name."""
        return self.weight(f"number {value!r}", np.float32(value))

    def op(self, kind: str, *inputs: str, **attributes: Attribute) -> str:
        """Apply an operator with one result, and return that one's name."""
        (result,) = self.ops(kind, 1, *inputs, **attributes)
        return result

    def ops(self, kind: str, results: int, *inputs: str, **attributes: Attribute) -> list[str]:
        """Apply an operator, and return the names of its results."""
        stem = f"{kind}_{len(self._nodes)}"
        names = [f"{stem}_{n}" for n in range(results)]
        node = helper.make_node(kind, inputs, names, name=stem)
        node.attribute.extend(helper.make_attribute(*one) for one in sorted(attributes.items()))
        self._nodes.append(node)
        return names

    def model(
        self,
        name: str,
        inputs: Mapping[str, tuple[int, Sequence[str | int]]],
        output: tuple[str, str, int],
    ) -> onnx.ModelProto:
        """Return the model, checked. `inputs` have (type, shape); `output` is (from, name, dim)."""
        last, out, dim = output
        nodes = [*self._nodes, helper.make_node("Identity", [last], [out], name=out)]
        graph = helper.make_graph(
            nodes,
            name,
            [helper.make_tensor_value_info(one, *kind) for one, kind in inputs.items()],
            [helper.make_tensor_value_info(out, onnx.TensorProto.FLOAT, ["batch", dim])],
            [*self._weights.values()],
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        onnx.checker.check_model(model)
        return model
