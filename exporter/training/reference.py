"""How a network answers its training images, as `modelfile.reference` keeps it for comparison."""

from typing import Any

import numpy as np
import numpy.typing as npt

from exporter.network.network import Batch, Network
from modelfile.reference import (
    DEFAULT_BOUNDS,
    INK,
    LABELS,
    MARGIN,
    WINNING,
    Reference,
    encode_reference,
)

DIGITS = 6
"""Decimal places of a share, so that the last bits of a machine's sums don't show."""


def measure(network: Network, images: Batch) -> dict[str, Any]:
    """Return the record of a network on its training images (N, P), N >= 1."""
    activations = network.forward(images)[-1]
    ordered = np.sort(activations, axis=1)
    winning = ordered[:, -1]
    second = ordered[:, -2] if ordered.shape[1] > 1 else np.zeros_like(winning)
    values = {WINNING: winning, MARGIN: winning - second, INK: images.mean(axis=1)}
    places = {
        name: np.searchsorted(DEFAULT_BOUNDS[name], measured) for name, measured in values.items()
    }
    shares = {
        LABELS: _shares(activations.argmax(axis=1), len(network.labels)),
        **{name: _shares(bins, len(DEFAULT_BOUNDS[name]) + 1) for name, bins in places.items()},
    }
    return encode_reference(Reference(DEFAULT_BOUNDS, shares))


def _shares(bins: npt.NDArray[np.intp], n_bins: int) -> tuple[float, ...]:
    """Return the share of the images in each bin, from each image's bin (N,)."""
    counts = np.bincount(bins, minlength=n_bins)
    return tuple(round(float(share), DIGITS) for share in counts / counts.sum())
