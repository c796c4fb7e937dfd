"""Nodes that compute the same for all images: what they give, within the size of what they get."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from exporter.files import READ_ERRORS
from exporter.importing.onnx.values import Constant, describe, refuse, shown
from exporter.importing.source import Array
from exporter.network.weights_file import WeightsError

MAX_ELEMENTS = 2**28
"""Of a constant that is computed, 1 GiB of float32: more than the weights of a layer."""

DTYPES = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.FLOAT16,
    TensorProto.INT8,
    TensorProto.INT16,
    TensorProto.INT32,
    TensorProto.INT64,
    TensorProto.UINT8,
    TensorProto.UINT16,
    TensorProto.UINT32,
    TensorProto.UINT64,
    TensorProto.BOOL,
    TensorProto.STRING,
)
"""Those of ONNX that NumPy has."""


def _first(arrays: Sequence[Array]) -> float:
    return arrays[0].size


def _together(arrays: Sequence[Array]) -> float:
    return sum(array.size for array in arrays)


def _broadcast(arrays: Sequence[Array]) -> float:
    return math.prod(np.broadcast_shapes(*(array.shape for array in arrays)))


def _gathered(arrays: Sequence[Array]) -> float:
    return arrays[1].size * max(1, arrays[0].size)


def _told(arrays: Sequence[Array]) -> float:
    return arrays[0].size * math.prod(map(int, arrays[-1].reshape(-1)))


SIZES: Mapping[str, Callable[[Sequence[Array]], float]] = {
    "Identity": _first,
    "Cast": _first,
    "Transpose": _first,
    "Reshape": _first,
    "Flatten": _first,
    "Squeeze": _first,
    "Unsqueeze": _first,
    "Slice": _first,
    "Neg": _first,
    "Sqrt": _first,
    "Reciprocal": _first,
    "DequantizeLinear": _first,
    "Shape": _first,
    "Concat": _together,
    "Gather": _gathered,
    "Add": _broadcast,
    "Sub": _broadcast,
    "Mul": _broadcast,
    "Div": _broadcast,
    "Pow": _broadcast,
    "Max": _broadcast,
    "Min": _broadcast,
    "Expand": _told,
    "ConstantOfShape": _told,
}
"""How many elements an operator's result can have, at most."""


OLDEST = {"DequantizeLinear": 19}
"""The first opset in which the evaluator knows an operator, which computed the same before."""


def read_tensor(tensor: TensorProto) -> Constant:
    """Return a tensor of the file; raises WeightsError when it can't be read."""
    name = shown(tensor.name)
    if tensor.data_type not in DTYPES:
        kind = helper.tensor_dtype_to_string(tensor.data_type).rpartition(".")[2]
        raise WeightsError(f"'{name}' holds {kind}, which is not read; save the network in float32")
    try:
        return Constant(name, np.asarray(numpy_helper.to_array(tensor)))
    except READ_ERRORS as error:
        raise WeightsError(f"'{name}' can't be read ({error}); export it again") from error


def compute(node: onnx.NodeProto, given: Sequence[Constant | None], opset: int) -> Constant:
    """Return what a node makes of constants; raises NoLayerError for what it doesn't know."""
    if node.op_type == "Constant":
        return _constant(node)
    arrays = [constant.array for constant in given if constant is not None]
    if node.op_type not in SIZES or node.domain not in ("", "ai.onnx") or len(node.output) != 1:
        refuse(node, "computes with the weights in a way that is not read; save them computed")
    try:
        if SIZES[node.op_type](arrays) > MAX_ELEMENTS:
            raise ValueError(f"its result has more than {MAX_ELEMENTS} elements")
        (result,) = _run(node, given, opset)
    except READ_ERRORS as error:
        raise WeightsError(
            f"{describe(node)} can't be computed ({error}); export it again"
        ) from error
    # What only turns or converts an array is known by the array's name.
    first = given[0]
    alone = len(arrays) == 1 or node.op_type in ("Reshape", "Unsqueeze", "DequantizeLinear")
    name = first.name if alone and first is not None else shown(node.output[0])
    return Constant(name, np.asarray(result))


def _constant(node: onnx.NodeProto) -> Constant:
    """Return the value of a Constant node, whichever attribute it has."""
    (attribute,) = node.attribute
    name = shown(node.output[0])
    if attribute.name == "value":
        return Constant(name, read_tensor(attribute.t).array)
    if attribute.name.startswith(("value_float", "value_int")):
        dtype = np.float32 if "float" in attribute.name else np.int64
        return Constant(name, np.asarray(helper.get_attribute_value(attribute), dtype))
    return refuse(node, f"holds {shown(attribute.name)}; save it as an ordinary tensor")


def _run(node: onnx.NodeProto, given: Sequence[Constant | None], opset: int) -> list[Array]:
    """Run one node as ONNX's reference evaluator has it."""
    feeds = {
        name: constant.array
        for name, constant in zip(node.input, given, strict=True)
        if constant is not None
    }
    inputs = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
        )
        for name, array in feeds.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = helper.make_graph([node], "constant", inputs, outputs)
    known = max(opset, OLDEST.get(node.op_type, 0))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", known)])
    with np.errstate(all="ignore"):
        return [np.asarray(array) for array in ReferenceEvaluator(model).run(None, feeds)]
