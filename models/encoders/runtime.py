"""The one place that imports ONNX Runtime, with its telemetry off.

From 1.29 on it sends telemetry on Linux unless this variable is set before the import;
`disable_telemetry_events()` comes too late, files and connections are there by then.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

os.environ.update(ORT_DISABLE_TELEMETRY="1")

import onnxruntime

from millstream.models.errors import EncoderRefused

QUIET: Final = 4  # fatal only: what is wrong comes as an exception
DYNAMIC: Final = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "MatMulIntegerToFloat")
"""Operators whose scale is taken over the whole batch, so that rows depend on one another."""

Array = NDArray[np.generic]


class Session:
    """A model that runs on the processor. Raises EncoderRefused("corrupt") if it does not load."""

    def __init__(self, model: bytes, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = QUIET
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors share no root but this
            raise EncoderRefused(
                "corrupt", f"ONNX Runtime cannot load it: {_first_line(error)}; export it again"
            ) from error
        self.types: Mapping[str, str] = {i.name: i.type for i in self._session.get_inputs()}
        self.shapes: Mapping[str, Sequence[int | str | None]] = {
            i.name: i.shape for i in self._session.get_inputs()
        }

    def run(self, output: str, feed: Mapping[str, Array]) -> Array:
        """Return one output. Raises EncoderRefused("wrong-shape") if the model cannot take it."""
        return self.run_all([output], feed)[output]

    def run_all(self, outputs: Sequence[str], feed: Mapping[str, Array]) -> dict[str, Array]:
        """Return several outputs by name. Raises EncoderRefused("wrong-shape")."""
        try:
            found = self._session.run([*outputs], dict(feed))
        except Exception as error:
            shapes = {name: value.shape for name, value in feed.items()}
            raise EncoderRefused(
                "wrong-shape", f"the model does not run on {shapes}: {_first_line(error)}"
            ) from error
        return dict(zip(outputs, found, strict=True))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
