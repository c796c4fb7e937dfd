"""The fit finds what was hidden in made-up answers; the measures have values known by hand."""

import numpy as np
import pytest

from exporter.training import backpropagation, calibration
from exporter.training.backpropagation import Array
from exporter.training.calibration import Bin


def answers(temperature: float, shift: float) -> tuple[Array, Array]:
    """Outputs' z, and answers drawn with the probability sigmoid(temperature z + shift)."""
    random = np.random.default_rng(0)
    z = random.normal(0, 2, (20_000, 10))
    probability = 1 / (1 + np.exp(-(temperature * z + shift)))
    return z, (random.random(z.shape) < probability).astype(float)


def loss(z: Array, targets: Array, temperature: float, shift: float) -> float:
    u = temperature * z + shift
    return float(np.mean(np.logaddexp(0, u) - u * targets))


@pytest.mark.parametrize(("temperature", "shift"), [(1, 0), (0.5, -3), (2.5, 1)])
def test_fit_finds_temperature_and_shift(temperature: float, shift: float) -> None:
    fitted = calibration.fit(*answers(temperature, shift))
    assert fitted.temperature == pytest.approx(temperature, abs=0.03)
    assert fitted.shift == pytest.approx(shift, abs=0.05)


def test_fit_is_a_minimum() -> None:
    z, targets = answers(0.7, -1)
    fitted = calibration.fit(z, targets)
    best = loss(z, targets, fitted.temperature, fitted.shift)
    for temperature, shift in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)):
        moved = loss(z, targets, fitted.temperature + temperature, fitted.shift + shift)
        assert moved > best


def test_fit_stays_finite_when_every_answer_is_right() -> None:
    targets = np.eye(3)[[0, 1, 2, 0]]
    fitted = calibration.fit(100 * targets - 50, targets)
    assert np.isfinite([fitted.temperature, fitted.shift]).all()
    assert fitted.temperature > 0


def test_apply_changes_z_alone() -> None:
    random = np.random.default_rng(3)
    parameters = [random.normal(size=shape) for shape in ((4, 6), (4,), (3, 4), (3,))]
    batch = random.random((5, 6))
    before = backpropagation.forward(parameters, batch, "tanh")
    applied = calibration.apply(parameters, calibration.Calibration(1.7, -0.4))
    after = backpropagation.forward(applied, batch, "tanh")
    np.testing.assert_array_equal(after[1], before[1])
    np.testing.assert_allclose(after[-1], 1.7 * before[-1] - 0.4, rtol=1e-12)


def test_calibration_error_by_hand() -> None:
    outputs = np.array([[0.91, 0.1], [0.95, 0.2], [0.3, 0.65], [0.62, 0.1]], np.float32)
    labels = np.array([0, 1, 1, 0])
    # Of ten bins: 0.91 and 0.95, one of two right; 0.65 and 0.62, both right.
    wanted = (abs(1 - 1.86) + abs(2 - 1.27)) / 4
    found = calibration.calibration_error(calibration.reliability(outputs, labels, n_bins=10))
    assert found == pytest.approx(wanted, abs=1e-6)
    certain = calibration.reliability(np.eye(2, dtype=np.float32), np.array([0, 1]))
    assert calibration.calibration_error(certain) == 0


def test_share_without_bright_output_by_hand() -> None:
    outputs = np.array([[0.9, 0.1], [0.5, 0.5], [0.51, 0.6], [0.0, 0.2]], np.float32)
    assert calibration.share_without_bright_output(outputs) == 0.5


def test_reliability_by_hand() -> None:
    outputs = np.array([[0.91, 0.1], [0.95, 0.2], [1.0, 0.0], [0.3, 0.65]], np.float32)
    empty = Bin(0, 0, 0.0)
    bins = calibration.reliability(outputs, np.array([0, 1, 0, 1]), n_bins=4)
    assert bins[:2] == (empty, empty)
    assert [(one.images, one.correct) for one in bins[2:]] == [(1, 1), (3, 2)]
    assert [one.mean_output for one in bins[2:]] == pytest.approx([0.65, 2.86 / 3])
