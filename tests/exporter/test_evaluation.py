"""Accuracy, counted by hand."""

import math

import numpy as np
import pytest

from exporter.evaluation import EvaluationError, accuracy
from exporter.network import Layer, Network

# Answers with the index of the brightest pixel.
NETWORK = Network(
    (Layer(np.eye(3, dtype=np.float32), np.zeros(3, np.float32), "identity"),), ("a", "b", "c")
)
IMAGES = np.eye(3, dtype=np.float32)[[0, 0, 0, 1, 1]]


def test_accuracy() -> None:
    found = accuracy(NETWORK, IMAGES, np.array([0, 0, 1, 1, 1]))
    assert (found.correct, found.total) == ((2, 2, 0), (2, 3, 0))
    assert (found.n_images, found.overall) == (5, 0.8)
    assert found.standard_error == pytest.approx(math.sqrt(0.8 * 0.2 / 5))
    assert found.per_class[:2] == pytest.approx((1, 2 / 3))
    assert math.isnan(found.per_class[2])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 0, 0, 0]), r"5 images with labels of shape \(4,\)"),
        (np.array([[0]] * 5), r"5 images with labels of shape \(5, 1\)"),
        (
            np.array([0, 0, 0, 0, 3]),
            "labels from 0 to 3, but the network's 3 outputs stand for 0 to 2",
        ),
        (np.array([0, 0, 0, 0, -1]), "labels from -1 to 0"),
    ],
)
def test_labels_that_do_not_fit(labels: np.ndarray, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        accuracy(NETWORK, IMAGES, labels)


def test_no_images() -> None:
    with pytest.raises(EvaluationError, match="0 images"):
        accuracy(NETWORK, IMAGES[:0], np.zeros(0, np.int64))
