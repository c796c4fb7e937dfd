"""Graphs as other libraries write them, node by node, and what ONNX Runtime says to them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from exporter import importing
from exporter.importing.assembly import Imported
from exporter.importing.source import Array, Choices
from harness.networks import random_network

SIZES = (4, 5, 3)
FIRST, SECOND = random_network(SIZES, ("relu", "softmax")).layers
WEIGHTS: Mapping[str, Array] = {
    "W1": FIRST.weights,
    "b1": FIRST.biases,
    "W2": SECOND.weights,
    "b2": SECOND.biases,
}

Step = tuple[str, Sequence[str], Mapping[str, Any]]
"""An operator, its inputs ("": what the step before gives), and its attributes."""


def step(operator: str, *inputs: str, **attributes: Any) -> Step:
    return operator, inputs or ("",), attributes


PLAIN = (
    step("Gemm", "", "W1", "b1", transB=1),
    step("Relu"),
    step("Gemm", "", "W2", "b2", transB=1),
    step("Softmax", axis=1),
)


def chain(
    steps: Sequence[Step],
    constants: Mapping[str, Any] | None = None,
    *,
    shape: Sequence[int | str | None] = ("batch", 4),
    dtype: type = np.float32,
    opset: int = 17,
    outputs: Mapping[str, type] | None = None,
) -> onnx.ModelProto:
    """Return a model whose steps follow one another: their outputs are t1, t2, ...; the last is y.

    Operators that begin with "ml." belong to scikit-learn's converter. `outputs` are the names and
    dtypes of what the model answers.
    """
    nodes = []
    before = "x"
    for index, (operator, inputs, attributes) in enumerate(steps, start=1):
        name = "y" if index == len(steps) else f"t{index}"
        domain = "ai.onnx.ml" if operator.startswith("ml.") else ""
        names = [given or before for given in inputs]
        nodes.append(
            helper.make_node(
                operator.removeprefix("ml."),
                ["" if given == "-" else given for given in names],
                [name],
                name=f"step_{index}",
                domain=domain,
                **attributes,
            )
        )
        before = name
    return model(nodes, constants, shape=shape, dtype=dtype, opset=opset, outputs=outputs)


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, Any] | None = None,
    *,
    shape: Sequence[int | str | None] = ("batch", 4),
    dtype: type = np.float32,
    opset: int = 17,
    outputs: Mapping[str, type] | None = None,
) -> onnx.ModelProto:
    """Return a model of nodes from x to y, with the constants that they name."""
    arrays = {**WEIGHTS, **(constants or {})}
    used = {name for node in nodes for name in node.input}
    tensors = [
        numpy_helper.from_array(
            np.asarray(array).astype(dtype) if np.asarray(array).dtype == np.float32 else array,
            name,
        )
        for name, array in arrays.items()
        if name in used
    ]
    kinds = {name: kind_of(kind) for name, kind in (outputs or {"y": dtype}).items()}
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", kind_of(dtype), shape)],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()],
        tensors,
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=8,
        producer_name="pytorch",
        producer_version="2.14.1",
    )


def kind_of(dtype: type) -> int:
    """Return what ONNX calls a dtype."""
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def imported(made: onnx.ModelProto, folder: Path, **choices: Any) -> Imported:
    """Return what is made of a model in a file."""
    path = folder / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return importing.from_file(path, Choices(**choices))[0]


def run(made: onnx.ModelProto, inputs: Array) -> Array:
    """Return the first output of ONNX Runtime."""
    return np.asarray(run_all(made, "x", inputs)[0])


def run_all(made: onnx.ModelProto, name: str, inputs: Array) -> list[Any]:
    """Return all outputs of ONNX Runtime; inputs are given as the model takes them."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    dtype = np.float64 if session.get_inputs()[0].type == "tensor(double)" else inputs.dtype
    return list(session.run(None, {name: inputs.astype(dtype)}))
