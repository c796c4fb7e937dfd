"""The elements of tensors of BYTES: of variable length, each with its own before it."""

import base64
from typing import Any

from server.http.coding.numbers import shown
from server.http.inference.fields import invalid
from server.http.inference.tensors import check_count

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


def decode_elements(data: list[Any], count: int, field: str) -> list[bytes]:
    """Return the elements of a tensor in JSON, where they are base64, each alone or in a list;
    raises HttpError unless there are `count`.
    """
    check_count(len(data), [count], field)
    elements = []
    for index, value in enumerate(data):
        text = value[0] if isinstance(value, list) and len(value) == 1 else value
        if not isinstance(text, str):
            raise invalid(
                field, f"{field}[{index}] is {shown(text)}; send a picture in base64", "TYPE"
            )
        try:
            elements.append(base64.b64decode(text, validate=True))
        except ValueError as error:
            raise invalid(
                field,
                f"{field}[{index}] is not base64: {error}; encode the picture's bytes, without "
                "line ends",
                "BASE64",
            ) from error
    return elements
