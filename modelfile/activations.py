"""What a neuron makes of its weighted sum z: the activation functions, by name."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
"""A layer's z or activations (N, neurons)."""

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
"""Klambauer et al., Self-Normalizing Neural Networks, 2017, equation 14."""


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), elementwise, in a form that overflows for no float32."""
    one = np.float32(1)
    decay: Array = np.exp(-np.abs(z))
    activations: Array = np.where(z >= 0, one, decay) / (one + decay)
    return activations


def softmax(z: Array) -> Array:
    """Return exp(z) / sum(exp(z)) of each row of z (N, n)."""
    # The difference of two huge numbers may overflow to -infinity, whose exponential is right: 0.
    with np.errstate(over="ignore"):
        exponentials: Array = np.exp(z - z.max(axis=1, keepdims=True))
    activations: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    return activations


def selu(z: Array) -> Array:
    """Return scale * (z if z > 0 else alpha * (exp(z) - 1)), elementwise (Klambauer et al.)."""
    negative = np.float32(SELU_ALPHA) * np.expm1(np.minimum(z, np.float32(0)))
    return np.float32(SELU_SCALE) * np.where(z > 0, z, negative)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": sigmoid,
    "relu": lambda z: np.maximum(z, np.float32(0)),
    "tanh": np.tanh,
    "softmax": softmax,
    "identity": lambda z: z,
    "selu": selu,
}
"""By name, functions from z (N, neurons) to activations of the same shape."""
