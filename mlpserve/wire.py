"""The protobuf wire format, as far as the client needs it, so that packed numbers move as bytes.

The format is described at https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
REPEATED_FLOAT = (LENGTH_DELIMITED, FIXED32)
"""The wire types of a repeated float field: packed, and one by one."""

_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
_LONGEST_VARINT = 10
_MASK64 = (1 << 64) - 1


class WireError(ValueError):
    """The bytes are no protobuf message."""


class Field(NamedTuple):
    """One field as it stands in a message: an int for a varint, otherwise its bytes."""

    number: int
    wire_type: int
    value: int | memoryview


def encode_tagged(number: int, content: bytes | memoryview) -> list[bytes | memoryview]:
    """Return the parts of a length-delimited field, for `b"".join`, so that the content is copied
    once.
    """
    tag = encode_varint(number << 3 | LENGTH_DELIMITED)
    return [tag + encode_varint(len(content)), content]


def encode_varint(value: int) -> bytes:
    """Encode an integer in [0, 2**64) in groups of seven bits, the lowest first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode_varints(values: npt.NDArray[np.int64]) -> bytes:
    """Encode non-negative integers (n,), one after the other."""
    # Most labels fit into one byte, and a batch of them into one copy.
    if len(values) and values.max() <= 0x7F:
        return values.astype(np.uint8).tobytes()
    return b"".join(map(encode_varint, values.tolist()))


def encode_floats(values: npt.NDArray[np.float32]) -> bytes:
    """Return little-endian float32, row-major."""
    return values.astype("<f4", copy=False).tobytes()


def read_fields(message: bytes | memoryview) -> list[Field]:
    """Return the fields of a message in their order; raises WireError when they don't end where
    the message does.
    """
    view = memoryview(message)
    fields = []
    position = 0
    while position < len(view):
        tag, position = _read_varint(view, position)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise WireError(f"field number 0 before byte {position}")
        if wire_type == VARINT:
            value, position = _read_varint(view, position)
            fields.append(Field(number, wire_type, value))
            continue
        if wire_type == LENGTH_DELIMITED:
            size, position = _read_varint(view, position)
        elif wire_type in _FIXED_SIZES:
            size = _FIXED_SIZES[wire_type]
        else:
            raise WireError(f"field {number} has wire type {wire_type}, which is not in use")
        end = position + size
        if end > len(view):
            raise WireError(f"field {number} ends at byte {end}, the message at {len(view)}")
        fields.append(Field(number, wire_type, view[position:end]))
        position = end
    return fields


def read_integer(fields: Iterable[Field], number: int) -> int:
    """Return the last value of a field of type int32, int64 or enum; 0 when it is absent."""
    value = 0
    for field in fields:
        if field.number == number and isinstance(field.value, int):
            value = field.value
    return as_integer(value)


def read_contents(fields: Iterable[Field], number: int) -> list[memoryview]:
    """Return the bytes of each occurrence of a length-delimited field."""
    return [
        field.value
        for field in fields
        if field.number == number
        and field.wire_type == LENGTH_DELIMITED
        and isinstance(field.value, memoryview)
    ]


def read_texts(fields: Iterable[Field], number: int) -> tuple[str, ...]:
    """Return each occurrence of a string field; raises WireError when one is not UTF-8."""
    try:
        return tuple(str(content, "utf-8") for content in read_contents(fields, number))
    except UnicodeDecodeError as error:
        raise WireError(f"field {number} is not UTF-8: {error}") from error


def read_text(fields: Iterable[Field], number: int) -> str:
    """Return the last value of a string field; empty when it is absent."""
    texts = read_texts(fields, number)
    return texts[-1] if texts else ""


def read_floats(fields: Iterable[Field], number: int) -> npt.NDArray[np.float32]:
    """Return a repeated float field as a writable array (n,), whether it is packed or not.

    The numbers are copied once: in the message they are rarely aligned, which slows NumPy down.
    """
    chunks = [
        field.value
        for field in fields
        if field.number == number
        and field.wire_type in REPEATED_FLOAT
        and isinstance(field.value, memoryview)
    ]
    content = joined(chunks)
    if len(content) % 4:
        raise WireError(f"field {number} has {len(content)} bytes, no multiple of 4")
    return np.frombuffer(content, "<f4").astype(np.float32)


def read_integers(fields: Iterable[Field], number: int) -> npt.NDArray[np.int64]:
    """Return a repeated int32 or int64 field as an array (n,), whether it is packed or not."""
    chunks = []
    for field in fields:
        if field.number != number:
            continue
        if isinstance(field.value, int):
            chunks.append(memoryview(encode_varint(field.value)))
        elif field.wire_type == LENGTH_DELIMITED:
            chunks.append(field.value)
    return _decode_varints(np.frombuffer(joined(chunks), np.uint8), number)


def joined(chunks: Sequence[memoryview]) -> memoryview:
    """Return the chunks of a packed field as one; the only chunk is not copied."""
    return chunks[0] if len(chunks) == 1 else memoryview(b"".join(chunks))


def as_integer(value: int | memoryview | None) -> int:
    """Return a field's value as int64; 0 when it is absent or of another wire type."""
    if not isinstance(value, int):
        return 0
    return value - (1 << 64) if value >> 63 else value


def as_content(value: int | memoryview | None) -> memoryview:
    """Return a field's value as bytes; empty when it is absent or of another wire type."""
    return value if isinstance(value, memoryview) else memoryview(b"")


def as_text(value: int | memoryview | None) -> str:
    """Return a field's value as text, empty when it is absent or of another wire type.

    Raises WireError when it is not UTF-8.
    """
    try:
        return str(as_content(value), "utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"a text is not UTF-8: {error}") from error


def _decode_varints(groups: npt.NDArray[np.uint8], number: int) -> npt.NDArray[np.int64]:
    """Decode varints that follow each other, all at once."""
    is_last = groups < 0x80
    if is_last.all():
        return groups.astype(np.int64)
    if not is_last[-1]:
        raise WireError(f"the last number of field {number} is cut off")
    ends = np.flatnonzero(is_last) + 1
    starts = np.concatenate(([0], ends[:-1]))
    sizes = ends - starts
    if sizes.max() > _LONGEST_VARINT:
        raise WireError(f"field {number} holds a number of more than {_LONGEST_VARINT} bytes")
    places = np.arange(len(groups)) - np.repeat(starts, sizes)
    bits = (groups & 0x7F).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.bitwise_or.reduceat(bits, starts).view(np.int64)


def _read_varint(view: memoryview, position: int) -> tuple[int, int]:
    """Return the number at the position and the position after it."""
    value = shift = 0
    for end in range(position, min(position + _LONGEST_VARINT, len(view))):
        group = view[end]
        value |= (group & 0x7F) << shift
        if group < 0x80:
            return value & _MASK64, end + 1
        shift += 7
    raise WireError(f"the number at byte {position} does not end")
