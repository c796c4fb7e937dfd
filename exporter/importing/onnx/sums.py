"""Nodes that compute weighted sums: matrices, biases, and factors that are folded into both."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import onnx

from exporter.importing.onnx.attributes import Call
from exporter.importing.onnx.values import (
    ONE,
    ZERO,
    Constant,
    Flow,
    FoundLayer,
    describe,
    follow,
    refuse,
    shown,
)
from exporter.importing.source import Array, SourceLayer

BYTES = (1 / 255, 2 / 255)
"""What pixels in bytes are multiplied by, to lie in [0, 1] or, less 1, in [-1, 1]."""

MINUS_ONE = np.full((), -1.0)

MAX_JOINED = 2**20
"""Elements of a matrix that stands for several tensors put side by side."""


def close(flow: Flow, node: onnx.NodeProto, activation: str) -> Flow:
    """Return the activations of the layer whose weighted sums the flow holds."""
    if flow.log:
        refuse(node, "comes after the logarithm of the outputs; wanted that as the last node")
    if flow.matrix is None:
        before = "the input" if not flow.layers else f"an activation ({flow.layers[-1].activation})"
        refuse(node, f"comes after {before}, without a weighted sum (Gemm or MatMul) between them")
    source = SourceLayer(
        flow.weights_name,
        _narrow(flow.weights()),
        flow.biases_name,
        _narrow(flow.full(flow.shift)) if flow.biases_name or np.any(flow.shift) else None,
    )
    if source.biases is not None and not source.biases_name:
        source = replace(source, biases_name=f"biases of {source.weights_name}")
    layer = FoundLayer(source, activation, flow.full(flow.terms))
    return follow(
        flow,
        node,
        layers=(*flow.layers, layer),
        matrix=None,
        scale=ONE,
        shift=ZERO,
        terms=ZERO,
        weights_name="",
        biases_name="",
    )


def multiplied(flow: Flow, call: Call, matrix: Array, name: str) -> Flow:
    """Return the flow after a matrix (n_out, n_in): a layer's weights, with what came before."""
    if flow.dtype.kind != "f":
        refuse(call.node, f"computes in {flow.dtype}; wanted float, double or float16")
    if flow.shape[-1:] != matrix.shape[1:] or flow.size != matrix.shape[1]:
        refuse(
            call.node,
            f"takes {matrix.shape[1]} numbers, but gets {' x '.join(map(str, flow.shape))} an "
            "image; wanted one row for each image, flattened",
        )
    if flow.layers and flow.layers[-1].activation == "softmax":
        refuse(call.node, "comes after a Softmax, which ends a network here")
    if flow.matrix is not None or flow.log:
        flow = close(flow, call.node, "identity")
    weights = matrix * flow.scale
    if flow.order is not None:
        ordered = np.empty_like(weights)
        ordered[:, flow.order] = weights
        weights = ordered
    start = flow.start if flow.layers else (flow.full(flow.scale), flow.full(flow.shift))
    return follow(
        flow,
        call.node,
        shape=(*flow.shape[:-1], len(matrix)),
        matrix=weights,
        order=None,
        scale=ONE,
        shift=matrix @ flow.full(flow.shift) if np.any(flow.shift) else ZERO,
        terms=np.abs(matrix) @ flow.full(flow.terms),
        weights_name=name,
        biases_name="",
        start=start,
    )


def matmul(flow: Flow, call: Call) -> Flow:
    """MatMul: image times weights (n_in, n_out)."""
    if not isinstance(call.given[1], Constant):
        refuse(call.node, "has its weights before the images; wanted images @ weights, in rows")
    weights = call.numbers(1)
    if weights.ndim != 2:
        refuse(call.node, f"has weights of shape {weights.shape}, wanted two dimensions")
    return multiplied(flow, call, weights.T, call.name(1))


def gemm(flow: Flow, call: Call) -> Flow:
    """Gemm: alpha * image @ weights + beta * biases."""
    attributes = call.attributes
    if not isinstance(call.given[0], Flow) or attributes.get("transA", 0) or len(flow.shape) != 1:
        refuse(call.node, "does not take the images in rows; wanted images @ weights")
    weights = call.numbers(1)
    if weights.ndim != 2:
        refuse(call.node, f"has weights of shape {weights.shape}, wanted two dimensions")
    matrix = weights if attributes.get("transB", 0) else weights.T
    alpha, beta = (float(attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    found = multiplied(flow, call, alpha * matrix, call.name(1))
    if call.constant(2) is None:
        return found
    biases = beta * _each(found, call, 2)
    return replace(
        found,
        shift=found.shift + biases,
        terms=found.terms + np.abs(biases),
        biases_name=call.name(2),
    )


def add(flow: Flow, call: Call) -> Flow:
    """Add: biases, or a shift to be folded."""
    index = _place(call)
    return _added(flow, call, _each(flow, call, index), call.name(index))


def subtract(flow: Flow, call: Call) -> Flow:
    """Sub: of a constant, or from one."""
    index = _place(call)
    number = _each(flow, call, index)
    if index == 1:
        return _added(flow, call, -number, call.name(1))
    return _added(_scaled(flow, call, MINUS_ONE), call, number, call.name(0))


def multiply(flow: Flow, call: Call) -> Flow:
    """Mul: by a constant."""
    return _scaled(flow, call, _each(flow, call, _place(call)))


def divide(flow: Flow, call: Call) -> Flow:
    """Div: by a constant."""
    if _place(call) == 0:
        refuse(call.node, "divides by what it computes from the image, which is not a weighted sum")
    divisor = _each(flow, call, 1)
    if not np.all(divisor):
        refuse(call.node, f"divides by '{call.name(1)}', which has a 0")
    return _scaled(flow, call, 1 / divisor)


def negate(flow: Flow, call: Call) -> Flow:
    """Neg: times -1."""
    return _scaled(flow, call, MINUS_ONE)


def normalise(flow: Flow, call: Call) -> Flow:
    """BatchNormalization with what it learnt: (x - mean) / sqrt(variance + epsilon), scaled."""
    training = call.attributes.get("training_mode", 0) or not call.attributes.get("spatial", 1)
    if training or any(call.node.output[1:]) or not flow.shape:
        refuse(
            call.node,
            "normalises by the images that come together; export the network after network.eval()",
        )
    scale, biases, mean, variance = (call.numbers(index) for index in (1, 2, 3, 4))
    channels = flow.shape[0]
    if {part.shape for part in (scale, biases, mean, variance)} != {(channels,)}:
        refuse(call.node, f"does not fit the shape of its input, {flow.shape}")
    variance = variance + float(call.attributes.get("epsilon", 1e-5))
    if variance.min() <= 0:
        refuse(call.node, f"divides by the root of {variance.min():g}; wanted positive variances")
    factor = scale / np.sqrt(variance)
    inner = flow.size // channels
    moved = _added(flow, call, -np.repeat(mean, inner), call.name(3))
    scaled = _scaled(moved, call, np.repeat(factor, inner))
    return _added(scaled, call, np.repeat(biases, inner), call.name(2))


def scaler(flow: Flow, call: Call) -> Flow:
    """Scaler of scikit-learn's converter: (x - offset) * scale, in float32."""
    flow = replace(flow, dtype=np.dtype(np.float32), epsilon=float(np.finfo(np.float32).eps))
    parts = {}
    for name in ("offset", "scale"):
        numbers = np.asarray(call.attributes.get(name, ()), np.float64)
        if numbers.shape not in ((1,), flow.shape[-1:]) or not np.isfinite(numbers).all():
            refuse(call.node, f"has {numbers.size} numbers as its {name}, wanted {flow.shape[-1:]}")
        parts[name] = np.broadcast_to(numbers, flow.shape).reshape(-1)
    return _scaled(_added(flow, call, -parts["offset"], ""), call, parts["scale"])


def join(flows: list[Flow], call: Call) -> Flow:
    """Concat: weighted sums of the same activations, put side by side."""
    first = flows[0]
    axis = int(call.attributes.get("axis", 1))
    if (
        axis not in (1, -1)
        or any(len(flow.shape) != 1 or flow.log or flow.order is not None for flow in flows)
        or any(flow.layers != first.layers for flow in flows)
        or sum(flow.size * max(flow.size, first.size) for flow in flows) > MAX_JOINED
    ):
        refuse(call.node, "joins branches; a multilayer perceptron has none")
    if all(flow.matrix is None for flow in flows) and not first.layers:
        refuse(call.node, "joins the input with itself; wanted it once")
    return follow(
        max(flows, key=lambda flow: flow.depth),
        call.node,
        shape=(sum(flow.size for flow in flows),),
        matrix=np.concatenate([flow.weights() for flow in flows]),
        scale=ONE,
        shift=np.concatenate([flow.full(flow.shift) for flow in flows]),
        terms=np.concatenate([flow.full(flow.terms) for flow in flows]),
        weights_name=shown(call.node.output[0]),
        start=next((flow.start for flow in flows if flow.start is not None), None),
    )


def _place(call: Call) -> int:
    """Return which of two inputs is the constant."""
    return 0 if isinstance(call.given[0], Constant) else 1


def _each(flow: Flow, call: Call, index: int) -> Array:
    """Return a constant as one number for all elements of the flow, (), or one for each, (size,).

    Raises NoLayerError when it differs from image to image, or would give the flow another shape.
    """
    numbers = call.numbers(index)
    if flow.dtype.kind != "f":
        refuse(call.node, f"computes in {flow.dtype}, which rounds; cast the input to float first")
    shape = (flow.batch, *flow.shape)
    whole = numbers.reshape((1,) * (len(shape) - numbers.ndim) + numbers.shape)
    fits = whole.ndim == len(shape) and whole.shape[0] == 1
    if not fits or any(n not in (1, size) for n, size in zip(whole.shape, shape, strict=True)):
        refuse(
            call.node,
            f"adds to or scales {' x '.join(map(str, flow.shape))} an image by '{call.name(index)}'"
            f" of shape {numbers.shape}; wanted one number, or one for each",
        )
    if numbers.size == 1:
        return numbers.reshape(())
    return np.broadcast_to(whole[0], flow.shape).reshape(-1)


def _added(flow: Flow, call: Call, numbers: Array, name: str) -> Flow:
    """Return the flow with numbers added, which are biases when a matrix came just before."""
    biases = flow.matrix is not None and not flow.biases_name and call.node.op_type == "Add"
    found = follow(
        _open(flow, call), call.node, shift=flow.shift + numbers, terms=flow.terms + abs(numbers)
    )
    return replace(found, biases_name=name) if biases else _noted(found, call)


def _scaled(flow: Flow, call: Call, factor: Array) -> Flow:
    """Return the flow multiplied by one number, or by one for each element."""
    if flow.dtype.kind != "f":
        refuse(call.node, f"computes in {flow.dtype}, which rounds; cast the input to float first")
    first = not flow.layers and flow.matrix is None and bool(np.all(flow.scale == 1))
    takes_bytes = flow.takes_bytes or (
        first and any(np.allclose(factor, known, rtol=1e-6, atol=0) for known in BYTES)
    )
    found = follow(
        _open(flow, call),
        call.node,
        scale=flow.scale * factor,
        shift=flow.shift * factor,
        terms=flow.terms * np.abs(factor),
        takes_bytes=takes_bytes,
    )
    return _noted(found, call)


def _open(flow: Flow, call: Call) -> Flow:
    if flow.log:
        refuse(call.node, "comes after the logarithm of the outputs; wanted that as the last node")
    return flow


def _noted(flow: Flow, call: Call) -> Flow:
    """Return the flow with a line that a node was folded, once for each."""
    where = "before" if flow.matrix is not None else "after"
    note = f"{describe(call.node)}: folded into the layer {where} it"
    return flow if flow.notes[-1:] == (note,) else replace(flow, notes=(*flow.notes, note))


def _narrow(exact: Array) -> Array:
    """Return an array as float32 where that is exact."""
    with np.errstate(over="ignore"):
        narrow = exact.astype(np.float32)
    return narrow if np.array_equal(narrow, exact) else exact


SUMS: Mapping[str, Callable[[Flow, Call], Flow]] = {
    "MatMul": matmul,
    "Gemm": gemm,
    "Add": add,
    "Sub": subtract,
    "Mul": multiply,
    "Div": divide,
    "Neg": negate,
    "BatchNormalization": normalise,
    "Scaler": scaler,
}
