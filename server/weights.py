"""Reads the weights and biases out of an exported file; the field numbers are those of ONNX."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlpserve import wire
from server.model import Model

Values = npt.NDArray[np.float32]

_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_GRAPH_INITIALIZER = 5
_TENSOR_DIMS, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW = 1, 4, 8, 9


class WeightsError(ValueError):
    """A file's weights aren't those that its metadata describes; the message says what differs."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Weights (n_out, n_in), biases (n_out,) and the name of the activation function."""

    weights: Values
    biases: Values
    activation: str


def read_layers(model: Model) -> list[Layer]:
    """Return the layers after the input, in their order.

    Raises WeightsError unless they are the weights whose SHA-256 the file gives.
    """
    try:
        fields = wire.read_fields(model.content)
        graph = wire.read_fields(wire.joined(wire.read_contents(fields, _MODEL_GRAPH)))
        tensors = dict(map(_read_tensor, wire.read_contents(graph, _GRAPH_INITIALIZER)))
        names = _read_activations(fields)
        layers = [
            Layer(
                tensors[f"W{index}"].reshape(n_out, n_in),
                tensors[f"b{index}"].reshape(n_out),
                names[index - 1],
            )
            for index, (n_in, n_out) in enumerate(
                zip(model.layer_sizes[:-1], model.layer_sizes[1:], strict=True), start=1
            )
        ]
    except (wire.WireError, KeyError, IndexError, ValueError) as error:
        raise WeightsError(
            f"{model.name} {model.version} has weights that can't be read ({error})"
        ) from error
    digest = hashlib.sha256()
    for layer in layers:
        digest.update(layer.weights.astype("<f4").tobytes())
        digest.update(layer.biases.astype("<f4").tobytes())
    if digest.hexdigest() != model.weights_sha256:
        raise WeightsError(
            f"{model.name} {model.version} has weights of SHA-256 {digest.hexdigest()}, and its "
            f"metadata says {model.weights_sha256}; export it again"
        )
    return layers


def _read_tensor(message: memoryview) -> tuple[str, Values]:
    """Return an initializer's name and its floats, whichever of the two forms they have."""
    fields = wire.read_fields(message)
    raw = wire.joined(wire.read_contents(fields, _TENSOR_RAW))
    values = np.frombuffer(raw, "<f4") if raw else wire.read_floats(fields, _TENSOR_FLOATS)
    shape = wire.read_integers(fields, _TENSOR_DIMS).tolist()
    return wire.read_text(fields, _TENSOR_NAME), values.astype(np.float32).reshape(shape)


def _read_activations(fields: list[wire.Field]) -> list[str]:
    """Return the name of each layer's activation function, from the file's metadata."""
    entries = map(wire.read_fields, wire.read_contents(fields, _MODEL_METADATA))
    metadata = {wire.read_text(e, _ENTRY_KEY): wire.read_text(e, _ENTRY_VALUE) for e in entries}
    return [str(name) for name in json.loads(metadata["layer_activations"])]
