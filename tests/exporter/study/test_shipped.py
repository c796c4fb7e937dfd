"""The network that ships is the one the documents speak of, and as good as it says."""

import numpy as np
import pytest

from exporter import network
from exporter.commands import common
from exporter.export import golden
from exporter.network.network import Batch
from exporter.study import evaluation
from exporter.training import mnist

SAVED = network.load(common.WEIGHTS)


def test_it_is_the_network_that_everybody_meets_first() -> None:
    assert SAVED.network.sizes == (784, 16, 16, 10)
    assert SAVED.network.parameter_count == 13_002
    assert [layer.activation for layer in SAVED.network.layers] == ["sigmoid"] * 3
    assert SAVED.network.labels == tuple("0123456789")


def test_its_accuracy_is_what_its_provenance_says(digits: tuple[Batch, mnist.Labels]) -> None:
    measured = evaluation.accuracy(SAVED.network, *digits)
    assert measured.overall >= 0.95
    assert measured.overall == pytest.approx(SAVED.provenance["test_accuracy"], abs=1e-4)


def test_its_golden_examples_are_real_digits() -> None:
    assert SAVED.examples is not None
    assert len(SAVED.examples) >= golden.N_GOLDEN
    found = SAVED.network.forward(SAVED.examples[: golden.N_GOLDEN])[-1]
    assert np.count_nonzero(found.max(axis=1) > 0.5) >= 6, "some digits are hard"
