"""What a network answers to distorted images and to images of no class, canonical mode off and on.

Canonical mode, `canonical.canonicalize`, normalises images before the network sees them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import canonical
from exporter.network.network import Batch, Network
from exporter.study.distortions import DISTORTIONS
from exporter.training.calibration import BRIGHT
from modelfile.image_layout import MNIST, ImageLayout

CHUNK = 10_000
"""Images distorted at a time, which bounds the memory."""

PROBABILITIES = ("sigmoid", "softmax")
"""Activations of an output layer that lie in [0, 1]."""

SEED = 0
"""Every evaluation meets the same images of no class."""


@dataclass(frozen=True, slots=True)
class Distorted:
    """How many images of a distortion are right, as they are and in canonical mode."""

    distortion: str
    images: int
    correct: int
    canonical_correct: int


@dataclass(frozen=True, slots=True)
class OutOfDistribution:
    """How many images of a kind that has no class get an output above 0.5, in either mode."""

    kind: str
    images: int
    bright: int
    canonical_bright: int


@dataclass(frozen=True, slots=True)
class Robustness:
    """A row for each distortion, and for each kind of image that has no class."""

    distorted: tuple[Distorted, ...]
    out_of_distribution: tuple[OutOfDistribution, ...]


def says_probabilities(network: Network) -> bool:
    """Whether outputs lie in [0, 1], so that they can be more or less sure."""
    return network.layers[-1].activation in PROBABILITIES


def distorted(
    network: Network,
    images: Batch,
    labels: npt.NDArray[np.integer],
    layout: ImageLayout | None = MNIST,
) -> Iterator[Distorted]:
    """Measure images (N, n_in) and labels (N,) under each of DISTORTIONS, one after the other.

    Canonical mode puts them into the network's `layout`. Raises canonical.NotSquare when they
    aren't square.
    """
    for name, distort in DISTORTIONS.items():
        right = [0, 0]
        for start in range(0, len(images), CHUNK):
            chunk = slice(start, start + CHUNK)
            for mode, outputs in enumerate(_outputs(network, distort(images[chunk]), layout)):
                right[mode] += int(np.sum(outputs.argmax(axis=1) == labels[chunk]))
        yield Distorted(name, len(images), *right)


def out_of_distribution(
    network: Network,
    images: Batch,
    labels: npt.NDArray[np.integer],
    layout: ImageLayout | None = MNIST,
) -> Iterator[OutOfDistribution]:
    """Show the network images of no class, made from images (N, n_in) and labels (N,).

    Only the first CHUNK images are taken; nothing comes of networks whose outputs are no
    probabilities. Raises canonical.NotSquare when they aren't square.
    """
    if not says_probabilities(network):
        return
    for kind, make in OUT_OF_DISTRIBUTION.items():
        batch = make(images[:CHUNK], labels[:CHUNK])
        if not len(batch):
            continue
        both = _outputs(network, batch, layout)
        bright = [int(np.sum(outputs.max(axis=1) > BRIGHT)) for outputs in both]
        yield OutOfDistribution(kind, len(batch), *bright)


def uniform_noise(images: Batch, _: npt.NDArray[np.integer]) -> Batch:
    """Return as many images whose every pixel is drawn uniformly from [0, 1)."""
    return np.random.default_rng(SEED).random(images.shape, dtype=np.float32)


def shuffle(images: Batch, _: npt.NDArray[np.integer]) -> Batch:
    """Return the images with the pixels of each in an order of chance: ink without a shape."""
    return np.random.default_rng(SEED).permuted(images, axis=1)


def overlay(images: Batch, labels: npt.NDArray[np.integer]) -> Batch:
    """Lay each image over the next one, where their classes differ: the brighter pixel counts."""
    differ = labels[:-1] != labels[1:]
    laid: Batch = np.maximum(images[:-1], images[1:])[differ]
    return laid


OUT_OF_DISTRIBUTION: dict[str, Callable[[Batch, npt.NDArray[np.integer]], Batch]] = {
    "uniform noise": uniform_noise,
    "shuffled pixels": shuffle,
    "two images at once": overlay,
    "all black": lambda images, _: np.zeros((1, images.shape[1]), np.float32),
    "all white": lambda images, _: np.ones((1, images.shape[1]), np.float32),
}
"""By name, functions from images (N, n_in) and labels (N,) to images of no class."""


def _outputs(network: Network, batch: Batch, layout: ImageLayout | None) -> tuple[Batch, Batch]:
    """Return the outputs (N, classes) for a batch as it is, and in canonical mode."""
    canonical_batch = canonical.canonicalize(batch, layout).batch
    return network.forward(batch)[-1], network.forward(canonical_batch)[-1]
