"""The protobuf wire format, as far as the client needs it, so that packed numbers move as bytes.

The format is described at https://protobuf.dev/programming-guides/encoding.
"""

import contextlib
import functools
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mlpserve.protocol import packed

VARINT, FIXED64, LENGTH_DELIMITED, START_GROUP, END_GROUP, FIXED32 = range(6)
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
_MAX_TAG_BYTES = _MAX_SIZE_BYTES = 5
_MAX_TAG = (1 << 32) - 1
_MASK64 = (1 << 64) - 1
MAX_DEPTH = 100
"""Groups and messages that may lie within each other, as protobuf has it."""

RUN_FIELDS = 16
"""Fields in a row with the same tag after which it is looked whether many more follow."""


class WireError(ValueError):
    """The bytes are not a protobuf message."""


class TooMuch(WireError):
    """The message has more fields than are read."""


@dataclass(slots=True)
class Limits:
    """How much may still be read: `fields`, those in groups included, which reading counts down,
    and `run_fields` of each run, which count as one.

    A field takes about half a microsecond, one of a run some nanoseconds.
    """

    fields: int = sys.maxsize
    run_fields: int = sys.maxsize


Field: TypeAlias = tuple[int, int, int | memoryview]
"""One field as it stands in a message: number, wire type, and an int for a varint, else bytes.

The bytes of a group are empty. A run of fields with the same tag may be one: its wire type is that
of each, its bytes are theirs, one after the other.
"""


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


def read_varint(view: bytes | memoryview, position: int) -> tuple[int, int]:
    """Return the number at the position and the position after it."""
    try:
        value = view[position]
        if value < 0x80:
            return value, position + 1
        value &= 0x7F
        for place in range(1, packed.MAX_VARINT_BYTES):
            group = view[position + place]
            value |= (group & 0x7F) << 7 * place
            if group < 0x80:
                return value & _MASK64, position + place + 1
    except IndexError:
        pass
    raise WireError(f"the number at byte {position} does not end")


def read_fields(
    message: bytes | memoryview,
    limits: Limits | None = None,
    runs: Collection[int] = (),
    depth: int = 0,
) -> list[Field]:
    """Return the fields of a message in their order, among them those of `runs` joined.

    `depth` counts the messages around this one. Raises WireError where protobuf finds no message,
    and TooMuch.
    """
    limits = limits or Limits()
    view = memoryview(message)
    fields: list[Field] = []
    position, length, max_fields = 0, len(view), limits.fields
    last_tag = n_equal = 0
    while position < length:
        if len(fields) >= max_fields:
            raise TooMuch("it has too many fields")
        start = position
        tag = view[position]
        position += 1
        if tag > 0x7F:
            tag, position = _read_tag(view, start)
        number, wire_type = tag >> 3, tag & 7
        if not number:
            raise WireError(f"field number 0 at byte {start}")
        if wire_type == VARINT:
            content = position
            value, position = read_varint(view, position)
            fields.append((number, VARINT, value))
        elif wire_type == START_GROUP:
            position, skipped = _skip_group(
                view, position, tag, depth, max_fields - len(fields) - 1
            )
            max_fields -= skipped
            fields.append((number, START_GROUP, view[:0]))
            continue
        else:
            content, position = _read_extent(view, position, tag)
            fields.append((number, wire_type, view[content:position]))
        if tag != last_tag or number not in runs:
            last_tag, n_equal = tag, 0
            continue
        n_equal += 1
        if n_equal >= RUN_FIELDS:
            n_equal = 0
            values, end = _read_run(view, tag, (start, content, position), limits.run_fields)
            if end > position:
                fields.append((number, wire_type, values))
                position = end
    limits.fields = max_fields - len(fields)
    return fields


def _read_tag(view: memoryview, position: int) -> tuple[int, int]:
    """Return the tag at the position and the position after it."""
    tag = view[position]
    if tag < 0x80:
        return tag, position + 1
    tag, end = read_varint(view, position)
    if tag > _MAX_TAG or end - position > _MAX_TAG_BYTES:
        raise WireError(f"the field number at byte {position} is too large")
    return tag, end


def _read_extent(view: memoryview, position: int, tag: int) -> tuple[int, int]:
    """Return where the content of a field begins and ends that is neither a varint nor a group."""
    number, wire_type = tag >> 3, tag & 7
    begin = position
    if wire_type == LENGTH_DELIMITED:
        size, begin = read_varint(view, position)
        if begin - position > _MAX_SIZE_BYTES:
            raise WireError(f"field {number} has a size of more than {_MAX_SIZE_BYTES} bytes")
    elif wire_type in _FIXED_SIZES:
        size = _FIXED_SIZES[wire_type]
    else:
        raise WireError(f"field {number} has wire type {wire_type}, which is not allowed there")
    end = begin + size
    if end > len(view):
        raise WireError(f"field {number} ends at byte {end}, the message at {len(view)}")
    return begin, end


def _skip_group(
    view: memoryview, position: int, tag: int, depth: int, max_fields: int
) -> tuple[int, int]:
    """Return the position after a group whose tag ends at this one, and how many fields it has."""
    opened, n_fields = [tag >> 3], 0
    while opened:
        if depth + len(opened) > MAX_DEPTH:
            raise WireError(f"more than {MAX_DEPTH} groups lie within each other")
        if position == len(view):
            raise WireError(f"the group of field {opened[-1]} does not end")
        n_fields += 1
        if n_fields > max_fields:
            raise TooMuch("it has too many fields in groups")
        tag, position = _read_tag(view, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            _, position = read_varint(view, position)
        elif wire_type == START_GROUP:
            opened.append(number)
        elif wire_type != END_GROUP:
            _, position = _read_extent(view, position, tag)
        elif opened.pop() != number:
            raise WireError(f"a group ends as that of field {number}, which is another's number")
    return position, n_fields


def _read_run(
    view: memoryview, tag: int, places: tuple[int, int, int], max_fields: int
) -> tuple[memoryview, int]:
    """Return the contents of fields that follow one and have its tag and, but for varints, its
    size; and the position after them. `places` are where that one and its content begin and end.
    """
    start, content, end = places
    width, size = content - start, end - content
    following = view[end:]
    if tag & 7 == VARINT:
        if width > 1:
            return following[:0], end
        values, n_bytes = packed.take_varint_fields(following, tag, max_fields + 1)
        count = packed.count_varints(np.frombuffer(values, np.uint8))
    else:
        count = 0
        if size:
            count = packed.count_equal_fields(following, view[start:content], size, max_fields + 1)
        n_bytes = count * (width + size)
    if count > max_fields:
        raise TooMuch(f"it has more than {max_fields} fields {tag >> 3} in a row")
    if not count:
        return following[:0], end
    if tag & 7 != VARINT:
        values = packed.join_equal_fields(following, width, size, count)
    return values, end + n_bytes


def read_integer(fields: Iterable[Field], number: int) -> int:
    """Return the last value of a field of type int32, int64 or enum; 0 when it is absent."""
    last = 0
    for field, _, value in fields:
        if field == number and isinstance(value, int):
            last = value
    return last - (1 << 64) if last >> 63 else last


def read_contents(fields: Iterable[Field], number: int) -> list[memoryview]:
    """Return the bytes of each occurrence of a length-delimited field."""
    return [
        value
        for field, wire_type, value in fields
        if field == number and wire_type == LENGTH_DELIMITED and isinstance(value, memoryview)
    ]


def read_texts(fields: Iterable[Field], number: int) -> tuple[str, ...]:
    """Return each occurrence of a string field; raises WireError when one is not UTF-8."""
    return decode_texts(read_contents(fields, number), number)


def decode_texts(contents: Iterable[memoryview], number: int) -> tuple[str, ...]:
    """Return the texts of a string field; raises WireError when one is not UTF-8."""
    try:
        return tuple([str(content, "utf-8") for content in contents])
    except UnicodeDecodeError as error:
        raise WireError(f"field {number} is not UTF-8: {error}") from error


def read_text(fields: Iterable[Field], number: int) -> str:
    """Return the last value of a string field; empty when it is absent."""
    texts = read_texts(fields, number)
    return texts[-1] if texts else ""


def read_chunks(fields: Iterable[Field], number: int) -> list[memoryview]:
    """Return the bytes of a repeated float field, in the pieces in which they stand."""
    chunks = []
    for field, wire_type, value in fields:
        if field == number and not isinstance(value, int):
            if wire_type == LENGTH_DELIMITED and len(value) % 4:
                raise WireError(f"field {number} has {len(value)} bytes, no multiple of 4")
            if wire_type in (LENGTH_DELIMITED, FIXED32):
                chunks.append(value)
    return chunks


def read_floats(fields: Iterable[Field], number: int) -> npt.NDArray[np.float32]:
    """Return a repeated float field as a writable array (n,), whether it is packed or not.

    The numbers are copied once: in the message they are rarely aligned, which slows NumPy down.
    """
    return np.frombuffer(joined(read_chunks(fields, number)), "<f4").astype(np.float32)


def read_varints(fields: Iterable[Field], number: int) -> npt.NDArray[np.uint8]:
    """Return a repeated field of some integers as varints that follow each other, packed or not."""
    chunks = []
    for field, wire_type, value in fields:
        if field != number:
            continue
        if isinstance(value, int):
            chunks.append(memoryview(encode_varint(value)))
        elif wire_type == VARINT:
            chunks.append(value)
        elif wire_type == LENGTH_DELIMITED and len(value):
            if value[-1] >= 0x80:
                raise WireError(f"the last number of field {number} is cut off")
            chunks.append(value)
    return np.frombuffer(joined(chunks), np.uint8)


def read_integers(fields: Iterable[Field], number: int) -> npt.NDArray[np.int64]:
    """Return a repeated int32 or int64 field as an array (n,), whether it is packed or not."""
    try:
        return packed.decode_varints(read_varints(fields, number))
    except ValueError as error:
        raise WireError(f"field {number}: {error}") from error


def joined(chunks: Sequence[memoryview]) -> memoryview:
    """Return the chunks of a packed field as one; the only chunk is not copied."""
    return chunks[0] if len(chunks) == 1 else memoryview(b"".join(chunks))
