"""Nodes that change how the numbers of an image are arranged, or their dtype, not the numbers."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper

from exporter.importing.onnx.attributes import Call
from exporter.importing.onnx.constants import DTYPES
from exporter.importing.onnx.values import Flow, follow, refuse

ROWS = "mixes images; wanted the images along the first axis, with any number of them"


def same(flow: Flow, call: Call) -> Flow:
    """Identity: nothing changes."""
    return follow(flow, call.node)


def dropout(flow: Flow, call: Call) -> Flow:
    """Dropout: nothing changes in a trained network."""
    training = call.constant(2)
    if training is not None and np.any(training):
        refuse(call.node, "drops activations at random; export the network after network.eval()")
    return follow(flow, call.node)


def cast(flow: Flow, call: Call) -> Flow:
    """Cast: to any floating-point number that NumPy has, or to what holds the same integers."""
    to = int(call.attributes.get("to", 0))
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(to)) if to in DTYPES else None
    if dtype is None or not (
        dtype.kind == "f" or (flow.dtype.kind in "iub" and np.can_cast(flow.dtype, dtype))
    ):
        known = onnx.TensorProto.DataType.values()
        kind = onnx.TensorProto.DataType.Name(to) if to in known else str(to)
        refuse(call.node, f"rounds activations to {kind}; wanted float, double or float16")
    return follow(flow, call.node, **_cast(flow, dtype))


def _cast(flow: Flow, dtype: "np.dtype[np.generic]") -> dict[str, object]:
    epsilon = float(np.finfo(str(dtype)).eps) if dtype.kind == "f" else 0.0
    return {"dtype": dtype, "epsilon": max(flow.epsilon, epsilon)}


def reshape(flow: Flow, call: Call) -> Flow:
    """Reshape: of each image by itself."""
    target = call.integers("shape", 1) or []
    before = (flow.batch, *flow.shape)
    if not call.attributes.get("allowzero"):
        target = [before[i] if n == 0 and i < len(before) else n for i, n in enumerate(target)]
    known = math.prod(n for n in target if n != -1)
    if -1 in target and known > 0 and math.prod(before) % known == 0:
        target[target.index(-1)] = math.prod(before) // known
    return _arranged(flow, call, target)


def flatten(flow: Flow, call: Call) -> Flow:
    """Flatten: from the axis on, which has to be the images'."""
    shape = (flow.batch, *flow.shape)
    axis = int(call.attributes.get("axis", 1))
    axis += len(shape) if axis < 0 else 0
    return _arranged(flow, call, [math.prod(shape[:axis]), math.prod(shape[axis:])])


def squeeze(flow: Flow, call: Call) -> Flow:
    """Squeeze: axes of one element go; the images' stays."""
    shape = [flow.batch, *flow.shape]
    axes = call.integers("axes", 1)
    if axes is None:
        gone = {axis for axis, n in enumerate(shape) if n == 1}
    else:
        gone = {axis + len(shape) if axis < 0 else axis for axis in axes}
    return _arranged(flow, call, [n for axis, n in enumerate(shape) if axis not in gone])


def unsqueeze(flow: Flow, call: Call) -> Flow:
    """Unsqueeze: axes of one element come."""
    axes = call.integers("axes", 1) or []
    rank = 1 + len(flow.shape) + len(axes)
    new = {axis + rank if axis < 0 else axis for axis in axes}
    rest = iter((flow.batch, *flow.shape))
    return _arranged(flow, call, [1 if axis in new else next(rest, 0) for axis in range(rank)])


def transpose(flow: Flow, call: Call) -> Flow:
    """Transpose: of the axes of each image."""
    rank = 1 + len(flow.shape)
    axes = call.integers("perm", 1) or list(range(rank))[::-1]
    if axes[0] != 0 or sorted(axes) != list(range(rank)):
        refuse(call.node, ROWS)
    inner = [axis - 1 for axis in axes[1:]]
    shape = tuple(flow.shape[axis] for axis in inner)
    order = np.arange(flow.size).reshape(flow.shape).transpose(inner).reshape(-1)
    moved = follow(flow, call.node, shape=shape)
    if np.array_equal(order, np.arange(flow.size)):
        return moved
    scale, shift, terms = (
        part[order] if part.size > 1 else part for part in (flow.scale, flow.shift, flow.terms)
    )
    moved = replace(moved, scale=scale, shift=shift, terms=terms)
    if flow.matrix is not None:
        return replace(moved, matrix=flow.matrix[order])
    return replace(moved, order=order if flow.order is None else flow.order[order])


def _arranged(flow: Flow, call: Call, shape: list[int]) -> Flow:
    """Return the flow with another shape, which keeps the images apart."""
    if not shape or shape[0] != flow.batch or math.prod(shape[1:]) != flow.size:
        refuse(call.node, ROWS)
    return follow(flow, call.node, shape=tuple(shape[1:]))


SHAPES: Mapping[str, Callable[[Flow, Call], Flow]] = {
    "Identity": same,
    "Dropout": dropout,
    "Cast": cast,
    "Reshape": reshape,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Transpose": transpose,
}
