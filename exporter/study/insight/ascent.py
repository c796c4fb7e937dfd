"""Activation maximisation (Erhan and others, 2009): the inputs that an output prefers."""

from dataclasses import dataclass

import numpy as np

from canonical.squares import side_of
from exporter.network.network import Batch, Network, NetworkError
from exporter.training.backpropagation import DERIVATIVES

N_STEPS, FIRST_STEP = 400, 0.1
"""Steps, and the longest move of a pixel in the first one, which falls linearly to 0."""

N_STARTS = 16
"""Ascents for each output, from different noise; the best one is kept."""


@dataclass(frozen=True, slots=True)
class Penalty:
    """What an image pays, in units of the output's z: `roughness` times the mean squared difference
    of neighbouring pixels, plus `ink` times the mean squared pixel.
    """

    roughness: float = 0.0
    ink: float = 0.0


def z_and_gradient(network: Network, images: Batch, outputs: Batch) -> tuple[Batch, Batch]:
    """Return chosen outputs' z (N,) and its gradient by the pixels (N, pixels).

    `outputs` (N, classes) is one-hot: 1 for the output that an image is meant for. z is what goes
    into the output's activation, which rises with it but is flat where it is bright; the gradient
    is `backpropagation.backward`'s, carried on to the input. Raises NetworkError for hidden layers
    whose activation isn't a function of its own z alone.
    """
    activations = network.forward(images)
    last = network.layers[-1]
    before = activations[-2] if len(activations) > 1 else images
    z = np.sum((before @ last.weights.T + last.biases) * outputs, axis=1)
    delta = outputs @ last.weights
    for layer, a in zip(network.layers[-2::-1], activations[-2::-1], strict=True):
        if layer.activation == "softmax":
            raise NetworkError(
                "activation: softmax in a hidden layer, where one neuron can't be followed; look "
                "into a network with " + ", ".join(DERIVATIVES)
            )
        if layer.activation != "identity":
            delta = delta * DERIVATIVES[layer.activation](a)
        delta = delta @ layer.weights
    return z, delta


def penalize(images: Batch, penalty: Penalty) -> tuple[Batch, Batch]:
    """Return what each square image (N, pixels) pays (N,), and its gradient (N, pixels)."""
    side = side_of(images)
    squares = images.reshape(-1, side, side)
    down, right = np.diff(squares, axis=1), np.diff(squares, axis=2)
    rough = np.sum(down**2, axis=(1, 2)) + np.sum(right**2, axis=(1, 2))
    slope = np.zeros_like(squares)
    slope[:, 1:] += down
    slope[:, :-1] -= down
    slope[:, :, 1:] += right
    slope[:, :, :-1] -= right
    per_pixel = np.float32(1 / images.shape[1])
    paid = penalty.roughness * rough + penalty.ink * np.sum(images**2, axis=1)
    gradient = penalty.roughness * slope.reshape(images.shape) + penalty.ink * images
    return paid * per_pixel, 2 * gradient * per_pixel


def preferred_images(
    network: Network,
    penalty: Penalty,
    generator: np.random.Generator,
    *,
    first: Batch | None = None,
    n_steps: int = N_STEPS,
) -> Batch:
    """Return for each output the image (classes, pixels) that lights it most, less the penalty.

    Projected gradient ascent on the output's z: every step moves the pixels along the gradient,
    scaled so that the fastest one moves by the step's length, and clips them to [0, 1]. Ascents
    start from faint noise, and one from `first` (classes, pixels) if it is given; the best end is
    kept, which need not be the best there is. Raises NetworkError as `z_and_gradient` does.
    """
    n_classes = len(network.labels)
    starts = generator.uniform(0, 0.2, (n_classes, N_STARTS, network.n_inputs)).astype(np.float32)
    if first is not None:
        starts[:, 0] = first
    images = starts.reshape(n_classes * N_STARTS, -1)
    outputs = np.repeat(np.eye(n_classes, dtype=np.float32), N_STARTS, axis=0)
    for step in range(n_steps):
        gradient = z_and_gradient(network, images, outputs)[1] - penalize(images, penalty)[1]
        fastest = np.maximum(np.abs(gradient).max(axis=1, keepdims=True), np.float32(1e-12))
        length = np.float32(FIRST_STEP * (1 - step / n_steps))
        images = np.clip(images + length * gradient / fastest, 0, 1, dtype=np.float32)
    reached = z_and_gradient(network, images, outputs)[0] - penalize(images, penalty)[0]
    best = reached.reshape(n_classes, N_STARTS).argmax(axis=1)
    preferred: Batch = images.reshape(n_classes, N_STARTS, -1)[np.arange(n_classes), best]
    return preferred
