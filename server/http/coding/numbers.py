"""Numbers of JSON as arrays, without work per number in Python."""

import binascii
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_NUMBERS = 1 << 20
"""1,337 images of 784 pixels; more would keep other requests waiting while they are parsed."""

MAX_DEPTH = 3
"""(N, rows, columns)."""

WHITE = 255

MAX_SHOWN = 40
"""Characters of a value in a message."""


class Invalid(Exception):
    """A value of a request is refused; the message says why, and what to send instead."""

    def __init__(self, reason: str, description: str) -> None:
        super().__init__(description)
        self.reason, self.description = reason, description


def has_too_many(text: bytes) -> bool:
    """Whether a text of JSON has more numbers than are parsed, or as much of anything else."""
    return text.count(b",") >= MAX_NUMBERS


def read_floats(field: str, value: object, max_depth: int = MAX_DEPTH) -> npt.NDArray[np.float32]:
    """Return one image or several, as nested lists have them; raises Invalid."""
    numbers, shape = flatten(field, value, max_depth)
    # The largest float32 is written as a decimal above it, which rounds to it.
    with np.errstate(over="ignore"):
        array = np.array(numbers, np.float64).astype(np.float32)
    if not (are_finite := np.isfinite(array)).all():
        index = int(are_finite.argmin())
        raise Invalid(
            "NOT_FINITE",
            f"{place(field, index, shape)} is {numbers[index]:g}; send finite numbers of 32 bits",
        )
    return array.reshape(shape)


def read_levels(field: str, value: object, max_depth: int = MAX_DEPTH) -> npt.NDArray[np.uint8]:
    """Return bytes from base64 or from nested lists of integers; raises Invalid."""
    if isinstance(value, str):
        return _decode_base64(field, value)
    numbers, shape = flatten(field, value, max_depth)
    array = np.array(numbers, np.float64)
    if not (are_levels := (array >= 0) & (array <= WHITE) & (array == np.rint(array))).all():
        index = int(are_levels.argmin())
        raise Invalid(
            "BYTE_RANGE",
            f"{place(field, index, shape)} is {numbers[index]:g}; send integers from 0 to {WHITE}, "
            "or other numbers as floats",
        )
    return array.astype(np.uint8).reshape(shape)


def flatten(
    field: str, value: object, max_depth: int = MAX_DEPTH
) -> tuple[list[float], tuple[int, ...]]:
    """Return the numbers in nested lists, and their shape; raises Invalid."""
    if not isinstance(value, list):
        raise Invalid("TYPE", f"{field} is {shown(value)}; send a list of numbers")
    numbers: list[Any] = value
    shape: tuple[int, ...] = (len(numbers),)
    while numbers and isinstance(numbers[0], list):
        if len(shape) == max_depth:
            raise Invalid(
                "SHAPE", f"{field} has lists more than {max_depth} deep; send N x rows x columns"
            )
        _check_kinds(field, numbers, shape, {list})
        lengths = list(map(len, numbers))
        if lengths.count(lengths[0]) < len(lengths):
            index = next(at for at, length in enumerate(lengths) if length != lengths[0])
            raise Invalid(
                "SHAPE",
                f"{place(field, index, shape)} has {lengths[index]} entries, and those before it "
                f"have {lengths[0]}; make all lists the same length",
            )
        shape = (*shape, lengths[0])
        numbers = list(chain.from_iterable(numbers))
    if not numbers:
        raise Invalid("NO_PIXELS", f"{field} is empty; send at least one image")
    _check_kinds(field, numbers, shape, {int, float})
    return numbers, shape


def _check_kinds(field: str, values: list[Any], shape: tuple[int, ...], kinds: set[type]) -> None:
    if set(map(type, values)) <= kinds:
        return
    index = next(at for at, value in enumerate(values) if type(value) not in kinds)
    wanted = "a list, like those before it" if kinds == {list} else "a number"
    raise Invalid("TYPE", f"{place(field, index, shape)} is {shown(values[index])}; send {wanted}")


def _decode_base64(field: str, text: str) -> npt.NDArray[np.uint8]:
    try:
        content = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError as error:
        raise Invalid(
            "BASE64", f"{field} is {shown(text)}, which is not base64: {error}"
        ) from error
    if not content:
        raise Invalid("NO_PIXELS", f"{field} is empty; send at least one image")
    return np.frombuffer(content, np.uint8)


def place(field: str, index: int, shape: tuple[int, ...]) -> str:
    """Return where in nested lists the number at an index of all is, as pixels[0][3]."""
    return field + "".join(f"[{at}]" for at in np.unravel_index(index, shape))


def shown(value: object) -> str:
    """Return a value of JSON for a message."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return f"{value[:MAX_SHOWN]!r:.{MAX_SHOWN}}"
    return f"{value!r:.{MAX_SHOWN}}"
