"""The two parts of a body: JSON, and the binary tensors behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.datastructures import Headers

from server.http.inference import fields
from server.http.inference.fields import invalid
from server.texts import quoted

LENGTH = "inference-header-content-length"
"""The header that says how many bytes of the body are JSON; without it, all are."""

SIZE = "binary_data_size"
"""The parameter of a tensor that says how many bytes of the binary part are its values."""

_MAX_DIGITS = 18
"""More than any body has bytes."""


def json_length(headers: Headers, size: int) -> int:
    """Return how many bytes of a body of this size are JSON, 0 when it is the values of the only
    input; raises HttpError when the header lies.
    """
    texts = headers.getlist(LENGTH)
    text = ", ".join(texts)
    if not texts:
        return size
    is_number = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    if not is_number or int(text) > size:
        raise invalid(
            LENGTH,
            f"{LENGTH} is {quoted(text)}, wanted how many of the body's {size} bytes are JSON, or "
            "0 when all of them are the values of the only input",
            "HEADER_LENGTH",
        )
    return int(text)


def binary_of(
    inputs: Sequence[tuple[str, Mapping[str, Any]]], binary: memoryview
) -> list[memoryview | None]:
    """Return each input's share of the binary part, None for those whose values are in the JSON.

    Raises HttpError unless they have all of it together.
    """
    shares: list[memoryview | None] = []
    begin = 0
    for place, tensor in inputs:
        parameters = fields.read_parameters(tensor, place)
        size = fields.read_size(parameters, SIZE, f"{place}parameters.")
        shares.append(None if size is None else binary[begin : begin + size])
        begin += size or 0
    if begin != len(binary):
        raise invalid(
            SIZE,
            f"{SIZE}: the inputs have {begin} bytes of binary data together, but {len(binary)} "
            f"bytes follow the JSON; correct it or the header {LENGTH}",
            "BYTE_COUNT",
        )
    return shares
