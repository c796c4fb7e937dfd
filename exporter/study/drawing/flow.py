"""What happens in a network while it looks at an image, and the lines that carry most of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exporter.network.network import Batch, Layer, Network
from modelfile.rounding import EXACTLY

Numbers = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

MAX_LINES = 300
"""Lines drawn between two layers: more would be a haze."""

LEVELS = 12
"""Strengths of lines that are told apart; those that round to 0 would not be seen."""


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """One layer at work: its inputs (n_in,), what its neurons add up without their biases (n_out,),
    and their activations (n_out,).
    """

    layer: Layer
    inputs: Numbers
    sums: Numbers
    activations: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """The strongest lines between neurons that are drawn, the weakest of them first.

    `sources` and `targets` (L,) count what is drawn on either side; `levels` (L,) are whole numbers
    from -LEVELS to LEVELS without 0. The layer has `n_all` lines.
    """

    sources: Indices
    targets: Indices
    levels: Indices
    n_all: int


def run(network: Network, image: Batch) -> list[Flow]:
    """Return each layer at work, computed in float64: a drawing is the same on all processors."""
    flows = []
    inputs = image.ravel().astype(np.float64)
    for layer in network.layers:
        sums = layer.weights.astype(np.float64) @ inputs
        activations = EXACTLY[layer.activation]((sums + layer.biases)[np.newaxis])[0]
        flows.append(Flow(layer, inputs, sums, activations))
        inputs = activations
    return flows


def find_lines(flow: Flow, sources: Sequence[int], targets: Sequence[int]) -> Lines:
    """Return the strongest lines from some of a layer's inputs to some of its neurons.

    A line carries activation times weight; its level is that beside the strongest of these.
    """
    carried = flow.layer.weights[np.ix_(targets, sources)] * flow.inputs[list(sources)]
    largest = max(float(np.abs(carried).max(initial=0)), 1e-300)
    levels = np.rint(LEVELS * (carried / largest)).astype(np.intp).ravel()
    # Of equals those of the first neurons, whatever the system's way to sort.
    order = np.argsort(-np.abs(carried).ravel(), kind="stable")[:MAX_LINES]
    order = order[levels[order] != 0][::-1]
    rows, columns = np.unravel_index(order, carried.shape)
    return Lines(columns, rows, levels[order], flow.layer.weights.size)
