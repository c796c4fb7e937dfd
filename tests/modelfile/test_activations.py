"""Activation functions: each is its formula, for any float32."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from modelfile.activations import ACTIVATIONS

EXTREMES = np.array(
    [[-3e38, -1e4, -104, -88.8, -1, -1e-30, 0, 1e-30, 1, 88.8, 104, 1e4, 3e38]], np.float32
)

FORMULAS: dict[str, Callable[[float], float]] = {
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z)),
    "relu": lambda z: max(z, 0.0),
    "tanh": math.tanh,
    "identity": lambda z: z,
    # The constants are those of the paper, with all the digits it prints.
    "selu": lambda z: (
        1.0507009873554804934193349852946
        * (z if z > 0 else 1.6732632423543772848170429916717 * math.expm1(z))
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_activation_is_its_formula_and_stays_float32(name: str) -> None:
    values = EXTREMES if name != "selu" else EXTREMES[:, :-1]
    found = ACTIVATIONS[name](values)
    wanted = [FORMULAS[name](float(value)) for value in values[0]]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], wanted, rtol=1e-6, atol=1e-38)


@pytest.mark.parametrize("name", ["sigmoid", "relu", "tanh", "identity", "softmax"])
def test_activation_of_any_float32_is_finite_without_a_warning(name: str) -> None:
    largest = np.finfo(np.float32).max
    bits = np.random.default_rng(0).integers(0, 2**32, 100_000, dtype=np.uint32).view(np.float32)
    values = np.concatenate([bits[np.isfinite(bits)], EXTREMES[0], np.array([-largest, largest])])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        found = ACTIVATIONS[name](values[np.newaxis])
    assert np.isfinite(found).all()


def test_softmax_is_row_wise() -> None:
    found = ACTIVATIONS["softmax"](np.log(np.array([[1, 3], [2, 2]], np.float32)))
    np.testing.assert_allclose(found, [[0.25, 0.75], [0.5, 0.5]], rtol=1e-6)


def test_every_activation_has_a_test() -> None:
    assert set(ACTIVATIONS) == {*FORMULAS, "softmax"}
