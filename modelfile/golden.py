"""How far a model may be from the answers that NumPy gave to its golden images."""

import numpy as np
import numpy.typing as npt

GOLDEN_TOLERANCE = 1e-5
"""Largest golden difference with which a model is served."""


def golden_difference(
    activations: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]
) -> float:
    """Return the largest difference (N, classes); relative for expected activations beyond 1."""
    return float(np.max(np.abs(activations - expected) / np.maximum(1.0, np.abs(expected))))
