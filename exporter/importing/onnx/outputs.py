"""Which of a graph's outputs are the network's, and what the others say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx

from exporter.importing.onnx.labels import compute_labels
from exporter.importing.onnx.sums import close
from exporter.importing.onnx.values import (
    Constant,
    Derived,
    Flow,
    FoundLayer,
    NoLayerError,
    Value,
    shown,
)
from exporter.importing.onnx.walking import MANY_IMAGES
from exporter.network.weights_file import WeightsError

MAX_TOLD = 8
"""Outputs that are asked for labels."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The network of a graph: its layers, and the tensor that holds its activations.

    `label_output` is the output that holds labels, if there is one. `fixed_batch` is the number of
    images that the graph takes, None for any.
    """

    start: Flow
    end: Flow
    layers: tuple[FoundLayer, ...]
    labels: tuple[str, ...] | None
    label_output: str | None
    notes: tuple[str, ...]

    @property
    def fixed_batch(self) -> int | None:
        """The number of images that the graph takes at once."""
        return None if self.end.batch == MANY_IMAGES else self.end.batch


def choose(model: onnx.ModelProto, values: Mapping[str, Value]) -> Found:
    """Return the network that ends in the deepest output; raises WeightsError."""
    outputs = {value.name: values.get(value.name) for value in model.graph.output}
    ends: list[Flow] = []
    for name, value in outputs.items():
        if value is None or isinstance(value, Constant):
            raise WeightsError(
                f"output '{shown(name)}' does not depend on the image; leave it out of the export"
            )
        ends.append(value.source if isinstance(value, Derived) else value)
    end = max(ends, key=lambda flow: flow.depth)
    path = list(end.path())
    passed = {flow.name for flow in path}
    for flow in ends:
        if flow.name not in passed:
            raise NoLayerError(
                f"outputs '{shown(end.name)}' and '{shown(flow.name)}' have layers of their own; "
                "a multilayer perceptron has one output: export it alone"
            )
    layers, note = _finish(end)
    labels, label_output = _labels(model, outputs, end)
    flows = {name: value for name, value in outputs.items() if isinstance(value, Flow)}
    inner = [name for name, flow in flows.items() if flow is not end]
    folded = end.notes if _two_of_one(end) is None else _before_last(path).notes
    notes = [*folded, *note]
    if inner:
        notes.append(f"outputs left out: {', '.join(map(shown, inner))}")
    if not flows and not any(_is_map(model, name) for name in outputs):
        notes.append(
            f"the file returns only what it derives from '{shown(end.name)}': the "
            "network returns that itself"
        )
    return Found(path[-1], end, layers, labels, label_output, tuple(notes))


def _finish(end: Flow) -> tuple[tuple[FoundLayer, ...], list[str]]:
    """Return the layers to the end, and a note when the end is told in another way."""
    if end.size != np.max(end.shape, initial=1):
        shape = " x ".join(map(str, end.shape))
        raise WeightsError(f"output '{shown(end.name)}' is {shape} an image, wanted a row")
    note = ["outputs were log-probabilities: now they are probabilities"] if end.log else []
    if end.is_plain and end.layers:
        return end.layers, note
    order = _two_of_one(end)
    if order is not None:
        last = end.layers[-1]
        if order < 0:
            biases = last.source.biases
            negated = replace(
                last.source,
                weights=-last.source.weights,
                biases=None if biases is None else -biases,
            )
            last = replace(last, source=negated)
        return (*end.layers[:-1], last), note
    if end.matrix is None:
        raise NoLayerError(
            f"output '{shown(end.name)}' scales, shifts or turns "
            f"{'activations' if end.layers else 'the input'} after the last layer; leave that to "
            "the callers"
        )
    return close(end, onnx.NodeProto(output=[end.name]), "identity").layers, note


def _two_of_one(end: Flow) -> int | None:
    """Return 1 for outputs 1 - p and p of a single neuron p, -1 for p and 1 - p, else None."""
    if end.size == 2 and end.layers and end.matrix is not None and end.matrix.shape == (2, 1):
        last = end.layers[-1]
        if last.activation == "sigmoid" and len(last.source.weights) == 1:
            factors, shifts = end.weights()[:, 0].tolist(), end.full(end.shift).tolist()
            if (factors, shifts) == ([-1, 1], [1, 0]):
                return 1
            if (factors, shifts) == ([1, -1], [0, 1]):
                return -1
    return None


def _before_last(path: Sequence[Flow]) -> Flow:
    """Return the activations of the last layer, as it gave them."""
    return next(flow for flow in path if flow.is_plain and flow.layers == path[0].layers)


def _labels(
    model: onnx.ModelProto, outputs: Mapping[str, Value | None], end: Flow
) -> tuple[tuple[str, ...] | None, str | None]:
    """Return the classes' names, and the output that says them of each image."""
    batch = None if end.batch == MANY_IMAGES else end.batch
    n_classes = max(2, end.size)
    best: tuple[tuple[str, ...] | None, str | None] = None, None
    derived = [(name, value) for name, value in outputs.items() if isinstance(value, Derived)]
    for name, value in [item for item in derived if item[1].labels or item[1].chooses][:MAX_TOLD]:
        found = compute_labels(model, name, value, batch)
        if found is not None and len(found) == n_classes:
            best = (found, name if value.chooses else best[1])
    return best


def _is_map(model: onnx.ModelProto, output: str) -> bool:
    """Whether an output is a map from labels to activations, not a label."""
    return any(
        value.name == output and not value.type.HasField("tensor_type")
        for value in model.graph.output
    )
