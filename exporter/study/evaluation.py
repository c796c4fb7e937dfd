"""How well a network does on labelled images: right and wrong answers, and how sure it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exporter.errors import ExporterError
from exporter.network.network import Batch, Network
from exporter.study.robustness import Robustness, says_probabilities
from exporter.training import calibration
from exporter.training.calibration import Bin
from exporter.training.mnist import Dataset

N_MISTAKES = 12
"""How many of the worst mistakes are kept."""


class EvaluationError(ExporterError):
    """Images and labels that a network can't be measured on, or a record that can't be read."""


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
        """Standard error of `overall`."""
        return standard_error(self.overall, self.n_images)

    @property
    def per_class(self) -> tuple[float, ...]:
        """Share of each class's images that are right; not a number for a class without images."""
        return tuple(map(_share, self.correct, self.total))


@dataclass(frozen=True, slots=True)
class Mistake:
    """An image with a wrong answer.

    `image` is its index among the images measured, `truth` and `answer` are indices of outputs,
    `activation` is the answer's.
    """

    image: int
    truth: int
    answer: int
    activation: float


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure a network is: the bins of its brightest output, and images without a bright one."""

    bins: tuple[Bin, ...]
    without_bright_output: int

    @property
    def calibration_error(self) -> float:
        """Expected calibration error of the brightest output, in [0, 1]."""
        return calibration.calibration_error(self.bins)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured on the images of a split, in the order of their file.

    `data` are the files that the images are from, None when they aren't known;
    `confusion[truth][answer]` counts images. `confidence` is None when the outputs needn't lie in
    [0, 1]; `robustness` is None when it wasn't measured. `mistakes` are the wrong answers with the
    highest activation, highest first.
    """

    split: str
    labels: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    confidence: Confidence | None
    mistakes: tuple[Mistake, ...]
    robustness: Robustness | None = None
    data: Dataset | None = None

    @property
    def accuracy(self) -> Accuracy:
        """Right answers of each class: the diagonal, and the sum of each row."""
        correct = tuple(row[index] for index, row in enumerate(self.confusion))
        return Accuracy(correct, tuple(map(sum, self.confusion)))

    @property
    def precision(self) -> tuple[float, ...]:
        """Share of each answer that is right; not a number for what was never answered."""
        answered = tuple(map(sum, zip(*self.confusion, strict=True)))
        return tuple(map(_share, self.accuracy.correct, answered))


def standard_error(share: float, n_images: int) -> float:
    """Return the standard error of a share of images, sqrt(p (1 - p) / n): a binomial's."""
    return math.sqrt(share * (1 - share) / n_images)


def accuracy(network: Network, images: Batch, labels: npt.NDArray[np.integer]) -> Accuracy:
    """Measure a network on images (N, n_in) and labels (N,), each an output's index.

    Raises EvaluationError when there are no images, not one label for each, or a label that is no
    output's; NetworkError when the images don't fit the network.
    """
    return measure(network, images, labels, "").accuracy


def measure(
    network: Network, images: Batch, labels: npt.NDArray[np.integer], split: str
) -> Evaluation:
    """Measure all but the robustness; arguments and errors are those of `accuracy`."""
    n_classes = len(network.labels)
    _check(labels, len(images), n_classes)
    outputs = network.forward(images)[-1]
    answers = outputs.argmax(axis=1)
    pairs = np.bincount(n_classes * labels + answers, minlength=n_classes**2)
    confusion = pairs.reshape(n_classes, n_classes).tolist()
    confidence = None
    if says_probabilities(network):
        without = calibration.share_without_bright_output(outputs) * len(outputs)
        confidence = Confidence(calibration.reliability(outputs, labels), round(without))
    mistakes = _worst_mistakes(outputs, labels)
    return Evaluation(split, network.labels, tuple(map(tuple, confusion)), confidence, mistakes)


def most_confused(evaluation: Evaluation, count: int) -> list[str]:
    """Return up to `count` of what it mistakes for what, the most images first: "4 for 9 (12)"."""
    pairs = [
        (images, f"{evaluation.labels[truth]} for {evaluation.labels[answer]} ({images})")
        for truth, row in enumerate(evaluation.confusion)
        for answer, images in enumerate(row)
        if truth != answer and images
    ]
    return [text for _, text in sorted(pairs, key=lambda pair: -pair[0])[:count]]


def _check(labels: npt.NDArray[np.integer], n_images: int, n_classes: int) -> None:
    if labels.shape != (n_images,) or not n_images:
        raise EvaluationError(f"{n_images} images with labels of shape {labels.shape}")
    if labels.min() < 0 or labels.max() >= n_classes:
        raise EvaluationError(
            f"labels from {labels.min()} to {labels.max()}, but the network's {n_classes} outputs "
            f"stand for 0 to {n_classes - 1}"
        )


def _worst_mistakes(outputs: Batch, labels: npt.NDArray[np.integer]) -> tuple[Mistake, ...]:
    """Return the wrong answers with the highest activation; of equal ones the first image's."""
    answers, activations = outputs.argmax(axis=1), outputs.max(axis=1)
    wrong: Sequence[int] = np.flatnonzero(answers != labels).tolist()
    worst = sorted(wrong, key=lambda image: -activations[image])[:N_MISTAKES]
    return tuple(
        Mistake(image, int(labels[image]), int(answers[image]), float(activations[image]))
        for image in worst
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
