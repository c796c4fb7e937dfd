"""Whatever network is exported is served, and no other in its place."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from exporter.export import graph
from exporter.network.network import Batch, Network
from harness.networks import random_network
from modelfile.input_range import FINITE, PIXELS, InputRange
from modelfile.metadata import encode
from server.models.model import load_model
from tests.server.models.odd_models import refusal, set_metadata, written

RAW = InputRange(0, 255)

SHAPES: dict[str, tuple[tuple[int, ...], tuple[str, ...], InputRange, float]] = {
    "raw logits": ((784, 128, 10), ("relu", "identity"), RAW, 1.4),
    "raw logits by tanh": ((784, 64, 64, 10), ("tanh", "tanh", "identity"), RAW, 1.0),
    "raw softmax": ((784, 128, 10), ("relu", "softmax"), RAW, 0.1),
    "raw sigmoid": ((784, 30, 10), ("sigmoid", "sigmoid"), RAW, 0.3),
    "no hidden layer": ((784, 10), ("identity",), RAW, 1.0),
    "pixels": ((784, 16, 16, 10), ("sigmoid",) * 3, PIXELS, 2.0),
    "deep": ((784, *(64,) * 12, 10), ("relu",) * 12 + ("identity",), RAW, 1.4),
    "deep tanh": ((784, *(32,) * 30, 10), ("tanh",) * 30 + ("softmax",), PIXELS, 1.5),
    "deep selu": ((64, *(64,) * 10, 3), ("selu",) * 10 + ("softmax",), FINITE, 1.0),
    "columns": ((12, 100, 2), ("relu", "identity"), InputRange(-5000, 20_000), 1.0),
    "wide": ((4096, 40, 10), ("relu", "identity"), RAW, 1.4),
}


def drawn(shape: str, seed: int) -> Network:
    sizes, activations, input_range, scale = SHAPES[shape]
    return replace(random_network(sizes, activations, seed, scale), input_range=input_range)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_exported_is_served(tmp_path: Path, shape: str) -> None:
    for seed in range(20 if shape == "raw logits" else 4):
        path = written(tmp_path, graph.build(drawn(shape, seed)))
        assert load_model(path, "random", 1).golden_difference < 1e-3


def changed_weights(its: onnx.ModelProto, name: str, change: Callable[[Batch], Batch]) -> None:
    (tensor,) = (tensor for tensor in its.graph.initializer if tensor.name == name)
    values = change(numpy_helper.to_array(tensor).copy())
    tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))


def signs(values: Batch) -> Batch:
    """As damaged bits leave them: of another sign, one of each neuron's, since some never fire."""
    values[np.arange(len(values)), np.abs(values).argmax(axis=1)] *= -1
    return values


def a_little(values: Batch) -> Batch:
    """As after another step of training, or kept as float16."""
    return values.astype(np.float16).astype(np.float32)


def swapped(its: onnx.ModelProto) -> None:
    second, third = (f"W{index}" for index in (2, 3))
    names = {second: third, third: second}
    for tensor in its.graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)


def other_activation(its: onnx.ModelProto) -> None:
    """In its metadata as well, so that only the answers tell."""
    (node,) = (node for node in its.graph.node if node.name == "activation_1")
    node.op_type = "Selu"
    values = {entry.key: entry.value for entry in its.metadata_props}
    rest = values["layer_activations"].split(",")[1:]
    set_metadata(its, "layer_activations", ",".join(['["selu"', *rest]))


MUTATIONS: dict[str, Callable[[onnx.ModelProto], None]] = {
    "signs": lambda its: changed_weights(its, "W1", signs),
    "signs of the second layer": lambda its: changed_weights(its, "W2", signs),
    "float16": lambda its: changed_weights(its, "W1", a_little),
    "biases": lambda its: changed_weights(its, "b2", lambda values: values + np.float32(0.01)),
    "turned": lambda its: changed_weights(its, "W1", lambda values: values[::-1]),
    "columns turned": lambda its: changed_weights(its, "W1", lambda values: values[:, ::-1]),
    "zeros": lambda its: changed_weights(its, "W1", np.zeros_like),
    "layers swapped": swapped,
    "activation": other_activation,
}


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("shape", ["raw logits", "raw logits by tanh", "pixels", "deep"])
def test_what_computes_something_else_is_refused(tmp_path: Path, shape: str, mutation: str) -> None:
    network = drawn(shape, 5)
    if mutation == "layers swapped":
        # Which have one shape.
        sizes = (64, 64, 64, 64)
        activations = (*network_activations(network)[:1] * 2, "identity")
        network = replace(random_network(sizes, activations, 5), input_range=network.input_range)
    its = graph.build(network)
    MUTATIONS[mutation](its)
    path = written(tmp_path, its)
    reason, message = refusal(path)
    assert reason == "golden_examples"
    assert "its weights are not those" in message
    assert graph.describe(path, its).fault


def network_activations(network: Network) -> tuple[str, ...]:
    return tuple(layer.activation for layer in network.layers)


def test_answers_of_another_runtime_are_told_from_changed_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, graph.build(drawn("raw logits", 0)))
    real = onnxruntime.InferenceSession.run

    def run(self: object, names: list[str], *arguments: object) -> list[Batch]:
        return [layer * np.float32(1.001) for layer in real(self, names, *arguments)]

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", run)
    reason, message = refusal(path)
    assert reason == "golden_examples"
    assert "this ONNX Runtime" in message


def test_files_with_answers_of_float32(tmp_path: Path) -> None:
    """As they were written once: another order of adding is allowed for them."""
    for seed in range(5):
        network = drawn("raw logits", seed)
        its = graph.build(network)
        metadata = graph.describe(Path("model.onnx"), its).metadata
        answers = network.forward(metadata.golden_pixels)[-1]
        (mark,) = (entry for entry in its.metadata_props if entry.key == "golden_precision")
        its.metadata_props.remove(mark)
        set_metadata(
            its,
            "golden_activations",
            encode(replace(metadata, golden_activations=answers), {})["golden_activations"],
        )
        load_model(written(tmp_path, its), "old", 1)
        changed_weights(its, "W1", lambda values: values[:, ::-1])
        assert refusal(written(tmp_path, its))[0] == "golden_examples"
