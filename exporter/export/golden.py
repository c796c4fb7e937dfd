"""Golden images and what float64 makes of them, which the server checks when it loads a model."""

import numpy as np
import numpy.typing as npt

from exporter.network.network import Batch, Network, NetworkError
from modelfile.golden import last
from modelfile.input_range import MAX_FLOAT32
from modelfile.rounding import EXACTLY, compute

N_GOLDEN = 8
MAX_ROUNDING = 1e-3
"""How much float32 may change an activation, relative to the largest of an image beyond 1."""

GOLDEN_SEED = 20171117
"""Draws golden images when there are no real ones; any fixed number would do."""


def draw_pixels(network: Network, examples: Batch | None) -> Batch:
    """Return eight images (8, n_in): the first examples, then random ones.

    Raises NetworkError when the examples don't fit the network.
    """
    random = np.random.default_rng(GOLDEN_SEED)
    pixels = network.input_range.at(random.random((N_GOLDEN, network.n_inputs), dtype=np.float32))
    if examples is not None:
        if examples.ndim != 2 or examples.shape[1] != network.n_inputs or not len(examples):
            raise NetworkError(f"examples: shape {examples.shape}, wanted (E, {network.n_inputs})")
        if not network.input_range.accepts(examples):
            raise NetworkError(
                f"examples: numbers from {examples.min():g} to {examples.max():g}, wanted "
                + network.input_range.describe("numbers")
            )
        pixels = np.concatenate([examples.astype(np.float32), pixels])[:N_GOLDEN]
    return pixels


def compute_activations(network: Network, pixels: Batch) -> Batch:
    """Return the outputs (E, classes) for images (E, n_in), in float64 and then rounded.

    Raises NetworkError when activations overflow, or float32 changes them too much.
    """
    ends = network.input_range.at(np.repeat(np.array([[0], [1]], np.float32), network.n_inputs, 1))
    if _may_overflow(network, np.concatenate([pixels, ends])):
        raise NetworkError(
            "weights: so large that activations overflow with "
            f"{network.input_range.describe('numbers')}; scale them down, or narrow the input range"
        )
    exact = last(compute(network.layers, pixels)).activations
    _check_rounding(network, network.forward(pixels)[-1], exact)
    return exact.astype(np.float32)


def _may_overflow(network: Network, images: Batch) -> bool:
    """Whether sums of float32 may overflow for some image (N, n_in), in the order of a processor's
    own.
    """
    activations = images.astype(np.float64)
    for layer in network.layers:
        weights = layer.weights.astype(np.float64)
        if np.max(np.abs(activations) @ np.abs(weights).T + np.abs(layer.biases)) > MAX_FLOAT32:
            return True
        activations = EXACTLY[layer.activation](activations @ weights.T + layer.biases)
    return False


def _check_rounding(network: Network, rounded: Batch, exact: npt.NDArray[np.float64]) -> None:
    """Raise NetworkError when float32 changes what the network says: each processor would answer
    something else. Large numbers, such as columns that were not standardised, may cancel each other
    out.
    """
    scale = np.maximum(1, np.abs(exact).max(axis=1, keepdims=True))
    difference = float(np.max(np.abs(rounded - exact) / scale))
    if not difference <= MAX_ROUNDING:
        raise NetworkError(
            f"weights: rounding to float32 changes activations by up to {difference:.2g} with "
            f"{network.input_range.describe('numbers')}, and at most {MAX_ROUNDING:g} is exported; "
            "let it take smaller numbers, such as standardised ones"
        )
