"""What a network loses when a neuron says nothing."""

import numpy as np
import numpy.typing as npt

from exporter.network.network import Batch, Network


def accuracy_losses(
    network: Network, images: Batch, labels: npt.NDArray[np.integer]
) -> list[npt.NDArray[np.float64]]:
    """Return the accuracy lost without each hidden neuron, (neurons,) for each hidden layer.

    A silenced neuron holds its mean over the images, which tells the layers after it nothing. The
    share of images (N, pixels) with labels (N,) that go wrong, less those that go right, by it:
    negative when the network is better off without.
    """
    activations = network.forward(images)
    whole = network.accuracy(images, labels)
    losses = []
    for index, layer in enumerate(activations[:-1]):
        rest = Network(network.layers[index + 1 :], network.labels)
        means = layer.mean(axis=0)
        lost = np.zeros(layer.shape[1])
        for neuron in range(layer.shape[1]):
            silenced = layer.copy()
            silenced[:, neuron] = means[neuron]
            lost[neuron] = whole - rest.accuracy(silenced, labels)
        losses.append(lost)
    return losses
