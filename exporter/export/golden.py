"""Golden images and what NumPy computes for them, which the server checks when it loads a model."""

from typing import Any

import numpy as np
import numpy.typing as npt

from exporter.network.activations import ACTIVATIONS
from exporter.network.network import Batch, Network, NetworkError
from modelfile.golden import GOLDEN_TOLERANCE, golden_difference
from modelfile.input_range import PIXELS

N_GOLDEN = 8
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
    """Return the outputs (E, classes) for images (E, n_in).

    Raises NetworkError when activations overflow, or rounding changes them too much.
    """
    ends = network.input_range.at(np.repeat(np.array([[0], [1]], np.float32), network.n_inputs, 1))
    with np.errstate(over="ignore", invalid="ignore"):
        layers = network.forward(pixels)
        others = network.forward(ends)
    if not all(np.isfinite(layer).all() for layer in (*layers, *others)):
        raise NetworkError(
            "weights: so large that activations overflow with "
            f"{network.input_range.describe('numbers')}; scale them down, or narrow the input range"
        )
    if network.input_range != PIXELS:
        _check_rounding(network, pixels, layers[-1])
    return layers[-1]


def _check_rounding(network: Network, pixels: Batch, activations: Batch) -> None:
    """Raise NetworkError unless float32 is exact enough for the server to check the activations.

    Large numbers, such as columns that were not standardised, may cancel each other out.
    """
    exact: npt.NDArray[Any] = pixels.astype(np.float64)
    for layer in network.layers:
        z = exact @ layer.weights.T.astype(np.float64) + layer.biases
        exact = ACTIVATIONS[layer.activation](z)
    difference = golden_difference(activations, exact)
    if difference > GOLDEN_TOLERANCE / 2:
        raise NetworkError(
            f"weights: rounding to float32 changes activations by up to {difference:.2g} with "
            f"{network.input_range.describe('numbers')}, and the server's check allows "
            f"{GOLDEN_TOLERANCE:g}; let it take smaller numbers, such as standardised ones"
        )
