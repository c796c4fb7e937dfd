"""From the input of a graph to its outputs, node by node: what each tensor is to the network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np
import onnx
from onnx import TensorProto, helper

from exporter.importing.onnx import activations, constants, labels, reading, shapes, sums
from exporter.importing.onnx.attributes import Call, call
from exporter.importing.onnx.reading import needed_names
from exporter.importing.onnx.values import (
    Constant,
    Derived,
    Flow,
    NoLayerError,
    Value,
    describe,
    refuse,
    shown,
)
from exporter.network.weights_file import WeightsError
from modelfile.layout import OPERATORS

MANY_IMAGES = 10_007
"""Stands for a number of images that is left open: a prime, so that no size equals it by chance."""

MAX_INPUTS = 2**24

MAX_NUMBERS = 2**28
"""Of all tensors together that are computed here, 2 GiB in float64."""

ONE_TO_ONE: Mapping[str, Callable[[Flow, Call], Flow]] = {
    **shapes.SHAPES,
    **sums.SUMS,
    **activations.ACTIVATIONS,
}
TWO_OPERANDS = frozenset({"Add", "Sub", "Mul", "Div", "Max", "Gemm", "MatMul"})
"""Operators that may have the image as their second input."""

INTEGERS = frozenset(
    {"QuantizeLinear", "DynamicQuantizeLinear", "DequantizeLinear", "MatMulInteger"}
    | {"QLinearMatMul", "ConvInteger", "QLinearConv"}
)

KNOWN = frozenset(
    {*ONE_TO_ONE, *constants.SIZES, *labels.READERS, *labels.FOLLOWERS}
    | {"Constant", "Concat", "LinearClassifier"}
)

Values = dict[str, Value]


def walk(model: onnx.ModelProto) -> Values:
    """Return what is known of every tensor that the outputs need; raises NoLayerError.

    Where the number of images is left open, but the graph takes one alone, it is walked with one.
    """
    start = _input(model.graph)
    try:
        return _walk(model, start)
    except NoLayerError:
        if start.batch != MANY_IMAGES:
            raise
        try:
            return _walk(model, replace(start, batch=1))
        except NoLayerError:
            pass
        raise


def _walk(model: onnx.ModelProto, start: Flow) -> Values:
    graph, opset = model.graph, reading.opset(model)
    values: Values = {start.name: start}
    needed = needed_names(graph, [value.name for value in graph.output])
    for tensor in graph.initializer:
        if tensor.name in needed:
            values[tensor.name] = constants.read_tensor(tensor)
    nodes = [node for node in graph.node if not needed.isdisjoint(node.output)]
    for node in nodes:
        # Before anything that stands around it, which need not be the fault.
        if node.op_type not in KNOWN:
            _unknown(node)
    left = MAX_NUMBERS
    for node in nodes:
        given = [values[name] if name else None for name in node.input]
        for name, value in zip(node.output, _results(node, given, opset), strict=False):
            if name:
                values[name] = value
                left -= _cost(value)
        if left < 0:
            raise WeightsError(
                f"{describe(node)} comes after more than {MAX_NUMBERS} numbers were computed; "
                "fold its weights before it is exported"
            )
    return values


def _input(graph: onnx.GraphProto) -> Flow:
    """Return the only input: images along the first axis; raises WeightsError."""
    initialized = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initialized]
    if len(inputs) != 1:
        names = ", ".join(shown(value.name) for value in inputs[:9])
        raise WeightsError(
            f"has {len(inputs)} inputs{': ' * bool(inputs)}{names}; wanted one, with all numbers "
            "of an image in a row"
        )
    (value,) = inputs
    kind, name = value.type.tensor_type, shown(value.name)
    numbers = kind.elem_type in constants.DTYPES and kind.elem_type != TensorProto.STRING
    if not value.type.HasField("tensor_type") or not numbers or not kind.HasField("shape"):
        raise WeightsError(f"input '{name}' is not a tensor of numbers with a shape; wanted float")
    sizes = [dim.dim_value if dim.HasField("dim_value") else 0 for dim in kind.shape.dim]
    told = " x ".join(str(size) if size > 0 else "any" for size in sizes)
    if len(sizes) < 2 or min(sizes[1:]) < 1:
        raise WeightsError(
            f"input '{name}' is {told or 'one number'}; wanted the images along the first axis and "
            "fixed sizes along the others: export it with such an example"
        )
    batch = sizes[0] if sizes[0] > 0 else MANY_IMAGES
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
    epsilon = float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0
    flow = Flow(value.name, batch, tuple(sizes[1:]), dtype, epsilon=epsilon)
    if flow.size > MAX_INPUTS:
        raise WeightsError(f"input '{name}' is {told}, wanted up to {MAX_INPUTS} numbers an image")
    return flow


def _results(node: onnx.NodeProto, given: Sequence[Value | None], opset: int) -> Sequence[Value]:
    """Return what a node makes of what it gets; raises NoLayerError."""
    flows = [value for value in given if isinstance(value, Flow)]
    if any(isinstance(value, Derived) for value in given):
        return [labels.follow_label(node, given)] * len(node.output)
    if not flows:
        known = [value if isinstance(value, Constant) else None for value in given]
        return [constants.compute(node, known, opset)]
    ready = call(node, given, opset)
    flow, kind = flows[0], node.op_type
    if kind == "Shape":
        return [_shape(flow, ready)]
    if kind in labels.READERS and not (kind == "Gather" and not isinstance(given[0], Flow)):
        return [labels.read_off(flow, ready)] * len(node.output)
    if kind == "LinearClassifier":
        return activations.linear_classifier(flow, ready)
    if kind == "Concat" and len(flows) == len(given):
        return [sums.join(flows, ready)]
    if kind in ONE_TO_ONE:
        first = given[0] if kind not in TWO_OPERANDS else flow
        if len(flows) > 1 or first is not flow:
            refuse(node, "joins branches; a multilayer perceptron has none")
        return [ONE_TO_ONE[kind](flow, ready)]
    return _unknown(node)


def _cost(value: Value) -> int:
    """Return how many numbers a tensor holds that no other does."""
    if isinstance(value, Constant):
        return value.array.size
    if isinstance(value, Derived):
        return 0
    before = value.before.matrix if value.before is not None else None
    new = value.matrix is not None and value.matrix is not before
    return value.size + (value.matrix.size if value.matrix is not None and new else 0)


def _shape(flow: Flow, ready: Call) -> Constant:
    shape = np.array([flow.batch, *flow.shape], np.int64)
    start, end = ready.attributes.get("start", 0), ready.attributes.get("end", len(shape))
    return Constant(shown(ready.node.output[0]), shape[int(start) : int(end)])


def _unknown(node: onnx.NodeProto) -> NoReturn:
    """Raise NoLayerError for an operator that is not a layer."""
    if node.op_type in INTEGERS:
        refuse(node, "computes in integers; export the network before it is quantised")
    if node.op_type in activations.OTHERS:
        activations.refuse_activation(node)
    raise NoLayerError(
        f"{describe(node)} is not a layer of a multilayer perceptron, which has Gemm, or MatMul "
        f"and Add, with {', '.join(filter(None, OPERATORS.values()))} between them; another "
        "server runs such graphs"
    )
