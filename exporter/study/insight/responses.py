"""What neurons respond to: the images that light them most, and what those have in common."""

import numpy as np
import numpy.typing as npt

from exporter.network.network import Batch, Network


def top_images(activations: Batch, count: int) -> npt.NDArray[np.int64]:
    """Return which images light each neuron most, brightest first: (neurons, count) indices.

    `activations` (N, neurons) are those of N >= count images.
    """
    order: npt.NDArray[np.int64] = np.argsort(-activations, axis=0, kind="stable")[:count].T
    return order


def weighted_mean_images(activations: Batch, images: Batch) -> Batch:
    """Return what makes each neuron brighter than usual: (neurons, pixels).

    The covariance of activation and pixel over the images, in units of the activation's standard
    deviation; positive where ink goes with a bright neuron. The response-triggered average of
    neuroscience (de Boer and Kuyper, 1968), for any activation. A constant neuron gives zeros.
    """
    centred = activations - activations.mean(axis=0)
    deviations = np.maximum(centred.std(axis=0), np.float32(1e-12))
    covariances: Batch = (centred / deviations).T @ (images - images.mean(axis=0))
    return covariances / np.float32(len(images))


def composite_weights(network: Network) -> list[Batch]:
    """Return what each hidden neuron would weigh pixels by, were all layers linear.

    One array (neurons, pixels) a hidden layer: W1, W2 @ W1, and so on. Exact for the first layer
    only.
    """
    composites = [network.layers[0].weights]
    for layer in network.layers[1:-1]:
        composites.append(layer.weights @ composites[-1])
    return composites[: len(network.layers) - 1]


def class_means(
    activations: Batch, labels: npt.NDArray[np.integer], n_classes: int
) -> npt.NDArray[np.float64]:
    """Return each neuron's mean activation for each class: (classes, neurons).

    A class without images gets zeros.
    """
    members = np.eye(n_classes)[labels]
    counts = np.maximum(members.sum(axis=0), 1)
    means: npt.NDArray[np.float64] = members.T @ activations / counts[:, np.newaxis]
    return means


def classes_per_neuron(means: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return for how many classes each neuron is bright (neurons,).

    Bright: nearer to the neuron's brightest class than to its darkest one. A neuron that stands for
    one class gives 1.
    """
    middle = (means.max(axis=0) + means.min(axis=0)) / 2
    counts: npt.NDArray[np.int64] = np.sum(means > middle, axis=0)
    return counts
