"""Of each kind of picture the shipped network reads nearly all digits right."""

import io

import numpy as np
import pytest

from canonical import canonicalize
from exporter.commands.common import WEIGHTS
from exporter.network import weights_file
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.pictures.kinds import KINDS, draw
from mlpserve.models import ImageLayout
from mlpserve.pictures import read_picture

N_IMAGES = 5
MIN_SHARE = 0.8
"""Of so few images one may be read wrong."""

N_GROUPS = 12
MIN_MEAN = 0.95
"""Of all pictures of a group of kinds; `python -m benchmarks.pictures` measures with more."""

MNIST = ImageLayout(28, 28, "light", 20.5 / 28, "mass", (0.5, 0.5))
NETWORK = weights_file.load(WEIGHTS).network


@pytest.fixture(scope="module")
def clean(digits: tuple[Batch, Labels]) -> tuple[Batch, Labels]:
    """Digits that the network reads right as arrays, of all classes."""
    images, labels = digits
    right = np.flatnonzero(NETWORK.forward(images)[-1].argmax(axis=1) == labels)
    return images[right[:N_IMAGES]], labels[right[:N_IMAGES]]


def read_all(kind: str, images: Batch) -> Batch:
    files = [draw(kind, digit, number) for number, digit in enumerate(images.reshape(-1, 28, 28))]
    read = [read_picture(io.BytesIO(file), (28, 28), MNIST).reshape(-1) for file in files]
    return np.stack(read)


@pytest.mark.parametrize("first", range(N_GROUPS))
def test_digits_are_read_right(first: int, clean: tuple[Batch, Labels]) -> None:
    images, labels = clean
    group = list(KINDS)[first::N_GROUPS]
    shares = {}
    for kind in group:
        batch = read_all(kind, images)
        shares[kind, "plain"] = NETWORK.accuracy(batch, labels)
        shares[kind, "canonical"] = NETWORK.accuracy(canonicalize(batch).batch, labels)
    assert min(shares.values()) >= MIN_SHARE, shares
    assert np.mean(list(shares.values())) >= MIN_MEAN, shares


@pytest.mark.parametrize("kind", ["28x28, light on black", "28x28, dark on white"])
def test_what_is_clean_keeps_its_answer(kind: str, digits: tuple[Batch, Labels]) -> None:
    images, labels = digits[0][:300], digits[1][:300]
    before, after = (
        NETWORK.accuracy(images, labels),
        NETWORK.accuracy(read_all(kind, images), labels),
    )
    assert after >= before - 0.005
