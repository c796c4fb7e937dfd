"""Levels and noise of images: middle values, and how much neighbours differ."""

import numpy as np

from canonical.squares import Batch


def middle(values: Batch) -> Batch:
    """Return the middle ones (...) of values (..., length), of two the upper.

    Twice as fast as NumPy's median, which looks for values that are not numbers.
    """
    length = values.shape[-1]
    found: Batch = np.partition(values, length // 2, axis=-1)[..., length // 2]
    return found


def noise(images: Batch) -> Batch:
    """Return by how much pixels differ from those on their right, in their middle, (N, 1, 1).

    Of a clean image it is 0, of Gaussian noise 0.95 of its standard deviation: 0.6745 * sqrt(2).
    """
    steps = np.abs(images[:, :, 1:] - images[:, :, :-1])
    return middle(steps.reshape(len(images), -1))[:, np.newaxis, np.newaxis]
