"""What neurons respond to, and what is lost without them, in small networks."""

import numpy as np

from exporter.network.network import Layer, Network
from exporter.study.insight import ablation, responses
from harness.networks import random_batch, random_network


def test_top_images_brightest_first() -> None:
    activations = np.array([[0.1, 5], [0.9, 5], [0.5, -1], [0.7, 6]], np.float32)
    assert responses.top_images(activations, 3).tolist() == [[1, 3, 2], [3, 0, 1]]


def test_weighted_mean_images_are_covariances() -> None:
    images = random_batch(200, 9)
    activations = random_network((9, 4)).forward(images)[-1]
    found = responses.weighted_mean_images(activations, images)
    both = np.cov(np.concatenate([activations, images], axis=1).T, bias=True)
    wanted = both[:4, 4:] / activations.std(axis=0)[:, np.newaxis]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    silent = responses.weighted_mean_images(np.ones((200, 1), np.float32), images)
    np.testing.assert_array_equal(silent, np.zeros((1, 9)))


def test_composite_weights_are_the_whole_of_a_linear_network() -> None:
    network = random_network((9, 4, 3, 2), ("identity",) * 3)
    first, second = responses.composite_weights(network)
    np.testing.assert_array_equal(first, network.layers[0].weights)
    black, white = np.zeros((1, 9), np.float32), np.eye(9, dtype=np.float32)
    change = network.forward(white)[1] - network.forward(black)[1]
    np.testing.assert_allclose(second, change.T, atol=1e-5)


def test_class_means_and_for_how_many_classes_a_neuron_is_bright() -> None:
    labels = np.array([0, 0, 1, 2])
    activations = np.array([[0, 1], [1, 1], [0.9, 0], [0.1, 0.8]], np.float32)
    means = responses.class_means(activations, labels, 4)
    wanted = np.array([[0.5, 1], [0.9, 0], [0.1, 0.8], [0, 0]])
    np.testing.assert_allclose(means, wanted, atol=1e-6)
    assert responses.classes_per_neuron(means).tolist() == [2, 2]


def test_only_neurons_that_are_used_cost_accuracy() -> None:
    """Pixel 1 decides, by neuron 1; neuron 2 sees pixel 2 and is not listened to."""
    hidden = Layer(np.eye(2, dtype=np.float32), np.zeros(2, np.float32), "identity")
    outputs = Layer(
        np.array([[-1, 0], [1, 0]], np.float32), np.array([0.5, -0.5], np.float32), "identity"
    )
    images = random_batch(400, 2)
    labels = (images[:, 0] > 0.5).astype(np.int64)
    (lost,) = ablation.accuracy_losses(
        Network((hidden, outputs), ("dark", "bright")), images, labels
    )
    wrong = np.mean(labels != (images[:, 0].mean() > 0.5))
    np.testing.assert_allclose(lost, [wrong, 0], atol=1e-6)
