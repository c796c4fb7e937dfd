"""The weights and biases of a loaded model, if they are those that its file promises."""

from collections.abc import Sequence

from server.model import Model
from server.onnx_file import Layer


class WeightsError(ValueError):
    """A file's weights aren't those that its metadata describes; the message says what differs."""


def read_layers(model: Model) -> Sequence[Layer]:
    """Return the layers after the input, in their order.

    Raises WeightsError unless they are the weights whose SHA-256 the file gives.
    """
    if model.doubt:
        raise WeightsError(model.doubt)
    return model.layers
