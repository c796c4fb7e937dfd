"""Where a model's file lies, what goes in and comes out of it, and the operators it is made of."""

from collections.abc import Mapping

FILE = "model.onnx"
"""In the folder MODEL/VERSION of a repository."""

MAX_VERSION = (1 << 63) - 1
"""What fits an int64, as which callers name versions."""

INPUT, OUTPUT, HIDDEN = "pixels", "activations", "hidden_{}"

OPERATORS: Mapping[str, str | None] = {
    "sigmoid": "Sigmoid",
    "relu": "Relu",
    "tanh": "Tanh",
    "softmax": "Softmax",
    "identity": None,
    "selu": "Selu",
}
"""The ONNX operator of each activation function; identity needs none."""


def output_names(n_layers: int) -> list[str]:
    """Return the names of the layers after the input, in their order."""
    return [*(HIDDEN.format(index) for index in range(1, n_layers)), OUTPUT]
