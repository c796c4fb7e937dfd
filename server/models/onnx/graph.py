"""Reads the ONNX that the exporter writes, and refuses all other before ONNX Runtime sees it.

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

from modelfile.layout import INPUT, OPERATORS, output_names
from server.errors import Fault
from server.models.onnx import protobuf
from server.models.onnx.protobuf import Budget, Message, ProtobufError
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
    "Selu": {"alpha": (), "gamma": ()},
}
"""The attributes of activations' operators with the values that they may have, none for any."""

_GEMM: Mapping[str, tuple[float, ...]] = {
    "transB": (1,),
    "transA": (0,),
    "alpha": (1.0,),
    "beta": (1.0,),
}
_OPERATORS = {"Gemm", *filter(None, OPERATORS.values())}

_MODEL_GRAPH, _MODEL_OPSETS, _MODEL_METADATA = 7, 8, 14
_MODEL = range(1, 9)
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_GRAPH_NODES, _GRAPH_NAME, _GRAPH_TENSORS, _GRAPH_TEXT = 1, 2, 5, 10
_NODE_INPUTS, _NODE_OUTPUTS, _NODE_NAME, _NODE_OPERATOR, _NODE_ATTRIBUTES = 1, 2, 3, 4, 5
_NODE_TEXT, _NODE_DOMAIN = 6, 7
_ATTRIBUTE_NAME, _ATTRIBUTE_FLOAT, _ATTRIBUTE_INTEGER = 1, 2, 3
_ATTRIBUTE_TEXT, _ATTRIBUTE_KIND = 13, 20
_FLOAT_ATTRIBUTE, _INTEGER_ATTRIBUTE = 1, 2
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 4, 8, 9
_TENSOR_TEXT, _TENSOR_EXTERNAL, _TENSOR_PLACE = 12, 13, 14

DOMAINS = ("", "ai.onnx")
"""Both stand for ONNX's own operators."""


@dataclass(frozen=True, slots=True, eq=False)
class File:
    """A model's message, of which only the metadata has been read: `values` in bytes, by key."""

    message: Message
    values: Mapping[str, memoryview]
    budget: Budget


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Weights (n_out, n_in), biases (n_out,) and the name of the activation function."""

    weights: Values
    biases: Values
    activation: str


def read_model(content: bytes) -> File:
    """Read a file as far as its metadata; raises Fault when it is no ONNX."""
    budget = Budget(MAX_FIELDS)
    try:
        if not content:
            raise ProtobufError("it is empty")
        message = protobuf.read(memoryview(content), "the model", budget)
        entries = protobuf.read_all(message.contents(_MODEL_METADATA), "metadata", budget)
        values = {entry.text(_ENTRY_KEY): entry.content(_ENTRY_VALUE) for entry in entries}
    except ProtobufError as error:
        raise Fault(
            f"is not a model that ONNX Runtime can load: {error}; export it again", "not_loadable"
        ) from error
    if len(values) != len(entries) or len(values) > MAX_METADATA:
        raise Fault(
            f"has {len(entries)} entries of metadata, of {len(values)} names; wanted are at most "
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
    return File(message, values, budget)


def read_layers(file: File, sizes: Sequence[int], activations: Sequence[str]) -> list[Layer]:
    """Return the layers after the input; they share the file's memory.

    Raises Fault unless the graph computes a network of these layer sizes and activations, in the
    way in which the exporter writes it.
    """
    for size in sizes:
        if not 0 < size <= MAX_NEURONS or not 1 < len(sizes) <= MAX_LAYERS + 1:
            raise Fault(
                f"has {len(sizes)} layers, one of them of {size} neurons; wanted are 2 to "
                f"{MAX_LAYERS + 1}, of 1 to {MAX_NEURONS}",
                "too_large",
            )
    try:
        # Everything but functions, training and what may come: ONNX Runtime would look at them.
        model = file.message.only(*_MODEL, _MODEL_METADATA)
        for opset in protobuf.read_all(model.contents(_MODEL_OPSETS), "opset", file.budget):
            if opset.only(_OPSET_DOMAIN, _OPSET_VERSION).text(_OPSET_DOMAIN) not in DOMAINS:
                raise Fault(
                    f"uses operators of {opset.text(_OPSET_DOMAIN)!r}; only ONNX's own are "
                    "served: export it again",
                    "operators",
                )
        graph = protobuf.read(model.content(_MODEL_GRAPH), "the graph", file.budget)
        check_signature(graph, sizes, file.budget)
        _check_operators(graph, file.budget)
        graph.only(
            *(_GRAPH_NODES, _GRAPH_NAME, _GRAPH_TENSORS, _GRAPH_TEXT),
            *(GRAPH_INPUTS, GRAPH_OUTPUTS),
        )
        tensors = _read_tensors(graph, sizes, file.budget)
        _check_nodes(graph, activations, file.budget)
    except ProtobufError as error:
        raise Fault(
            f"is not as the exporter writes it: {error}; export it again", "graph"
        ) from error
    return [
        Layer(tensors[f"W{index}"], tensors[f"b{index}"], activation)
        for index, activation in enumerate(activations, start=1)
    ]


def _check_operators(graph: Message, budget: Budget) -> None:
    """Raise Fault when a node is not one of the exporter's, by its operator."""
    for node in graph.contents(_GRAPH_NODES):
        message = protobuf.read(node, "a node", budget)
        operator, domain = message.text(_NODE_OPERATOR), message.text(_NODE_DOMAIN)
        if operator not in _OPERATORS or domain not in DOMAINS:
            whose = f" of {domain!r}" if domain not in DOMAINS else ""
            raise Fault(
                f"has the operator {operator!r}{whose}, and only {', '.join(sorted(_OPERATORS))} "
                "are served; export it again",
                "operators",
            )


def _read_tensors(graph: Message, sizes: Sequence[int], budget: Budget) -> dict[str, Values]:
    """Return the initializers by their names; raises Fault unless they are those of the sizes."""
    wanted: dict[str, tuple[int, ...]] = {}
    for index, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        wanted |= {f"W{index}": (n_out, n_in), f"b{index}": (n_out,)}
    tensors: dict[str, Values] = {}
    for tensor in protobuf.read_all(graph.contents(_GRAPH_TENSORS), "tensor", budget):
        name = tensor.text(_TENSOR_NAME)
        if tensor.has(_TENSOR_EXTERNAL) or tensor.integer(_TENSOR_PLACE):
            raise Fault(
                f"keeps {name!r} in another file; a model has to be one file: export it again",
                "external_data",
            )
        tensor.only(
            *(_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW),
            *(_TENSOR_TEXT, _TENSOR_PLACE),
        )
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
                f"ONNX's type {tensor.integer(_TENSOR_TYPE)}; wanted are float32 of shape "
                f"{wanted.get(name, 'none')}, once: export it again",
                "graph",
            )
        values = np.frombuffer(raw or floats, "<f4").reshape(shape)
        if not np.isfinite(values).all():
            raise Fault(
                f"has weights {name!r} that are no numbers or infinite; export it again",
                "not_finite",
            )
        tensors[name] = values
    if missing := wanted.keys() - tensors.keys():
        raise Fault(f"has no weights {min(missing)!r}; export it again", "graph")
    return tensors


def _check_nodes(graph: Message, activations: Sequence[str], budget: Budget) -> None:
    """Raise Fault unless each layer is a Gemm of its weights and then its activation."""
    nodes = iter(protobuf.read_all(graph.contents(_GRAPH_NODES), "node", budget))
    before = INPUT
    for index, (activation, name) in enumerate(
        zip(activations, output_names(len(activations)), strict=True), start=1
    ):
        operands = [before, f"W{index}", f"b{index}"]
        weighted = _check_node(next(nodes, None), "Gemm", operands, _GEMM, budget)
        operator = OPERATORS[activation]
        if operator is None:
            result = weighted
        else:
            attributes = ATTRIBUTES.get(operator, {})
            result = _check_node(next(nodes, None), operator, [weighted], attributes, budget)
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
    budget: Budget,
) -> str:
    """Return what a node calls its result; raises Fault unless it computes what is wanted."""
    wanted = f"{operator} of {', '.join(operands)}"
    if node is None:
        raise Fault(f"ends where {wanted} is wanted; export it again", "graph")
    node.only(
        *(_NODE_INPUTS, _NODE_OUTPUTS, _NODE_NAME, _NODE_OPERATOR, _NODE_ATTRIBUTES),
        *(_NODE_TEXT, _NODE_DOMAIN),
    )
    actual, inputs = node.text(_NODE_OPERATOR), node.texts(_NODE_INPUTS)
    outputs = node.texts(_NODE_OUTPUTS)
    if (actual, inputs, len(outputs)) != (operator, operands, 1):
        raise Fault(
            f"has as {node.what} {actual} of {', '.join(inputs)}, wanted {wanted}; export it again",
            "graph",
        )
    given: dict[str, float] = {}
    what = f"{node.what}: attribute"
    for attribute in protobuf.read_all(node.contents(_NODE_ATTRIBUTES), what, budget):
        name, value = _read_attribute(attribute)
        if name in given or name not in attributes or not _is_allowed(value, attributes[name]):
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
    attribute.only(
        *(_ATTRIBUTE_NAME, _ATTRIBUTE_FLOAT, _ATTRIBUTE_INTEGER),
        *(_ATTRIBUTE_TEXT, _ATTRIBUTE_KIND),
    )
    name, kind = attribute.text(_ATTRIBUTE_NAME), attribute.integer(_ATTRIBUTE_KIND)
    if kind == _INTEGER_ATTRIBUTE:
        return name, attribute.integer(_ATTRIBUTE_INTEGER)
    content = attribute.content(_ATTRIBUTE_FLOAT)
    if kind != _FLOAT_ATTRIBUTE or len(content) != 4:
        raise ProtobufError(f"{attribute.what} is no number")
    value: float = struct.unpack("<f", content)[0]
    return name, value


def _is_allowed(value: float, allowed: tuple[float, ...]) -> bool:
    return value in allowed if allowed else math.isfinite(value)
