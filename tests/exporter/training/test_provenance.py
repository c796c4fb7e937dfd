"""What the file of a trained network tells: the same each time, true, and nothing of a test."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter import network
from exporter.study import evaluation, records
from exporter.training import provenance as origin
from exporter.training import training
from exporter.training.mnist import Dataset
from tests.exporter.training.training_process import OPTIONS, stripes

STRIPES = Dataset("12" * 32, "34" * 32)
SHORT = replace(OPTIONS, epochs=30)


@pytest.fixture(scope="module")
def trained() -> training.Trained:
    return training.train(*stripes(), SHORT)


def test_provenance_tells_the_training(trained: training.Trained) -> None:
    provenance = origin.describe(trained, SHORT, STRIPES, 240)
    assert provenance["dataset"] == "not MNIST"
    assert provenance["images_sha256"] == STRIPES.images_sha256
    assert provenance["labels_sha256"] == STRIPES.labels_sha256
    assert "first 240 training images" in str(provenance["protocol"])
    assert "last 60" in str(provenance["protocol"])
    assert str(provenance["recipe"]).startswith("muon; tanh while training; cross-entropy;")
    assert "rotation_degrees 10" in str(provenance["recipe"])
    assert provenance["seed"] == SHORT.seed
    assert provenance["epochs"] == SHORT.epochs
    assert provenance["validation_accuracy"] == trained.validation_accuracy
    assert not [key for key in provenance if key.startswith("test")]


def test_recipe_tells_what_was_left_out(trained: training.Trained) -> None:
    options = replace(SHORT, loss="squared-error", augment=False)
    recipe = str(origin.describe(trained, options, STRIPES, 240)["recipe"])
    assert "squared-error" in recipe
    assert "binary" not in recipe
    assert "augmentation" not in recipe
    assert "fading" not in recipe


@pytest.mark.parametrize(
    ("optimizer", "unused"),
    [("muon", set()), ("adamw", {"adamw_rate"}), ("sgd", {"adamw_rate", "decay"})],
)
def test_options_without_effect_are_left_out(
    trained: training.Trained, optimizer: Any, unused: set[str]
) -> None:
    every = origin.describe(trained, SHORT, STRIPES, 240)
    found = origin.describe(trained, replace(SHORT, optimizer=optimizer), STRIPES, 240)
    assert every.keys() - found.keys() == unused


def test_examples_are_right_and_of_every_class_in_turn(trained: training.Trained) -> None:
    images, labels = stripes()
    chosen = origin.choose_examples(trained.network, images, labels)
    assert chosen.shape == (8, 64)
    assert chosen.dtype == np.float32
    answers = trained.network.forward(chosen)[-1].argmax(axis=1)
    np.testing.assert_array_equal(answers, [0, 1, 2, 0, 1, 2, 0, 1])
    assert len(np.unique(chosen, axis=0)) == 8
    # Of each class the first that the network gets right.
    right = trained.network.forward(images)[-1].argmax(axis=1) == labels
    for label in range(3):
        first = np.flatnonzero(right & (labels == label))[0]
        np.testing.assert_array_equal(chosen[label], images[first])


def test_examples_of_what_was_answered_wrong_are_left_out(trained: training.Trained) -> None:
    images, _ = stripes()
    answers = trained.network.forward(images)[-1].argmax(axis=1)
    wrong = (answers + 1) % 3
    assert len(origin.choose_examples(trained.network, images, wrong)) == 0
    assert len(origin.choose_examples(trained.network, images[:4], answers[:4])) == 4


def test_a_test_is_recorded_and_the_rest_stays(trained: training.Trained, tmp_path: Path) -> None:
    path = tmp_path / "stripes.npz"
    images, labels = stripes()
    provenance = origin.describe(trained, SHORT, STRIPES, 240)
    examples = origin.choose_examples(trained.network, images, labels)
    network.save(path, trained.network, examples=examples, provenance=provenance)
    measured = evaluation.measure(trained.network, images, labels, "test")
    for _ in range(2):
        records.store(path, measured)
        saved = network.load(path)
        assert saved.provenance == {
            **provenance,
            "test_accuracy": measured.accuracy.overall,
            "test_correct": sum(measured.accuracy.correct),
            "test_images": 300,
        }
        assert saved.evaluation == records.encode(measured)
        assert saved.examples is not None
        np.testing.assert_array_equal(saved.examples, examples)
        for found, wanted in zip(saved.network.layers, trained.network.layers, strict=True):
            np.testing.assert_array_equal(found.weights, wanted.weights)
            np.testing.assert_array_equal(found.biases, wanted.biases)
