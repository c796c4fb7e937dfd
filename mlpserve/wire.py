"""The protobuf wire format, as far as the client needs it, so that packed numbers move as bytes.

The format is described at https://protobuf.dev/programming-guides/encoding.
"""

import contextlib
import functools
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
_LONGEST_VARINT = 10
_MASK64 = (1 << 64) - 1


class WireError(ValueError):
    """The bytes are no protobuf message."""


Field: TypeAlias = tuple[int, int, int | memoryview]
"""One field as it stands in a message: number, wire type, and an int for a varint, else bytes."""


def encode_tagged(number: int, content: bytes | memoryview) -> list[bytes | memoryview]:
    """Return the parts of a length-delimited field, for `b"".join`, so that the content is copied
    once.
    """
    return [encode_tag(number, len(content)), content]


@functools.lru_cache(maxsize=1024)
def encode_tag(number: int, size: int) -> bytes:
    """Return what stands before a content of `size` bytes."""
    return encode_varint(number << 3 | LENGTH_DELIMITED) + encode_varint(size)


def encode_varint(value: int) -> bytes:
    """Encode an integer in [0, 2**64) in groups of seven bits, the lowest first."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def encode_varints(values: Sequence[int]) -> bytes:
    """Encode non-negative integers, one after the other."""
    # Most labels fit into one byte.
    with contextlib.suppress(ValueError):
        if (packed := bytes(values)).isascii():
            return packed
    return b"".join(map(encode_varint, values))


def read_fields(message: bytes | memoryview) -> list[Field]:
    """Return the fields of a message in their order; raises WireError when they don't end where
    the message does.
    """
    view = memoryview(message)
    fields: list[Field] = []
    position, length = 0, len(view)
    while position < length:
        tag, position = _read_varint(view, position)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise WireError(f"field number 0 before byte {position}")
        if wire_type == VARINT:
            value, position = _read_varint(view, position)
            fields.append((number, wire_type, value))
            continue
        if wire_type == LENGTH_DELIMITED:
            size, position = _read_varint(view, position)
        elif wire_type in _FIXED_SIZES:
            size = _FIXED_SIZES[wire_type]
        else:
            raise WireError(f"field {number} has wire type {wire_type}, which is not in use")
        end = position + size
        if end > length:
            raise WireError(f"field {number} ends at byte {end}, the message at {length}")
        fields.append((number, wire_type, view[position:end]))
        position = end
    return fields


def read_integer(fields: Iterable[Field], number: int) -> int:
    """Return the last value of a field of type int32, int64 or enum; 0 when it is absent."""
    last = 0
    for found, _, value in fields:
        if found == number and isinstance(value, int):
            last = value
    return last - (1 << 64) if last >> 63 else last


def read_contents(fields: Iterable[Field], number: int) -> list[memoryview]:
    """Return the bytes of each occurrence of a length-delimited field."""
    return [
        value
        for found, wire_type, value in fields
        if found == number and wire_type == LENGTH_DELIMITED and isinstance(value, memoryview)
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


def read_chunks(fields: Iterable[Field], number: int) -> list[memoryview]:
    """Return the bytes of a repeated float field, in the pieces in which they stand."""
    return [
        value
        for found, wire_type, value in fields
        if found == number
        and wire_type in (LENGTH_DELIMITED, FIXED32)
        and isinstance(value, memoryview)
    ]


def read_floats(fields: Iterable[Field], number: int) -> npt.NDArray[np.float32]:
    """Return a repeated float field as a writable array (n,), whether it is packed or not.

    The numbers are copied once: in the message they are rarely aligned, which slows NumPy down.
    """
    content = joined(read_chunks(fields, number))
    if len(content) % 4:
        raise WireError(f"field {number} has {len(content)} bytes, no multiple of 4")
    return np.frombuffer(content, "<f4").astype(np.float32)


def read_integers(fields: Iterable[Field], number: int) -> npt.NDArray[np.int64]:
    """Return a repeated int32 or int64 field as an array (n,), whether it is packed or not."""
    chunks = []
    for found, wire_type, value in fields:
        if found != number:
            continue
        if isinstance(value, int):
            chunks.append(memoryview(encode_varint(value)))
        elif wire_type == LENGTH_DELIMITED:
            chunks.append(value)
    return _decode_varints(np.frombuffer(joined(chunks), np.uint8), number)


def joined(chunks: Sequence[memoryview]) -> memoryview:
    """Return the chunks of a packed field as one; the only chunk is not copied."""
    return chunks[0] if len(chunks) == 1 else memoryview(b"".join(chunks))


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
    try:
        value = view[position]
        if value < 0x80:
            return value, position + 1
        value &= 0x7F
        for place in range(1, _LONGEST_VARINT):
            group = view[position + place]
            value |= (group & 0x7F) << 7 * place
            if group < 0x80:
                return value & _MASK64, position + place + 1
    except IndexError:
        pass
    raise WireError(f"the number at byte {position} does not end")
