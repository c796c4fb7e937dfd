"""Gradient ascent follows the true gradient, and ends where the output is brightest."""

import numpy as np
import pytest

from exporter.network.network import Batch, NetworkError
from exporter.study.insight import ascent
from exporter.study.insight.ascent import Penalty
from harness.networks import random_batch, random_network

SMOOTH = Penalty(roughness=3.0, ink=2.0)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "selu", "relu", "identity"])
def test_gradient_of_z_is_that_of_finite_differences(activation: str) -> None:
    network = random_network((16, 6, 5, 3), (activation, "sigmoid", "softmax"))
    images, outputs = random_batch(3, 16), np.eye(3, dtype=np.float32)
    z, gradient = ascent.z_and_gradient(network, images, outputs)
    hidden = network.forward(images)[-2]
    last = network.layers[-1]
    np.testing.assert_allclose(z, np.diag(hidden @ last.weights.T + last.biases), rtol=1e-5)
    for pixel in range(16):
        step = np.zeros(16, np.float32)
        step[pixel] = 5e-3
        above, below = (
            ascent.z_and_gradient(network, moved, outputs)[0]
            for moved in (images + step, images - step)
        )
        np.testing.assert_allclose(gradient[:, pixel], (above - below) / 1e-2, atol=2e-3)


def test_penalty_and_its_gradient() -> None:
    flat = np.full((1, 16), 0.5, np.float32)
    assert ascent.penalize(flat, SMOOTH)[0] == pytest.approx(2.0 * 0.25)
    stripes = np.tile(np.array([0, 1, 0, 1], np.float32), (1, 4))
    assert ascent.penalize(stripes, SMOOTH)[0] == pytest.approx(3.0 * 12 / 16 + 2.0 * 8 / 16)
    images = random_batch(2, 16)
    gradient = ascent.penalize(images, SMOOTH)[1]
    for pixel in range(16):
        step = np.zeros(16, np.float32)
        step[pixel] = 1e-2
        above, below = (
            ascent.penalize(moved, SMOOTH)[0] for moved in (images + step, images - step)
        )
        np.testing.assert_allclose(gradient[:, pixel], (above - below) / 2e-2, atol=1e-4)


def test_without_hidden_layers_the_best_image_is_white_where_weights_are_positive() -> None:
    network = random_network((16, 4))
    weights = network.layers[0].weights
    found = ascent.preferred_images(network, Penalty(), np.random.default_rng(0))
    reached, highest = np.sum(found * weights, axis=1), np.sum(np.maximum(weights, 0), axis=1)
    assert (reached > 0.99 * highest).all()
    strong = np.abs(weights) > 0.1 * np.abs(weights).max()
    np.testing.assert_array_equal(found[strong], (weights[strong] > 0).astype(np.float32))


def z_of(images: Batch) -> Batch:
    return ascent.z_and_gradient(random_network((64, 8, 6, 4)), images, np.eye(4, dtype="f4"))[0]


def test_outputs_like_the_found_images_more_than_any_random_one() -> None:
    network = random_network((64, 8, 6, 4))
    generator = np.random.default_rng(0)
    smooth = ascent.preferred_images(network, SMOOTH, generator, n_steps=100)
    free = ascent.preferred_images(network, Penalty(), generator, first=smooth, n_steps=100)
    for images in (free, smooth):
        assert images.shape == (4, 64)
        assert images.min() >= 0
        assert images.max() <= 1
    random = np.repeat(random_batch(500, 64)[:, np.newaxis], 4, axis=1)
    assert (z_of(free) > np.max([z_of(images) for images in random], axis=0)).all()
    assert (z_of(free) >= z_of(smooth) - 1e-3).all()
    cost = [ascent.penalize(images, SMOOTH)[0] for images in (free, smooth)]
    assert (cost[1] < cost[0]).all()
    assert (z_of(smooth) - cost[1] >= z_of(free) - cost[0]).all()


def test_a_hidden_softmax_is_refused() -> None:
    network = random_network((16, 6, 3), ("softmax", "sigmoid"))
    with pytest.raises(NetworkError, match="softmax in a hidden layer"):
        ascent.preferred_images(network, Penalty(), np.random.default_rng(0))
