"""The filter bank knows edges and bars, and chance is as smooth as what it stands beside."""

import numpy as np
import pytest

from exporter.network.network import Batch
from exporter.study.insight import edges

SIDE = 28


@pytest.fixture(scope="module")
def bank() -> list[tuple[float, Batch]]:
    return list(edges.gabor_filters(SIDE))


def test_filters_have_mean_0_and_length_1(bank: list[tuple[float, Batch]]) -> None:
    filters = np.concatenate([block for _, block in bank])
    assert len(filters) > 10_000
    np.testing.assert_allclose(filters.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(filters, axis=1), 1, atol=1e-4)


def test_a_filter_finds_itself_whatever_its_sign_and_size(bank: list[tuple[float, Batch]]) -> None:
    chosen = [(phase, block[len(block) // 2]) for phase, block in bank[::37]]
    images = np.stack([3 * image for _, image in chosen])
    images[::2] *= -1
    found = edges.best_matches(images + np.float32(0.5))
    np.testing.assert_allclose(found.correlations, 1, atol=1e-4)
    np.testing.assert_allclose(found.filters, edges.normalize(images), atol=1e-3)
    assert found.are_edges.tolist() == [phase == edges.EDGE for phase, _ in chosen]


def test_a_drawn_stroke_is_a_bar_and_a_step_is_an_edge() -> None:
    stroke = edges.draw_stroke(SIDE)
    step = np.zeros((SIDE, SIDE), np.float32)
    step[10:14, 8:18], step[14:18, 8:18] = 1, -1
    found = edges.best_matches(np.concatenate([stroke, step.reshape(1, -1)]))
    assert found.are_edges.tolist() == [False, True]
    assert found.correlations[0] > 0.85
    assert found.correlations[1] > 0.75


def test_scrambled_images_have_the_same_spectrum_and_are_not_the_same() -> None:
    stroke = edges.draw_stroke(SIDE)
    scrambled = edges.scramble(np.repeat(stroke, 40, axis=0), np.random.default_rng(0))
    spectra = np.abs(np.fft.rfft2(scrambled.reshape(-1, SIDE, SIDE)))
    wanted = np.abs(np.fft.rfft2(stroke.reshape(1, SIDE, SIDE)))
    np.testing.assert_allclose(spectra, np.broadcast_to(wanted, spectra.shape), atol=1e-3)
    assert edges.best_matches(scrambled).correlations.max() < 0.8
    assert edges.spread(scrambled).min() > 2 * edges.spread(stroke)[0]


def test_spread() -> None:
    images = np.zeros((3, 100), np.float32)
    images[0, 7] = -2
    images[1] = 1
    images[2, :3] = 1, -1, 2
    assert edges.spread(images).tolist() == pytest.approx([0.01, 0.5, 0.01])


def test_a_flat_image_is_like_nothing() -> None:
    found = edges.best_matches(np.full((1, SIDE**2), 3, np.float32))
    assert found.correlations[0] == pytest.approx(0, abs=1e-5)
