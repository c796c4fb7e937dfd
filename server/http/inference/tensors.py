"""The values of tensors in JSON."""

import math
from collections.abc import Sequence
from typing import Any

from server.http.coding.numbers import Invalid, read_floats, read_levels
from server.http.inference.fields import invalid

FLOATS, LEVELS, TEXTS = "FP32", "UINT8", "BYTES"
FLOAT_BYTES = 4
MAX_DIMENSIONS = 8


def encode_numbers(data: list[Any], datatype: str, shape: Sequence[int], field: str) -> bytes:
    """Return numbers, which are flat or nested as their shape is, as they are in binary form;
    raises HttpError.
    """
    read = read_floats if datatype == FLOATS else read_levels
    try:
        values = read(field, data, MAX_DIMENSIONS)
    except Invalid as error:
        raise invalid(field, error.description, error.reason) from None
    check_count(values.size, shape, field)
    if values.ndim > 1 and values.shape != tuple(shape):
        raise invalid(
            field,
            f"{field} is nested as {list(values.shape)}, but the shape is {list(shape)}; nest it "
            "like that, or not at all",
            "SHAPE",
        )
    return values.tobytes()


def check_count(count: int, shape: Sequence[int], field: str) -> None:
    """Raise HttpError unless a tensor of this shape has so many values."""
    wanted = math.prod(shape)
    if count != wanted:
        raise invalid(
            field,
            f"{field} has {count} values, but shape {list(shape)} has {wanted}; correct one of "
            "them",
            "VALUE_COUNT",
        )
