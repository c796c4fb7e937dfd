"""How well a network does on labelled images."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exporter.network import Batch, Network


class EvaluationError(Exception):
    """Images and labels that a network can't be measured on."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many images of each class there are, and how many of them the network got right.

    `correct` and `total` have a number for each class, in the order of the network's labels.
    """

    correct: tuple[int, ...]
    total: tuple[int, ...]

    @property
    def n_images(self) -> int:
        """Images of all classes."""
        return sum(self.total)

    @property
    def overall(self) -> float:
        """Share of all images that are right, in [0, 1]."""
        return sum(self.correct) / self.n_images

    @property
    def standard_error(self) -> float:
        """Standard error of `overall`, sqrt(p (1 - p) / n), that of a binomial proportion."""
        return math.sqrt(self.overall * (1 - self.overall) / self.n_images)

    @property
    def per_class(self) -> tuple[float, ...]:
        """Share of each class's images that are right; not a number for a class without images."""
        return tuple(
            correct / total if total else math.nan
            for correct, total in zip(self.correct, self.total, strict=True)
        )


def accuracy(network: Network, images: Batch, labels: npt.NDArray[np.integer]) -> Accuracy:
    """Measure a network on images (N, n_in) and labels (N,), each an output's index.

    Raises EvaluationError when there are no images, not one label for each, or a label that is no
    output's; NetworkError when the images don't fit the network.
    """
    n_classes = len(network.labels)
    if labels.shape != (len(images),) or not len(images):
        raise EvaluationError(f"{len(images)} images with labels of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= n_classes:
        raise EvaluationError(
            f"labels from {labels.min()} to {labels.max()}, but the network's {n_classes} outputs "
            f"stand for 0 to {n_classes - 1}"
        )
    right = network.forward(images)[-1].argmax(axis=1) == labels
    correct = np.bincount(labels[right], minlength=n_classes)
    total = np.bincount(labels, minlength=n_classes)
    return Accuracy(tuple(map(int, correct)), tuple(map(int, total)))
