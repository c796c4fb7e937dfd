"""Reads the ONNX that the exporter writes, and refuses any other before ONNX Runtime sees it.

So nothing is run that could loop, mix images, or need memory beyond the file's own size: a chain of
layers, each a Gemm of its own weights and an activation. The field numbers are those of onnx.proto.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from modelfile.activations import SELU_ALPHA, SELU_SCALE
from modelfile.layout import INPUT, OPERATORS, output_names
from server.errors import Fault
from server.models.onnx.protobuf import Budget, Message, ProtobufError, read
from server.models.onnx.signature import FLOAT, GRAPH_INPUTS, GRAPH_OUTPUTS, check_signature

Values = npt.NDArray[np.float32]

MAX_LAYERS = 64
"""Layers after the input."""

MAX_NEURONS = 65_536
"""Neurons of a layer, and pixels of an image: 256 times 256."""

MAX_FIELDS = 10_000
"""Fields of all messages in a file; a model of the exporter has some thirty for each layer."""

MAX_METADATA = 64
"""Entries of the metadata."""

MAX_METADATA_BYTES = 4 << 20
"""Bytes of an entry: eight golden images of `MAX_NEURONS` pixels have 2.8 million."""

ATTRIBUTES: Mapping[str, Mapping[str, tuple[float, ...]]] = {
    "Softmax": {"axis": (1, -1)},
    "Selu": {"alpha": (float(np.float32(SELU_ALPHA)),), "gamma": (float(np.float32(SELU_SCALE)),)},
}
"""The attributes of activations' operators with the values that they may have."""

_GEMM: Mapping[str, tuple[float, ...]] = {
    "transB": (1,),
    "transA": (0,),
    "alpha": (1.0,),
    "beta": (1.0,),
}
_OPERATORS = {"Gemm", *filter(None, OPERATORS.values())}

# Of each message the fields that it may have, and the numbers of those that are read.
_MODEL = range(1, 9)
_MODEL_GRAPH, _MODEL_OPSETS, _MODEL_METADATA = 7, 8, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_GRAPH = (1, 2, 5, 10, GRAPH_INPUTS, GRAPH_OUTPUTS)
_GRAPH_NODES, _GRAPH_TENSORS = 1, 5
_NODE = range(1, 8)
_NODE_INPUTS, _NODE_OUTPUTS, _NODE_OPERATOR, _NODE_ATTRIBUTES, _NODE_DOMAIN = 1, 2, 4, 5, 7
_ATTRIBUTE = (1, 2, 3, 13, 20)
_ATTRIBUTE_NAME, _ATTRIBUTE_FLOAT, _ATTRIBUTE_INTEGER, _ATTRIBUTE_KIND = 1, 2, 3, 20
_FLOAT_ATTRIBUTE, _INTEGER_ATTRIBUTE = 1, 2
_TENSOR = (1, 2, 4, 8, 9, 12, 14)
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 4, 8, 9
_TENSOR_EXTERNAL, _TENSOR_PLACE = 13, 14

DOMAINS = ("", "ai.onnx")
"""Both stand for ONNX's own operators."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Weights (n_out, n_in), biases (n_out,) and the name of the activation function."""

    weights: Values
    biases: Values
    activation: str


def read_model(content: bytes) -> tuple[Message, Mapping[str, memoryview]]:
    """Return a file's message, and its metadata by key; raises Fault when it is not ONNX."""
    try:
        if not content:
            raise ProtobufError("it is empty")
        model = read(memoryview(content), "the model", Budget(MAX_FIELDS))
        entries = model.messages(_MODEL_METADATA, "metadata")
        values = {entry.text(_ENTRY_KEY): entry.content(_ENTRY_VALUE) for entry in entries}
    except ProtobufError as error:
        raise Fault(
            f"is not a model that ONNX Runtime can load: {error}; export it again", "not_loadable"
        ) from error
    if len(values) != len(entries) or len(values) > MAX_METADATA:
        raise Fault(
            f"has {len(entries)} entries of metadata, of {len(values)} names; wanted at most "
            f"{MAX_METADATA}, each once: export it again",
            "metadata",
        )
    for key, value in values.items():
        if len(value) > MAX_METADATA_BYTES:
            raise Fault(
                f"has {len(value)} bytes of metadata under {key!r}, at most "
                f"{MAX_METADATA_BYTES} are read; export it again",
                "too_large",
            )
    return model, values


def read_layers(
    model: Message, sizes: Sequence[int], activations: Sequence[str]
) -> tuple[Layer, ...]:
    """Return the layers after the input of a file's message; they share its memory.

    Raises Fault unless the graph computes a network of these layer sizes and activations, in the
    way in which the exporter writes it.
    """
    for size in sizes:
        if not 0 < size <= MAX_NEURONS or not 1 < len(sizes) <= MAX_LAYERS + 1:
            raise Fault(
                f"has {len(sizes)} layers, one of them of {size} neurons; wanted 2 to "
                f"{MAX_LAYERS + 1}, of 1 to {MAX_NEURONS}",
                "too_large",
            )
    try:
        # Everything but functions, training and future fields: ONNX Runtime would look at them.
        model.only(*_MODEL, _MODEL_METADATA)
        for opset in model.messages(_MODEL_OPSETS, "opset"):
            if opset.only(_OPSET_DOMAIN, _OPSET_VERSION).text(_OPSET_DOMAIN) not in DOMAINS:
                raise Fault(
                    f"uses operators of {opset.text(_OPSET_DOMAIN)!r}; only ONNX's own are "
                    "served: export it again",
                    "operators",
                )
        graph = model.message(_MODEL_GRAPH, "the graph")
        check_signature(graph, sizes)
        nodes = graph.messages(_GRAPH_NODES, "node")
        _check_operators(nodes)
        graph.only(*_GRAPH)
        tensors = _read_tensors(graph, sizes)
        _check_nodes(nodes, activations)
    except ProtobufError as error:
        raise Fault(
            f"is not as the exporter writes it: {error}; export it again", "graph"
        ) from error
    return tuple(
        Layer(tensors[f"W{index}"], tensors[f"b{index}"], activation)
        for index, activation in enumerate(activations, start=1)
    )


def _check_operators(nodes: Sequence[Message]) -> None:
    """Raise Fault when a node is not one of the exporter's, by its operator."""
    for node in nodes:
        operator, domain = node.text(_NODE_OPERATOR), node.text(_NODE_DOMAIN)
        if operator not in _OPERATORS or domain not in DOMAINS:
            whose = f" of {domain!r}" if domain not in DOMAINS else ""
            raise Fault(
                f"has the operator {operator!r}{whose}, and only {', '.join(sorted(_OPERATORS))} "
                "are served; export it again",
                "operators",
            )


def _read_tensors(graph: Message, sizes: Sequence[int]) -> dict[str, Values]:
    """Return the initializers by their names; raises Fault unless they are those of the sizes."""
    wanted: dict[str, tuple[int, ...]] = {}
    for index, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        wanted |= {f"W{index}": (n_out, n_in), f"b{index}": (n_out,)}
    tensors: dict[str, Values] = {}
    for tensor in graph.messages(_GRAPH_TENSORS, "tensor"):
        name = tensor.text(_TENSOR_NAME)
        if tensor.has(_TENSOR_EXTERNAL) or tensor.integer(_TENSOR_PLACE):
            raise Fault(
                f"keeps {name!r} in another file; a model has to be one file: export it again",
                "external_data",
            )
        tensor.only(*_TENSOR)
        shape = tuple(tensor.integers(_TENSOR_DIMS))
        raw, floats = tensor.content(_TENSOR_RAW), tensor.content(_TENSOR_FLOATS)
        n_bytes = 4 * math.prod(shape)
        if (
            name in tensors
            or wanted.get(name) != shape
            or tensor.integer(_TENSOR_TYPE) != FLOAT
            or sorted((len(raw), len(floats))) != [0, n_bytes]
        ):
            raise Fault(
                f"has the weights {name!r} of shape {shape} in {len(raw) + len(floats)} bytes, of "
                f"ONNX's type {tensor.integer(_TENSOR_TYPE)}; wanted float32 of shape "
                f"{wanted.get(name, 'none')}, once: export it again",
                "graph",
            )
        values = np.frombuffer(raw or floats, "<f4").reshape(shape)
        if not np.isfinite(values).all():
            raise Fault(
                f"has weights {name!r} that are NaN or infinite; export it again",
                "not_finite",
            )
        tensors[name] = values
    if missing := wanted.keys() - tensors.keys():
        raise Fault(f"has no weights {min(missing)!r}; export it again", "graph")
    return tensors


def _check_nodes(all_nodes: Sequence[Message], activations: Sequence[str]) -> None:
    """Raise Fault unless each layer is a Gemm of its weights and then its activation."""
    nodes = iter(all_nodes)
    before = INPUT
    for index, (activation, name) in enumerate(
        zip(activations, output_names(len(activations)), strict=True), start=1
    ):
        operands = [before, f"W{index}", f"b{index}"]
        result = _check_node(next(nodes, None), "Gemm", operands, _GEMM)
        if operator := OPERATORS[activation]:
            attributes = ATTRIBUTES.get(operator, {})
            result = _check_node(next(nodes, None), operator, [result], attributes)
        if result != name:
            raise Fault(
                f"calls layer {index} {result!r} instead of {name!r}, with the activation "
                f"{activation!r}; export it again",
                "graph",
            )
        before = name
    if left := next(nodes, None):
        raise Fault(
            f"has more nodes than its layers, from {left.what} on; export it again", "graph"
        )


def _check_node(
    node: Message | None,
    operator: str,
    operands: list[str],
    attributes: Mapping[str, tuple[float, ...]],
) -> str:
    """Return what a node calls its result; raises Fault unless it computes what is wanted."""
    wanted = f"{operator} of {', '.join(operands)}"
    if node is None:
        raise Fault(f"ends where {wanted} is wanted; export it again", "graph")
    node.only(*_NODE)
    actual, inputs = node.text(_NODE_OPERATOR), node.texts(_NODE_INPUTS)
    outputs = node.texts(_NODE_OUTPUTS)
    if (actual, inputs, len(outputs)) != (operator, operands, 1):
        raise Fault(
            f"has as {node.what} {actual} of {', '.join(inputs)}, wanted {wanted}; export it again",
            "graph",
        )
    given: dict[str, float] = {}
    for attribute in node.messages(_NODE_ATTRIBUTES, f"{node.what}: attribute"):
        name, value = _read_attribute(attribute)
        if name in given or value not in attributes.get(name, ()):
            raise Fault(
                f"has as {node.what} {actual} with {name} {value:g}, which the exporter never "
                "writes; export it again",
                "graph",
            )
        given[name] = value
    if operator == "Gemm" and "transB" not in given:
        raise Fault(f"has as {node.what} a Gemm without transB; export it again", "graph")
    return outputs[0]


def _read_attribute(attribute: Message) -> tuple[str, float]:
    """Return the name and the value of an attribute, which must be a number."""
    attribute.only(*_ATTRIBUTE)
    name, kind = attribute.text(_ATTRIBUTE_NAME), attribute.integer(_ATTRIBUTE_KIND)
    if kind == _INTEGER_ATTRIBUTE:
        return name, attribute.integer(_ATTRIBUTE_INTEGER)
    content = attribute.content(_ATTRIBUTE_FLOAT)
    if kind != _FLOAT_ATTRIBUTE or len(content) != 4:
        raise ProtobufError(f"{attribute.what} is not a number")
    value: float = struct.unpack("<f", content)[0]
    return name, value
