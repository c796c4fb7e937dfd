"""What a network sees and says in training, so that whoever serves it can tell when that changes.

The record is a JSON object that weights files and models carry:

- `labels`: the share of the training images that got each label, in the labels' order
- `winning_activation` (the brightest output), `margin` (that less the second brightest) and `ink`
  (the mean pixel), each with ascending `bounds` and `shares`, the share of the images between each
  bound, inclusive, and the one before; the last share is of what lies beyond all bounds

Shares are rounded, so that the last bits of a machine's sums don't show.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from exporter.network.network import Batch, Network

DIGITS = 6

TWENTIETHS = tuple(round(0.05 * step, 2) for step in range(1, 21))
INK = (*(round(0.02 * step, 2) for step in range(1, 16)), 0.4, 0.5, 0.75, 1.0)
"""Fine where the mean pixel of a drawing lies: most digits have 0.05 to 0.25."""


def measure(network: Network, images: Batch) -> dict[str, Any]:
    """Return the record of a network on its training images (N, P), N >= 1."""
    activations = network.forward(images)[-1]
    labels = np.bincount(activations.argmax(axis=1), minlength=len(network.labels))
    ordered = np.sort(activations, axis=1)
    winning = ordered[:, -1]
    second = ordered[:, -2] if ordered.shape[1] > 1 else np.zeros_like(winning)
    return {
        "labels": _shares(labels),
        "winning_activation": _distribution(winning, TWENTIETHS),
        "margin": _distribution(winning - second, TWENTIETHS),
        "ink": _distribution(images.mean(axis=1), INK),
    }


def _distribution(
    values: npt.NDArray[np.float32], bounds: Sequence[float]
) -> dict[str, list[float]]:
    places = np.searchsorted(bounds, values)
    return {
        "bounds": list(bounds),
        "shares": _shares(np.bincount(places, minlength=len(bounds) + 1)),
    }


def _shares(counts: npt.NDArray[np.intp]) -> list[float]:
    return [round(float(share), DIGITS) for share in counts / counts.sum()]
