"""What a model answers to a batch of images."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlpserve.timing import Timing


@dataclass(frozen=True, slots=True, eq=False)
class Canonicalization:
    """How the server normalised each of N images.

    Attributes
    ----------
    inverted
        (N,) bool: whether the image was dark ink on light, and was inverted.
    scales
        (N, 2) float32: how many times larger the ink became along rows (its height) and columns.
    shifts
        (N, 2) float32: how many pixels its centre of mass was moved down and to the right.
    pixels
        (N, P) float32: the images as the network saw them; None unless asked for.
    """

    inverted: npt.NDArray[np.bool_]
    scales: npt.NDArray[np.float32]
    shifts: npt.NDArray[np.float32]
    pixels: npt.NDArray[np.float32] | None = None


# Not frozen: with joined calls, to make one of these is a good part of what an image costs, and a
# frozen one takes four times as long.
@dataclass(slots=True, eq=False)
class Prediction:
    """The answer to a batch of N images, in the order of the images.

    Attributes
    ----------
    labels
        (N,) int64: for each image the class whose output neuron is brightest.
    activations
        (N, C) float32: the output layer, one number per class; in [0, 1] for a sigmoid or softmax
        output layer.
    label_names
        The names of the C classes.
    model, version
        The model that answered.
    hidden_layers
        One (N, H) float32 array per hidden layer, from input to output; empty unless asked for.
    canonicalization
        How the images were normalised; None unless asked for.
    timing
        Where the call's time went in the server; None unless asked for, and from a server that
        doesn't tell.
    """

    labels: npt.NDArray[np.int64]
    activations: npt.NDArray[np.float32]
    label_names: tuple[str, ...]
    model: str
    version: int
    hidden_layers: tuple[npt.NDArray[np.float32], ...] = ()
    canonicalization: Canonicalization | None = None
    timing: Timing | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each image's label (N)."""
        # Indexing with NumPy's numbers takes three times as long.
        return tuple(map(self.label_names.__getitem__, self.labels.tolist()))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)
