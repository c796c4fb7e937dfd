"""Distorted images and images of no class are counted as the network answers them."""

import numpy as np
import pytest

import canonical
from exporter import network
from exporter.commands import common
from exporter.network.network import Batch
from exporter.study import robustness
from exporter.study.distortions import DISTORTIONS
from exporter.training.mnist import Labels
from harness.networks import random_batch, random_network

NETWORK = network.load(common.WEIGHTS).network
N_IMAGES = 300


@pytest.fixture
def few(digits: tuple[Batch, Labels]) -> tuple[Batch, Labels]:
    images, labels = digits
    return images[:N_IMAGES], labels[:N_IMAGES]


def right(batch: Batch, labels: Labels) -> int:
    return int(np.sum(NETWORK.forward(batch)[-1].argmax(axis=1) == labels))


def test_distorted_images_in_both_modes(few: tuple[Batch, Labels]) -> None:
    images, labels = few
    rows = list(robustness.distorted(NETWORK, images, labels))
    assert [row.distortion for row in rows] == list(DISTORTIONS)
    for row in rows:
        batch = DISTORTIONS[row.distortion](images)
        assert row.images == N_IMAGES
        assert row.correct == right(batch, labels)
        assert row.canonical_correct == right(canonical.canonicalize(batch).batch, labels)
    by_name = {row.distortion: row for row in rows}
    assert by_name["clean"].correct == right(images, labels)
    assert by_name["inverted"].canonical_correct > by_name["inverted"].correct + N_IMAGES / 2


def test_chunks_add_up(few: tuple[Batch, Labels], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(robustness.distorted(NETWORK, *few))
    monkeypatch.setattr(robustness, "CHUNK", 7 * N_IMAGES // 10)
    for found, wanted in zip(robustness.distorted(NETWORK, *few), whole, strict=True):
        # Noise is drawn for each chunk anew.
        assert found == wanted or "noise" in found.distortion


def test_images_that_are_not_square() -> None:
    images, labels = random_batch(4, 6), np.zeros(4, np.int64)
    with pytest.raises(canonical.NotSquare):
        next(robustness.distorted(random_network((6, 3)), images, labels))


def test_images_of_no_class(few: tuple[Batch, Labels]) -> None:
    images, labels = few
    rows = list(robustness.out_of_distribution(NETWORK, images, labels))
    assert [row.kind for row in rows] == list(robustness.OUT_OF_DISTRIBUTION)
    for row in rows:
        batch = robustness.OUT_OF_DISTRIBUTION[row.kind](images, labels)
        normalised = canonical.canonicalize(batch).batch
        brightest = (NETWORK.forward(one)[-1].max(axis=1) for one in (batch, normalised))
        bright, canonical_bright = (int(np.sum(one > 0.5)) for one in brightest)
        assert row == robustness.OutOfDistribution(row.kind, len(batch), bright, canonical_bright)


@pytest.mark.parametrize("kind", robustness.OUT_OF_DISTRIBUTION)
def test_images_of_no_class_are_images(kind: str, few: tuple[Batch, Labels]) -> None:
    make = robustness.OUT_OF_DISTRIBUTION[kind]
    batch = make(*few)
    assert batch.dtype == np.float32
    assert batch.shape[1] == 784
    assert batch.min() >= 0
    assert batch.max() <= 1
    np.testing.assert_array_equal(batch, make(*few))


def test_shuffled_images_keep_their_ink(few: tuple[Batch, Labels]) -> None:
    images, labels = few
    shuffled = robustness.shuffle(images, labels)
    np.testing.assert_array_equal(np.sort(shuffled), np.sort(images))
    moved = (shuffled != images).any(axis=1)
    assert moved.all()
    assert len(np.unique(shuffled.argmax(axis=1))) > N_IMAGES / 3, "each in an order of its own"


def test_only_different_classes_are_laid_over_each_other() -> None:
    images = np.eye(4, dtype=np.float32)
    laid = robustness.overlay(images, np.array([0, 1, 1, 0]))
    np.testing.assert_array_equal(laid, [[1, 1, 0, 0], [0, 0, 1, 1]])


def test_a_kind_without_images_is_left_out() -> None:
    rows = robustness.out_of_distribution(
        random_network((9, 3)), random_batch(1, 9), np.zeros(1, np.int64)
    )
    assert "two images at once" not in [row.kind for row in rows]
