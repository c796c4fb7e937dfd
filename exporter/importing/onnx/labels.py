"""What the outputs of a graph say beside the network's own: labels, and maps from labels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from exporter.files import READ_ERRORS
from exporter.importing.onnx.activations import decode_label
from exporter.importing.onnx.attributes import Call
from exporter.importing.onnx.reading import needed_names
from exporter.importing.onnx.values import Derived, Flow, Value, refuse
from exporter.importing.source import Array

CHOOSERS = frozenset({"ArgMax", "TopK", "Greater", "GreaterOrEqual"})
"""Operators that say which class it is."""

READERS = CHOOSERS | {"ZipMap", "ArrayFeatureExtractor", "Slice", "Split", "Gather"}
"""Those, and what reads the numbers of single classes off the outputs."""

FOLLOWERS = frozenset(
    {"ArrayFeatureExtractor", "Cast", "Flatten", "Gather", "GatherElements", "Identity"}
    | {"LabelEncoder", "Reshape", "Squeeze", "Transpose", "Unsqueeze", "Where", "ZipMap"}
)
"""Operators that give a label another form."""

MAX_CLASSES = 2048
"""Whose labels are computed from images of each class in turn."""


def read_off(flow: Flow, call: Call) -> Derived:
    """Return what a node reads off the outputs of the network."""
    names = call.attributes.get("classlabels_strings") or call.attributes.get("classlabels_int64s")
    labels = tuple(map(decode_label, names)) if names and call.node.op_type == "ZipMap" else None
    chooses = call.node.op_type in CHOOSERS
    return Derived(flow, flow.name, _each_class(flow), labels, chooses)


def follow_label(node: onnx.NodeProto, given: Sequence[Value | None]) -> Derived:
    """Return what a node makes of a label; raises NoLayerError when that goes on computing."""
    derived = [value for value in given if isinstance(value, Derived)]
    if node.op_type not in FOLLOWERS or any(isinstance(value, Flow) for value in given):
        refuse(
            node,
            "goes on with a part of the activations or a label, and is not a layer; leave it to "
            "the callers",
        )
    kept = derived[0].labels if node.op_type in ("Identity", "Reshape", "Squeeze") else None
    return replace(derived[0], labels=kept)


def compute_labels(
    model: onnx.ModelProto, output: str, derived: Derived, fixed_batch: int | None
) -> tuple[str, ...] | None:
    """Return the name of each class: what the graph's output says of an image of that class.

    None when it names them not at all, or not all of them apart.
    """
    if derived.labels is not None:
        return derived.labels
    n_classes = len(derived.values)
    if n_classes > MAX_CLASSES or not derived.chooses:
        return None
    graph = model.graph
    after = [node for node in graph.node if derived.root not in node.output]
    needed = needed_names(onnx.GraphProto(node=after), [output])
    nodes = [node for node in after if not needed.isdisjoint(node.output)]
    kind = helper.np_dtype_to_tensor_dtype(derived.values.dtype)
    part = helper.make_graph(
        nodes,
        "labels",
        [helper.make_tensor_value_info(derived.root, kind, None)],
        [helper.make_empty_tensor_value_info(output)],
        [tensor for tensor in graph.initializer if tensor.name in needed],
    )
    try:
        run = ReferenceEvaluator(helper.make_model(part, opset_imports=model.opset_import)).run
        size, shape = fixed_batch or n_classes, derived.values.shape[1:]
        found: list[str] = []
        for first in range(0, n_classes, size):
            rows = np.resize(derived.values[first : first + size], (size, *shape))
            (answer,) = list(run([output], {derived.root: rows}))
            found += as_texts(np.asarray(answer))[: n_classes - first]
    except READ_ERRORS:
        return None
    return tuple(found) if len(set(found)) == len(found) == n_classes else None


def as_texts(answer: Array) -> list[str]:
    """Return the labels of images as texts."""
    return [decode_label(value) for value in np.asarray(answer).reshape(-1).tolist()]


def _each_class(flow: Flow) -> Array:
    """Return outputs (classes, size) of an image of each class: its own is brightest."""
    if flow.size == 1:
        low, high = (0, 1) if flow.layers and flow.is_plain else (-1, 1)
        values = np.array([[low], [high]], flow.dtype)
    else:
        values = np.eye(min(flow.size, MAX_CLASSES + 1), flow.size, dtype=flow.dtype)
    return values.reshape(-1, *flow.shape)
