"""The weights and biases of a loaded model, if they are those that its file promises."""

from collections.abc import Sequence

from server.models.model import Model
from server.models.onnx.graph import Layer


class WeightsError(ValueError):
    """A file's weights aren't those that its metadata describes; the message says what differs."""


def read_layers(model: Model) -> Sequence[Layer]:
    """Return the layers after the input, in their order.

    Raises WeightsError unless they are the weights whose SHA-256 the file gives.
    """
    if model.doubt:
        raise WeightsError(model.doubt)
    return model.layers
