"""Forward and backward pass for training: activations' derivatives, losses and their gradients.

Everything works in the parameters' own precision: float32 to train, float64 to check.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelfile.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE, sigmoid, softmax

Array = npt.NDArray[Any]
"""Numbers of one floating-point precision."""

Parameters = Sequence[Array]
"""Weights and biases in turn: W1 (n_out, n_in), b1 (n_out,), W2, b2, ..."""

# Rounded as the forward pass rounds them.
SELU_SLOPE = float(np.float32(SELU_SCALE))
SELU_FLOOR = SELU_SLOPE * float(np.float32(SELU_ALPHA))

DERIVATIVES: dict[str, Callable[[Array], Array]] = {
    "tanh": lambda a: 1 - a * a,
    "sigmoid": lambda a: a * (1 - a),
    "relu": lambda a: (a > 0).astype(a.dtype),
    "selu": lambda a: np.where(a > 0, a.dtype.type(SELU_SLOPE), a + SELU_FLOOR),
}
"""The derivative f'(z) of each hidden activation, as a function of a = f(z)."""


Loss = Callable[[Array, Array], tuple[float, Array]]
"""From the output layer's z (N, classes) and one-hot targets (N, classes) to the batch's mean loss,
and the gradient (N, classes) of each image's own loss with respect to z.
"""


def cross_entropy(mix: float) -> Loss:
    """Return the cross-entropy of a softmax plus `mix` times that of each output's sigmoid.

    -log softmax(z)_label + mix * sum_k -log(sigmoid(z_k) if target_k else 1 - sigmoid(z_k)), whose
    gradient is (softmax(z) - target) + mix * (sigmoid(z) - target).

    The first term decides which output is brightest and leaves the outputs' common level free; the
    second one wants the right output bright and the others dark.
    """

    def loss(z: Array, targets: Array) -> tuple[float, Array]:
        chosen = np.log(np.sum(np.exp(z - z.max(axis=1, keepdims=True)), axis=1))
        chosen += z.max(axis=1) - np.sum(z * targets, axis=1)
        binary = np.sum(np.logaddexp(0, z) - z * targets, axis=1)
        gradient = (softmax(z) - targets) + mix * (sigmoid(z) - targets)
        return float(np.mean(chosen + mix * binary)), gradient

    return loss


def squared_error(z: Array, targets: Array) -> tuple[float, Array]:
    """Half the squared distance of the outputs a = sigmoid(z) to the targets, a `Loss`.

    1/2 sum_k (a_k - target_k)^2, whose gradient is (a - target) a (1 - a).
    """
    a = sigmoid(z)
    error = a - targets
    return float(np.mean(np.sum(error**2, axis=1)) / 2), error * a * (1 - a)


def forward(parameters: Parameters, batch: Array, activation: str) -> list[Array]:
    """Return the batch, every hidden layer's activations and the output layer's z.

    a_0 = batch, a_l = f(a_(l-1) @ W_l.T + b_l), and no f in the last layer.
    """
    activations = [batch]
    for weights, biases in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        activations.append(ACTIVATIONS[activation](activations[-1] @ weights.T + biases))
    activations.append(activations[-1] @ parameters[-2].T + parameters[-1])
    return activations


def backward(
    parameters: Parameters, activations: Sequence[Array], delta: Array, activation: str
) -> list[Array]:
    """Return each parameter's gradient, from `delta` (N, classes), that of the output layer's z.

    Rumelhart, Hinton and Williams, 1986: with delta_l the gradient with respect to layer l's z,

        dW_l = delta_l.T @ a_(l-1),  db_l = sum of delta_l over the batch,
        delta_(l-1) = (delta_l @ W_l) * f'(z_(l-1)).

    `activations` are those that `forward` returned for the same parameters.
    """
    gradients: list[Array] = []
    for layer in range(len(parameters) // 2 - 1, -1, -1):
        inputs = activations[layer]
        gradients[:0] = [delta.T @ inputs, delta.sum(axis=0)]
        if layer > 0:
            delta = (delta @ parameters[2 * layer]) * DERIVATIVES[activation](inputs)
    return gradients


def loss_and_gradients(
    parameters: Parameters, batch: Array, targets: Array, activation: str, loss: Loss
) -> tuple[float, list[Array]]:
    """Return the mean loss of a batch (N, n_in) with targets (N, classes), and its gradients."""
    activations = forward(parameters, batch, activation)
    value, gradient = loss(activations[-1], targets)
    return value, backward(parameters, activations, gradient / len(batch), activation)
