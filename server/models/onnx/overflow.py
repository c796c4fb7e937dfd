"""Whether a network's activations may become infinite."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from modelfile.input_range import MAX_FLOAT32, InputRange
from server.models.onnx.graph import Layer

MARGIN = 2.0
"""More than rounding adds to sums of float32."""

UPPER_BOUNDS: Mapping[str, Callable[[float], float]] = {
    **dict.fromkeys(("sigmoid", "tanh", "softmax"), lambda _: 1.0),
    **dict.fromkeys(("relu", "identity"), lambda z: z),
    "selu": lambda z: max(1.7580994, 1.0507010 * z),
}
"""The largest magnitude of each activation for sums z up to a magnitude."""


def may_overflow(layers: Iterable[Layer], input_range: InputRange) -> bool:
    """Whether some numbers in the range may make a sum overflow float32; never false if some do."""
    largest = max(abs(input_range.low), abs(input_range.high))
    for layer in layers:
        n_inputs = layer.weights.shape[1]
        largest = n_inputs * _magnitude(layer.weights) * largest + _magnitude(layer.biases)
        if MARGIN * largest > MAX_FLOAT32:
            return True
        largest = UPPER_BOUNDS[layer.activation](largest)
    return False


def _magnitude(values: npt.NDArray[np.float32]) -> float:
    """Return the largest magnitude, without a copy."""
    return max(float(values.max()), -float(values.min()))
