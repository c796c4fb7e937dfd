"""The values of tensors, out of JSON or as they lie in the binary part."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from server.http.inference.fields import invalid, show

FLOATS, LEVELS, TEXTS = "FP32", "UINT8", "BYTES"
MAX_DIMENSIONS = 8
FLOAT_BYTES = 4

_KINDS: dict[str, tuple[set[type], str]] = {
    FLOATS: ({float, int}, "a number"),
    LEVELS: ({int}, "an integer from 0 to 255"),
    TEXTS: ({str}, "a text in base64"),
}


def read_values(data: list[Any], datatype: str, shape: Sequence[int], field: str) -> list[Any]:
    """Return the values of a tensor, which are flat or nested as its shape is; raises HttpError."""
    values, nested = _flatten(data, field)
    kinds, wanted = _KINDS[datatype]
    if not set(map(type, values)) <= kinds:
        index, other = next(
            (index, value) for index, value in enumerate(values) if type(value) not in kinds
        )
        raise invalid(
            field,
            f"{field}: value {index} is {show(other)}, wanted {wanted} for {datatype}",
            "DATATYPE",
        )
    if len(values) != math.prod(shape):
        raise invalid(
            field,
            f"{field} has {len(values)} values, but shape {list(shape)} has {math.prod(shape)}; "
            "correct one of them",
            "VALUE_COUNT",
        )
    if len(nested) > 1 and nested != list(shape):
        raise invalid(
            field,
            f"{field} is nested as {nested}, but the shape is {list(shape)}; nest it like that, "
            "or not at all",
            "SHAPE",
        )
    return values


def _flatten(data: list[Any], field: str) -> tuple[list[Any], list[int]]:
    """Return what lists of lists hold, and their lengths from outside inwards; raises HttpError."""
    values, shape = data, [len(data)]
    while list in (kinds := set(map(type, values))):
        lengths = set(map(len, values)) if kinds == {list} else set()
        if len(lengths) != 1 or len(shape) == MAX_DIMENSIONS:
            raise invalid(
                field,
                f"{field}: its lists differ in length or depth, or are more than {MAX_DIMENSIONS} "
                "deep; nest it as the shape is, or not at all",
                "SHAPE",
            )
        shape += lengths
        values = list(chain.from_iterable(values))
    return values, shape


def encode(values: list[Any], datatype: str, field: str) -> bytes:
    """Return numbers as the protocol has them in binary form; raises HttpError."""
    try:
        with np.errstate(over="raise"):
            return np.array(values, "<f4" if datatype == FLOATS else np.uint8).tobytes()
    except (FloatingPointError, OverflowError):
        limits = np.finfo(np.float32) if datatype == FLOATS else np.iinfo(np.uint8)
        least, most = float(limits.min), float(limits.max)
        index, value = next(
            (index, value) for index, value in enumerate(values) if not least <= value <= most
        )
        raise invalid(
            field,
            f"{field}: value {index} is {show(value)}, wanted {least:g} to {most:g} for {datatype}",
            "PIXEL_RANGE",
        ) from None
