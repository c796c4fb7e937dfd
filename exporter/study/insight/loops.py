"""Whether neurons tell images with a loop from images without, beside what chance and pixels do."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from exporter.network.network import Batch, Layer, Network

Flags = npt.NDArray[np.bool_]
"""For each image, whether it has a loop."""

RIDGE = 0.3
"""Of the read-out, for columns of variance 1: enough that 784 pixels don't learn by heart."""


def auc(scores: npt.NDArray[np.floating], flags: Flags) -> npt.NDArray[np.float64]:
    """Return each column's area under the ROC curve (n,): how surely it tells the flagged images.

    The share of pairs of a flagged and another image of which the flagged one scores higher, a tie
    counting half (Mann and Whitney, 1947). 1/2 is chance. `scores` are (N, n), `flags` (N,), some
    true and some false.
    """
    areas = np.empty(scores.shape[1])
    for column, values in enumerate(scores.T):
        others = np.sort(values[~flags])
        lower = np.searchsorted(others, values[flags], side="left")
        not_higher = np.searchsorted(others, values[flags], side="right")
        areas[column] = np.mean(lower + not_higher) / (2 * len(others))
    return areas


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Whether an image has a loop, asked about some of N images.

    `flags` (N,) are the answers; `first` (N,) marks the images to choose and fit on, `second` (N,)
    those to measure on.
    """

    flags: Flags
    first: Flags
    second: Flags

    def group_sizes(self) -> tuple[int, int, int, int]:
        """Return how many have a loop and how many have none: to choose on, and to measure on."""
        with_loop = [int(np.sum(self.flags[part])) for part in (self.first, self.second)]
        without = [int(np.sum(~self.flags[part])) for part in (self.first, self.second)]
        return with_loop[0], without[0], with_loop[1], without[1]


def best_column(scores: Batch, question: Question) -> tuple[int, float]:
    """Return which column of `scores` (N, n) answers best, and its area where it is measured.

    Bright or dark, as it is where it is chosen: a neuron may mean the opposite.
    """
    flags, first, second = question.flags, question.first, question.second
    areas = auc(scores[first], flags[first])
    column = int(np.abs(areas - 0.5).argmax())
    area = float(auc(scores[second][:, [column]], flags[second])[0])
    return column, area if areas[column] >= 0.5 else 1 - area


def read_out(scores: Batch, question: Question) -> float:
    """Return the area of the best linear combination of the columns of `scores` (N, n).

    Fitted by ridge regression of the flags on standardised columns, which is Fisher's discriminant
    (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 2009, section 4.3).
    """
    known, flags = scores[question.first], question.flags[question.first]
    mean, deviation = known.mean(axis=0), np.maximum(known.std(axis=0), np.float32(1e-6))
    columns = (known - mean) / deviation
    covariance = columns.T @ columns / np.float32(len(columns))
    ridge = RIDGE * np.eye(len(covariance))
    correlation = columns.T @ (flags - flags.mean()) / len(columns)
    coefficients = np.linalg.solve(covariance + ridge, correlation)
    sums = ((scores[question.second] - mean) / deviation) @ coefficients
    return float(auc(sums[:, np.newaxis], question.flags[question.second])[0])


def shuffle(network: Network, generator: np.random.Generator) -> Network:
    """Return a network with the same weights and biases, each layer's weights in random places."""
    layers = tuple(
        Layer(
            generator.permutation(layer.weights.ravel()).reshape(layer.weights.shape),
            layer.biases,
            layer.activation,
        )
        for layer in network.layers
    )
    return Network(layers, network.labels)
