"""Right and wrong answers, counted by hand."""

import math

import numpy as np
import pytest

from exporter.network.network import Layer, Network
from exporter.study import evaluation
from exporter.study.evaluation import EvaluationError, accuracy, measure, most_confused

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


def test_confusion_and_precision() -> None:
    found = measure(NETWORK, IMAGES, np.array([0, 0, 1, 1, 1]), "test")
    assert found.confusion == ((2, 0, 0), (1, 2, 0), (0, 0, 0))
    assert (found.split, found.labels) == ("test", ("a", "b", "c"))
    assert found.accuracy == accuracy(NETWORK, IMAGES, np.array([0, 0, 1, 1, 1]))
    assert found.precision[:2] == pytest.approx((2 / 3, 1))
    assert math.isnan(found.precision[2])
    assert found.robustness is None


def test_most_confused_come_first() -> None:
    images = np.eye(3, dtype=np.float32)[[0, 0, 1, 2, 2, 2]]
    found = measure(NETWORK, images, np.array([1, 1, 0, 2, 0, 1]), "test")
    assert most_confused(found, 2) == ["b for a (2)", "a for b (1)"]
    assert len(most_confused(found, 99)) == 4


def test_mistakes_are_the_surest_wrong_answers() -> None:
    images = np.array([[0.7, 0, 0], [0.9, 0, 0], [1, 0, 0], [0, 0.9, 0.1]], np.float32)
    found = measure(NETWORK, images, np.array([1, 2, 0, 0]), "test")
    shown = [(one.image, one.truth, one.answer) for one in found.mistakes]
    assert shown == [(1, 2, 0), (3, 0, 1), (0, 1, 0)]
    assert [one.activation for one in found.mistakes] == pytest.approx([0.9, 0.9, 0.7])
    many = measure(NETWORK, np.tile(images[:1], (50, 1)), np.full(50, 1), "test")
    assert [one.image for one in many.mistakes] == list(range(evaluation.N_MISTAKES))


def test_confidence_of_outputs_that_are_shares() -> None:
    layer = Layer(np.eye(3, dtype=np.float32), np.array([0, 0, -9], "f4"), "sigmoid")
    network = Network((layer,), ("a", "b", "c"))
    # The brightest outputs are 0.5, 0.731 and 0.731.
    images = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    found = measure(network, images, np.array([0, 0, 2]), "test").confidence
    assert found is not None
    assert found.without_bright_output == 1
    filled = {index: one for index, one in enumerate(found.bins) if one.images}
    assert {index: (one.images, one.correct) for index, one in filled.items()} == {
        7: (1, 1),
        10: (2, 1),
    }
    sigmoid_1 = 1 / (1 + math.exp(-1))
    assert filled[10].mean_output == pytest.approx(sigmoid_1)
    wanted = (abs(1 - 0.5) + abs(1 - 2 * sigmoid_1)) / 3
    assert found.calibration_error == pytest.approx(wanted)


def test_outputs_of_any_size_have_no_confidence() -> None:
    assert measure(NETWORK, -IMAGES, np.zeros(5, np.int64), "test").confidence is None
