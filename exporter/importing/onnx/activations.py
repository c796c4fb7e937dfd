"""Nodes that are activation functions, and scikit-learn's linear classifier with its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np
import onnx

from exporter.importing.onnx.attributes import Call
from exporter.importing.onnx.sums import close, multiplied
from exporter.importing.onnx.values import Derived, Flow, follow, refuse, shown
from exporter.importing.source import Array
from modelfile.activations import SELU_ALPHA, SELU_SCALE
from modelfile.layout import OPERATORS

ELEMENTWISE = {
    operator: name
    for name, operator in OPERATORS.items()
    if operator is not None and name != "softmax"
}
WANTED = ", ".join(OPERATORS)

OTHERS = frozenset(
    {"Abs", "Celu", "Clip", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "Hardmax"}
    | {"LeakyRelu", "Log", "Max", "Min", "Mish", "PRelu", "Pow", "Sign", "Softplus", "Softsign"}
    | {"Sqrt", "Swish", "ThresholdedRelu"}
)
"""Operators that are activations, or are made use of as such, which no model has here."""

POST_TRANSFORMS = {"NONE": None, "SOFTMAX": "softmax", "LOGISTIC": "sigmoid"}


def elementwise(flow: Flow, call: Call) -> Flow:
    """Relu, Sigmoid, Tanh, Selu: of each weighted sum."""
    if call.node.op_type == "Selu":
        usual = {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}
        for name, number in usual.items():
            given = call.attributes.get(name, number)
            if np.float32(given) != np.float32(number):
                refuse(call.node, f"has {name} {given:g}, wanted {number:g}, as SELU has")
    return close(flow, call.node, ELEMENTWISE[call.node.op_type])


def clip(flow: Flow, call: Call) -> Flow:
    """Clip from 0 on, or Max with 0: another way to write Relu."""
    if call.node.op_type == "Max":
        bounds = [
            call.constant(0 if flow is call.given[1] else 1) if len(call.given) == 2 else None
        ]
        lowest, highest = bounds[0], None
    else:
        lowest, highest = (
            np.asarray(call.attributes[name]) if name in call.attributes else call.constant(index)
            for name, index in (("min", 1), ("max", 2))
        )
    largest = float(np.finfo(np.float32).max)
    unbounded = highest is None or bool(np.all(highest >= largest))
    if lowest is None or np.any(lowest) or lowest.size != 1 or not unbounded:
        refuse_activation(call.node)
    return close(flow, call.node, "relu")


def softmax(flow: Flow, call: Call) -> Flow:
    """Softmax and LogSoftmax: over the numbers of an image."""
    axis = int(call.attributes.get("axis", -1 if call.opset >= 13 else 1))
    if len(flow.shape) != 1 or axis not in (1, -1):
        refuse(call.node, f"runs along axis {axis}, wanted one row for each image, and axis 1")
    closed = close(flow, call.node, "softmax")
    return replace(closed, log=call.node.op_type == "LogSoftmax")


def logarithm(flow: Flow, call: Call) -> Flow:
    """Log: of the outputs."""
    if flow.log or not (flow.is_plain and flow.layers and flow.layers[-1].activation == "softmax"):
        refuse_activation(call.node)
    return follow(flow, call.node, log=True)


def exponential(flow: Flow, call: Call) -> Flow:
    """Exp: of the logarithm of the outputs."""
    if not flow.log:
        refuse_activation(call.node)
    return follow(flow, call.node, log=False)


def normaliser(flow: Flow, call: Call) -> Flow:
    """Normalizer of scikit-learn's converter: of outputs that add up to 1 already."""
    if call.text("norm", "MAX") == "L1" and flow.is_plain and flow.layers:
        last = flow.layers[-1]
        weights, biases = last.source.weights, last.source.biases
        opposite = len(weights) == 2 and np.array_equal(weights[0], -weights[1])
        if biases is not None:
            opposite = opposite and biases[0] == -biases[1]
        if last.activation == "softmax" or (last.activation == "sigmoid" and opposite):
            return follow(flow, call.node)
    return refuse(
        call.node,
        "divides an image by the sum of its numbers, which is not a layer; leave it to the callers",
    )


def linear_classifier(flow: Flow, call: Call) -> tuple[Derived, Flow]:
    """LinearClassifier: labels, and the scores of a layer."""
    node, attributes = call.node, call.attributes
    names: Sequence[bytes | int] = (
        attributes.get("classlabels_strings") or attributes.get("classlabels_ints") or ()
    )
    labels = tuple(decode_label(name) for name in names)
    coefficients = np.asarray(attributes.get("coefficients", ()), np.float64)
    intercepts = np.asarray(attributes.get("intercepts", ()) or np.zeros(len(labels)), np.float64)
    transform = call.text("post_transform", "NONE")
    if not labels or coefficients.size != len(labels) * flow.size or len(intercepts) != len(labels):
        refuse(node, f"has {coefficients.size} coefficients for {len(labels)} classes")
    if not (np.isfinite(coefficients).all() and np.isfinite(intercepts).all()):
        refuse(node, "has coefficients that are not finite numbers")
    if transform not in POST_TRANSFORMS:
        refuse(node, f"has post_transform {shown(transform)}, wanted NONE, SOFTMAX or LOGISTIC")
    flow = replace(flow, dtype=np.dtype(np.float32), epsilon=float(np.finfo(np.float32).eps))
    matrix = coefficients.reshape(len(labels), flow.size)
    scores = multiplied(flow, call, matrix, "coefficients")
    scores = replace(
        scores,
        name=node.output[1],
        shift=scores.shift + intercepts,
        terms=scores.terms + np.abs(intercepts),
        biases_name="intercepts",
    )
    activation = POST_TRANSFORMS[transform]
    if activation is not None:
        scores = replace(close(scores, node, activation), name=node.output[1])
    texts = isinstance(names[0], bytes)
    values: Array = np.array(labels, object) if texts else np.array(names, np.int64)
    return Derived(scores, node.output[0], values, labels, chooses=True), scores


def decode_label(value: object) -> str:
    """Return a label of a file as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def refuse_activation(node: onnx.NodeProto) -> NoReturn:
    """Raise NoLayerError for an activation that no model has here."""
    refuse(node, f"is not an activation that is served; wanted one of {WANTED}")


ACTIVATIONS: Mapping[str, Callable[[Flow, Call], Flow]] = {
    **dict.fromkeys(ELEMENTWISE, elementwise),
    "Clip": clip,
    "Max": clip,
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "Log": logarithm,
    "Exp": exponential,
    "Normalizer": normaliser,
}
