"""Runs ONNX models as the server does, by ONNX Runtime; where that is missing, by ONNX itself."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator

try:
    import onnxruntime
except ImportError:
    # The exporter's own group of dependencies has none.
    onnxruntime = None

Run = Callable[[npt.NDArray[np.float32]], list[npt.NDArray[np.float32]]]
"""Returns all outputs of a model, in their order, for its one input (N, n_in)."""


def open_model(model: onnx.ModelProto) -> tuple[str, Run]:
    """Return the name of what runs a model of one input, and the function that does.

    Both raise whatever libraries raise over a model that they can't run.
    """
    if onnxruntime is None:
        return open_reference(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # What is wrong is raised; it need not be printed as well.
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return f"ONNX Runtime {onnxruntime.__version__}", _runner(session, model)


def open_reference(model: onnx.ModelProto) -> tuple[str, Run]:
    """Return the name of ONNX's own evaluator, and the function that runs a model by it."""
    return "ONNX's reference evaluator", _runner(ReferenceEvaluator(model), model)


def _runner(session: Any, model: onnx.ModelProto) -> Run:
    """Return the function that runs a model by what has loaded it."""
    source = model.graph.input[0].name

    def run(batch: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        outputs: list[npt.NDArray[np.float32]] = session.run(None, {source: batch})
        return outputs

    return run
