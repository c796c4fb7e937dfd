"""What canonical mode is for: the shipped network reads digits that it was never trained on."""

import numpy as np
import pytest

from canonical import canonicalize
from exporter import network
from exporter.commands import common
from exporter.network.network import Batch
from exporter.study.distortions import DISTORTIONS
from exporter.training.mnist import Labels

NETWORK = network.load(common.WEIGHTS).network

PROMISED = {
    "clean": 0.973,
    **{name: 0.965 for name in DISTORTIONS if name.startswith("shifted")},
    "scaled 0.7": 0.97,
    "scaled 1.3": 0.97,
    "inverted": 0.972,
    "squeezed into the bottom half": 0.90,
    "Gaussian noise 0.2": 0.95,
}


@pytest.mark.parametrize("name", PROMISED)
def test_accuracy_on_the_test_images(name: str, digits: tuple[Batch, Labels]) -> None:
    batch, labels = digits
    assert NETWORK.accuracy(canonicalize(DISTORTIONS[name](batch)).batch, labels) >= PROMISED[name]


@pytest.mark.parametrize("name", ["thick", "thin"])
def test_thick_and_thin_strokes_gain(name: str, digits: tuple[Batch, Labels]) -> None:
    batch, labels = DISTORTIONS[name](digits[0]), digits[1]
    assert (
        NETWORK.accuracy(canonicalize(batch).batch, labels) > NETWORK.accuracy(batch, labels) + 0.01
    )


def test_rotations_are_not_undone_but_lose_little(digits: tuple[Batch, Labels]) -> None:
    batch, labels = DISTORTIONS["rotated 30 degrees"](digits[0]), digits[1]
    assert (
        NETWORK.accuracy(canonicalize(batch).batch, labels) > NETWORK.accuracy(batch, labels) - 0.02
    )


def test_stronger_noise_and_larger_digits(digits: tuple[Batch, Labels]) -> None:
    batch, labels = digits[0][:4000], digits[1][:4000]
    noisy = np.random.default_rng(1).normal(0, 0.3, batch.shape).astype(np.float32) + batch
    for distorted in (noisy.clip(0, 1), 1 - noisy.clip(0, 1)):
        assert NETWORK.accuracy(canonicalize(distorted).batch, labels) > 0.8
