"""Backpropagation's gradients against finite differences, and the losses at known points."""

import math
from itertools import pairwise

import numpy as np
import pytest

from exporter.training import backpropagation
from exporter.training.backpropagation import DERIVATIVES, Array, Loss

LOSSES: dict[str, Loss] = {
    "cross-entropy": backpropagation.cross_entropy(0.0),
    "mixed cross-entropy": backpropagation.cross_entropy(0.3),
    "squared error": backpropagation.squared_error,
}
STEP = 1e-6


def problem(sizes: tuple[int, ...] = (7, 5, 4, 3)) -> tuple[list[Array], Array, Array]:
    """Random float64 parameters, a batch and its targets."""
    random = np.random.default_rng(0)
    parameters: list[Array] = []
    for n_in, n_out in pairwise(sizes):
        parameters += [random.normal(size=(n_out, n_in)), random.normal(size=n_out)]
    return parameters, random.random((6, sizes[0])), np.eye(sizes[-1])[random.integers(3, size=6)]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("activation", DERIVATIVES)
@pytest.mark.parametrize("sizes", [(7, 3), (7, 5, 3), (7, 5, 4, 3)])
def test_gradients_are_finite_differences(
    sizes: tuple[int, ...], activation: str, name: str
) -> None:
    parameters, batch, targets = problem(sizes)
    loss = LOSSES[name]

    def value() -> float:
        return loss(backpropagation.forward(parameters, batch, activation)[-1], targets)[0]

    found, gradients = backpropagation.loss_and_gradients(
        parameters, batch, targets, activation, loss
    )
    assert found == value()
    assert [gradient.shape for gradient in gradients] == [each.shape for each in parameters]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        for place in np.ndindex(parameter.shape):
            kept = parameter[place]
            parameter[place] = kept + STEP
            above = value()
            parameter[place] = kept - STEP
            below = value()
            parameter[place] = kept
            assert gradient[place] == pytest.approx((above - below) / (2 * STEP), abs=1e-8)


@pytest.mark.parametrize("activation", DERIVATIVES)
def test_float32_stays_float32(activation: str) -> None:
    parameters, batch, targets = problem()
    _, gradients = backpropagation.loss_and_gradients(
        [each.astype(np.float32) for each in parameters],
        batch.astype(np.float32),
        targets.astype(np.float32),
        activation,
        LOSSES["mixed cross-entropy"],
    )
    assert {gradient.dtype for gradient in gradients} == {np.dtype(np.float32)}


def test_losses_of_outputs_that_know_nothing() -> None:
    z, targets = np.zeros((2, 4)), np.eye(4)[:2]
    assert LOSSES["cross-entropy"](z, targets)[0] == pytest.approx(math.log(4))
    assert LOSSES["mixed cross-entropy"](z, targets)[0] == pytest.approx(
        math.log(4) + 0.3 * 4 * math.log(2)
    )
    assert LOSSES["squared error"](z, targets)[0] == pytest.approx(4 * 0.25 / 2)


def test_losses_of_extreme_outputs_are_finite() -> None:
    z = np.array([[1e4, -1e4, 0.0]], np.float32)
    targets = np.array([[0, 1, 0]], np.float32)
    for loss in LOSSES.values():
        value, gradient = loss(z, targets)
        assert math.isfinite(value)
        assert np.isfinite(gradient).all()
