"""Output activations that mean what they say: one temperature and one shift, and their measures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exporter.network.network import Batch
from exporter.training.backpropagation import Array, Parameters

NEWTON_STEPS = 50
TOLERANCE = 1e-10

RIDGE = 1e-6
"""Keeps the fit finite where every image is answered right and no temperature is hot enough."""

BRIGHT = 0.5
"""An output above this is called bright."""

N_BINS = 15
"""Intervals of the brightest output, as many as Guo et al. take."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What replaces the output layer's z: temperature * z + shift, the same for every class."""

    temperature: float
    shift: float


@dataclass(frozen=True, slots=True)
class Bin:
    """The images whose brightest output lies in one interval.

    How many they are, how many of them are right, and the mean of their brightest output (0 when
    there are none).
    """

    images: int
    correct: int
    mean_output: float


def fit(z: Array, targets: Array) -> Calibration:
    """Fit a calibration to the z (N, classes) of images that weren't trained on, by cross-entropy.

    Minimises the mean of -log(sigmoid(u) if target else 1 - sigmoid(u)), u = temperature z + shift,
    over all images and classes: logistic regression in two numbers, convex, solved by Newton's
    method. With r = sigmoid(u) - target and h = sigmoid(u) (1 - sigmoid(u)), its gradient is
    (mean r z, mean r) and its Hessian [[mean h z^2, mean h z], [mean h z, mean h]]. A cross-entropy
    of the softmax alone leaves the outputs' common level free; this puts it where it belongs.
    Compare Platt, 1999, and Guo et al., On calibration of modern neural networks, 2017.
    """
    x, y = z.astype(np.float64).ravel(), targets.astype(np.float64).ravel()
    design = np.stack([x, np.ones_like(x)])
    start = np.array([1.0, 0.0])

    def loss(theta: npt.NDArray[np.float64]) -> float:
        u = theta @ design
        return float(np.mean(np.logaddexp(0, u) - u * y) + RIDGE / 2 * np.sum((theta - start) ** 2))

    theta = start
    for _ in range(NEWTON_STEPS):
        probability = (1 + np.tanh(theta @ design / 2)) / 2
        gradient = design @ (probability - y) / len(x) + RIDGE * (theta - start)
        curvature = probability * (1 - probability)
        hessian = (design * curvature) @ design.T / len(x) + RIDGE * np.eye(2)
        direction = np.linalg.solve(hessian, gradient)
        size = 1.0
        while loss(theta - size * direction) > loss(theta) and size > TOLERANCE:
            size /= 2
        theta = theta - size * direction
        if np.abs(size * direction).max() < TOLERANCE:
            break
    return Calibration(float(theta[0]), float(theta[1]))


def apply(parameters: Parameters, calibration: Calibration) -> list[Array]:
    """Return parameters whose output layer gives temperature * z + shift where it gave z."""
    *hidden, weights, biases = parameters
    temperature, shift = calibration.temperature, calibration.shift
    return [*hidden, temperature * weights, temperature * biases + shift]


def reliability(
    outputs: Batch, labels: npt.NDArray[np.integer], n_bins: int = N_BINS
) -> tuple[Bin, ...]:
    """Sort images into `n_bins` equal intervals of [0, 1] by their brightest output.

    `outputs` are (N, classes) in [0, 1], `labels` (N,).
    """
    brightest = outputs.max(axis=1).astype(np.float64)
    bins = np.minimum((brightest * n_bins).astype(int), n_bins - 1)
    right = outputs.argmax(axis=1) == labels
    n_images = np.bincount(bins, minlength=n_bins)
    correct = np.bincount(bins[right], minlength=n_bins)
    means = np.bincount(bins, weights=brightest, minlength=n_bins) / np.maximum(n_images, 1)
    return tuple(
        Bin(int(images), int(hits), float(mean))
        for images, hits, mean in zip(n_images, correct, means, strict=True)
    )


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error of the brightest output, in [0, 1].

    The mean over images of |share of right answers - mean brightest output| of the image's interval
    (Guo et al., 2017, equation 3).
    """
    gaps = sum(abs(interval.correct - interval.images * interval.mean_output) for interval in bins)
    return gaps / sum(interval.images for interval in bins)


def share_without_bright_output(outputs: Batch) -> float:
    """Return the share of images, in [0, 1], of which no output is above 0.5."""
    return float(np.mean(outputs.max(axis=1) <= BRIGHT))
