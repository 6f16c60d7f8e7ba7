"""Static 8-bit quantisation of convolutions (Jacob et al. 2018), by ranges seen on samples.

Dynamic quantisation ruins convolutions (cosines of .84 to .94), and its scale depends on the batch.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from millstream.models.encoders.runtime import Session  # it turns telemetry off; keep it first

DIGITS: Final = 2
"""Ranges are rounded to so many digits, so that every processor comes to the same bytes."""


def quantised(
    model: onnx.ModelProto, feeds: Sequence[Mapping[str, NDArray[np.float32]]], skip: int = 0
) -> onnx.ModelProto:
    """Return the model with 8-bit convolutions, the first `skip` of them left as they are."""
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    shaped = onnx.shape_inference.infer_shapes(model)
    convolutions = [node.name for node in shaped.graph.node if node.op_type == "Conv"]
    ranges = _ranges(shaped, feeds)
    quantizer = QDQQuantizer(
        shaped,
        True,  # a scale for each channel
        False,  # all 8 bits
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, ranges),
        nodes_to_quantize=[
            node.name
            for node in shaped.graph.node
            if node.op_type in ("Conv", "Clip", "Relu", "Add", "MaxPool")
            and node.name not in convolutions[:skip]
            and (not skip or node.op_type != "Add")
        ],
        nodes_to_exclude=[],
        op_types_to_quantize=["Conv", "Clip", "Relu", "Add", "MaxPool"],
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    found: onnx.ModelProto = quantizer.model.model
    return found


def _ranges(
    model: onnx.ModelProto, feeds: Sequence[Mapping[str, NDArray[np.float32]]]
) -> dict[str, tuple[np.float32, np.float32]]:
    """Return (least, greatest) of every tensor between operators, over the samples."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    names = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    names = [one for one in names if one.type.tensor_type.elem_type == onnx.TensorProto.FLOAT]
    watched.graph.ClearField("output")
    watched.graph.output.extend(names)
    session = Session(watched.SerializeToString(), 0)
    lows = dict.fromkeys((one.name for one in names), np.inf)
    highs = dict.fromkeys(lows, -np.inf)
    for feed in feeds:
        for name, values in session.run_all([*lows], feed).items():
            lows[name] = min(lows[name], float(values.min()))
            highs[name] = max(highs[name], float(values.max()))
    return {
        name: (np.float32(_rounded(lows[name])), np.float32(_rounded(highs[name]))) for name in lows
    }


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
