"""Steps and schedule against their formulas."""

import math

import numpy as np
import pytest

from exporter.training import optimization


def test_rate_rises_then_falls_to_nothing() -> None:
    shares = [optimization.scheduled(step / 1000) for step in range(1001)]
    assert shares[0] == 0
    assert shares[10] == pytest.approx(0.5)
    assert max(shares) == shares[20] == 1
    assert shares[510] == pytest.approx(0.5)
    assert shares[1000] == 0
    assert shares[:21] == sorted(shares[:21])
    assert shares[20:] == sorted(shares[20:], reverse=True)


def test_plain_descent_goes_against_the_gradient() -> None:
    parameter = np.array([1.0, -1.0])
    optimization.step_sgd(parameter, np.array([5.0, -0.5]), rate=0.1)
    np.testing.assert_allclose(parameter, [0.5, -0.95], rtol=1e-12)


def test_adamw_follows_the_formula() -> None:
    random = np.random.default_rng(0)
    parameter = random.normal(size=(3, 4))
    mean, square = np.zeros((3, 4)), np.zeros((3, 4))
    wanted, m, v = parameter.copy(), np.zeros((3, 4)), np.zeros((3, 4))
    for step in range(1, 6):
        gradient = random.normal(size=(3, 4))
        optimization.step_adamw(parameter, gradient, mean, square, step=step, rate=0.1, decay=0.02)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        corrected = (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
        wanted = wanted - 0.1 * (0.02 * wanted + corrected)
    np.testing.assert_allclose(parameter, wanted, rtol=1e-12)


def test_adamw_takes_a_first_step_of_the_rate_and_decays_without_gradient() -> None:
    zeros = np.zeros(2)
    parameter = np.array([1.0, -1.0])
    optimization.step_adamw(
        parameter, np.array([5.0, -0.001]), zeros.copy(), zeros.copy(), step=1, rate=0.1, decay=0
    )
    np.testing.assert_allclose(parameter, [0.9, -0.9], rtol=1e-4)
    optimization.step_adamw(
        parameter, zeros, zeros.copy(), zeros.copy(), step=1, rate=0.1, decay=0.5
    )
    np.testing.assert_allclose(parameter, [0.855, -0.855], rtol=1e-4)


@pytest.mark.parametrize("shape", [(4, 30), (30, 4), (5, 5)])
def test_orthogonalised_keeps_directions_and_evens_their_lengths(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    rank = min(shape)
    left = np.linalg.qr(random.normal(size=(shape[0], rank)))[0]
    right = np.linalg.qr(random.normal(size=(shape[1], rank)))[0]
    lengths = np.geomspace(1, 0.05, rank)
    found = optimization.orthogonalise((left * lengths) @ right.T)
    inner = left.T @ found @ right
    diagonal = np.diag(inner)
    assert 0.6 < diagonal.min() <= diagonal.max() < 1.3
    np.testing.assert_allclose(inner, np.diag(diagonal), atol=1e-12)
    np.testing.assert_allclose(left @ inner @ right.T, found, atol=1e-12)


def test_orthogonalised_nothing_is_nothing() -> None:
    assert not optimization.orthogonalise(np.zeros((3, 5), np.float32)).any()


@pytest.mark.parametrize("shape", [(4, 30), (30, 4)])
def test_muon_follows_the_formula(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(2)
    weights, momentum = random.normal(size=shape), np.zeros(shape)
    wanted, m = weights.copy(), np.zeros(shape)
    for _ in range(3):
        gradient = random.normal(size=shape)
        optimization.step_muon(weights, gradient, momentum, rate=0.1, decay=0.02)
        m = 0.95 * m + gradient
        update = optimization.orthogonalise(gradient + 0.95 * m)
        update = update * math.sqrt(max(1, shape[0] / shape[1]))
        wanted = wanted - 0.1 * (0.02 * wanted + update)
    np.testing.assert_allclose(weights, wanted, rtol=1e-12)


def test_float32_stays_float32() -> None:
    weights = np.ones((3, 5), np.float32)
    assert optimization.orthogonalise(weights).dtype == np.float32
