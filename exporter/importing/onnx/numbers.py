"""Which numbers a network takes: pixels, bytes, or those that a scaler was fitted to."""

from dataclasses import replace

import numpy as np

from exporter.importing.onnx.outputs import Found
from exporter.importing.source import Choices, Scaling
from exporter.network.weights_file import WeightsError
from modelfile.input_range import PIXELS, InputRange

MAX_BYTE = 255


def complete(found: Found, known: InputRange | None, choices: Choices) -> tuple[Choices, list[str]]:
    """Return the choices with what the graph tells of its input, and notes on that.

    `known` is the range that the file states. A graph that takes bytes, as uint8 or to be divided
    by 255, takes pixels times 255. Raises WeightsError when its input can't be pixels, and nobody
    said what else.
    """
    if choices.input_range is not None or known is not None:
        return choices, []
    end = found.end
    takes_bytes = end.takes_bytes or found.start.dtype == np.uint8
    if takes_bytes and str(choices.scaling) == str(Scaling()):
        return replace(choices, scaling=Scaling(MAX_BYTE)), [
            "it takes bytes from 0 to 255: callers send pixels from 0 to 1, or bytes"
        ]
    if found.start.dtype.kind != "f" and str(choices.scaling) == str(Scaling()):
        raise WeightsError(
            f"input_range: the graph takes {found.start.dtype}; say which numbers with "
            "input_range, --input-range on the command line, such as 0,16; or, with input_scale, "
            "what its pixels were multiplied by"
        )
    scale, shift = end.start if end.start is not None else (np.ones(1), np.zeros(1))
    black, white = (choices.scaling.apply(pixel) for pixel in (PIXELS.low, PIXELS.high))
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.where(scale == 0, black, 0 - shift / scale)
    low, high = np.minimum(black, white), np.maximum(black, white)
    # Pixels differ from their mean by at most 1, so that nobody divides them by more than that.
    narrow = (np.abs(scale) * (high - low) < 1 - 1e-3) & (scale != 0)
    outside = (middle < low) | (middle > high)
    if np.any(narrow) or np.any(outside):
        divisors = 1 / np.abs(scale[scale != 0])
        what = f"takes numbers around {middle.min():g} to {middle.max():g} for 0"
        if not np.any(outside):
            what = f"divides its inputs by up to {divisors.max():g}"
        raise WeightsError(
            f"input_range: the graph {what}, as if they were not {PIXELS.describe('pixels')}; say "
            "which numbers it takes with input_range, --input-range on the command line: "
            "LOW,HIGH (0,1 if they are pixels after all) or finite; or, with input_scale, what "
            "its pixels were multiplied by"
        )
    return choices, []
