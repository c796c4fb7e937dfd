"""The elements of tensors of BYTES: of variable length, each with its own before it."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from server.http.inference.fields import invalid
from server.http.inference.tensors import TEXTS, read_values

SIZE_BYTES = 4
"""What stands before each element in the binary part: its length, little-endian."""


def split_elements(binary: memoryview, count: int, field: str) -> list[bytes]:
    """Return the elements of a tensor in binary form; raises HttpError unless there are `count`."""
    elements: list[bytes] = []
    begin = 0
    while begin < len(binary) and len(elements) <= count:
        end = begin + SIZE_BYTES
        size = int.from_bytes(binary[begin:end], "little")
        if end + size > len(binary):
            raise invalid(
                field,
                f"{field}: element {len(elements)} has {size} bytes by the {SIZE_BYTES} bytes "
                f"before it, but only {max(0, len(binary) - end)} follow; give each element's "
                "length as a little-endian uint32",
                "BYTE_COUNT",
            )
        elements.append(bytes(binary[end : end + size]))
        begin = end + size
    if len(elements) != count:
        found = f"more than {count}" if len(elements) > count else str(len(elements))
        raise invalid(
            field,
            f"{field} has {found} elements in its binary data, but its shape has {count}; "
            "correct one of them",
            "VALUE_COUNT",
        )
    return elements


def decode_elements(data: list[Any], shape: Sequence[int], field: str) -> list[bytes]:
    """Return the elements of a tensor in JSON, where they are base64; raises HttpError."""
    elements = []
    for index, text in enumerate(read_values(data, TEXTS, shape, field)):
        try:
            elements.append(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError) as error:
            raise invalid(
                field,
                f"{field}: value {index} is not base64: {error}; encode the picture's bytes, "
                "without line ends",
                "NOT_BASE64",
            ) from error
    return elements
