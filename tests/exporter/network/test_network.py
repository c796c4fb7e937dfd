"""Layers and networks: what they accept, and what the forward pass computes."""

import numpy as np
import pytest

from exporter.network.network import Layer, Network, NetworkError
from harness.networks import random_batch, random_network


def test_forward_returns_every_layer() -> None:
    first = Layer(
        np.array([[1, 2], [3, 4], [0, -1]], np.float32), np.array([0, 1, 0], np.float32), "relu"
    )
    second = Layer(np.array([[1, 1, 1]], np.float32), np.array([-5], np.float32), "identity")
    network = Network((first, second), ("sum",))
    hidden, output = network.forward(np.array([[1, 1], [2, 0]], np.float32))
    np.testing.assert_array_equal(hidden, [[3, 8, 0], [2, 7, 0]])
    np.testing.assert_array_equal(output, [[6], [4]])
    assert hidden.dtype == output.dtype == np.float32


def test_sizes_and_parameters() -> None:
    network = random_network((784, 16, 16, 10))
    assert (network.sizes, network.n_inputs, network.parameter_count) == (
        (784, 16, 16, 10),
        784,
        13_002,
    )
    assert random_network((3, 2)).parameter_count == 8


def test_layers_keep_their_own_read_only_arrays() -> None:
    weights = np.ones((2, 3), np.float32)
    layer = Layer(weights, np.zeros(2, np.float32), "relu")
    weights[0, 0] = np.nan
    assert layer.weights[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        layer.biases[0] = 1


W, B = np.ones((2, 3), np.float32), np.zeros(2, np.float32)


@pytest.mark.parametrize(
    ("weights", "biases", "activation", "message"),
    [
        (W[0], B, "relu", r"weights: shape \(3,\), wanted \(n_out, n_in\)"),
        (W[:, :0], B, "relu", r"weights: shape \(2, 0\)"),
        (W, np.zeros(3, np.float32), "relu", r"biases: shape \(3,\), wanted \(2,\)"),
        (W.astype(np.float64), B, "relu", "weights: float64, wanted float32"),
        (W, B.astype(np.int32), "relu", "biases: int32, wanted float32"),
        (W * np.float32(np.inf), B, "relu", "weights: not all are finite"),
        (W, B, "swish", "activation: 'swish', wanted one of sigmoid, relu"),
    ],
)
def test_layer_that_does_not_fit(
    weights: np.ndarray, biases: np.ndarray, activation: str, message: str
) -> None:
    with pytest.raises(NetworkError, match=message):
        Layer(weights, biases, activation)


def test_network_that_does_not_fit() -> None:
    layers = random_network((4, 3, 2)).layers
    with pytest.raises(NetworkError, match="none, wanted at least one"):
        Network((), ())
    with pytest.raises(NetworkError, match="layer 2 takes 4 inputs, but layer 1 has 2 neurons"):
        Network(layers[::-1], ("a", "b", "c"))
    with pytest.raises(NetworkError, match="labels: 3 for 2 output neurons"):
        Network(layers, ("a", "b", "c"))
    with pytest.raises(NetworkError, match="labels: number 1 is empty"):
        Network(layers, ("a", ""))


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        (random_batch(2, 5), r"float32 \(2, 5\)"),
        (random_batch(1, 4)[0], r"float32 \(4,\)"),
        (random_batch(2, 4).astype(np.float64), r"float64 \(2, 4\)"),
    ],
)
def test_batch_that_does_not_fit(batch: np.ndarray, found: str) -> None:
    with pytest.raises(NetworkError, match=rf"batch: {found}, wanted float32 \(N, 4\)"):
        random_network((4, 3, 2)).forward(batch)
