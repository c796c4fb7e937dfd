"""Numbers of protobuf messages by the million: read all at once, with NumPy, in slices that stay in
the processor's cache.

What is wrong with them is said in ValueErrors; `wire` knows which field that concerns.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

MAX_VARINT_BYTES = 10
SLICE_BYTES = 1 << 18
_FIRST_ROWS = 64
_BITS_ABOVE = (0x7E, 0x7F, 0x7F, 0x0F)
"""In a number of type uint32, the bits 8 to 31 of the bytes behind the first."""

Bytes = npt.NDArray[np.uint8]


class NoByte(ValueError):
    """A number is not in [0, 255]; `place` is its index."""

    def __init__(self, place: int, value: int) -> None:
        super().__init__(f"value {place} is {value}")
        self.place = place
        self.value = value


def count_equal_fields(view: memoryview, head: memoryview, size: int, max_fields: int) -> int:
    """Return how many fields at the beginning of a message have the same head, which is what stands
    before a content of `size` bytes; at most `max_fields`.
    """
    width, stride = len(head), len(head) + size
    n_rows = min(len(view) // stride, max_fields)
    rows = np.frombuffer(view[: n_rows * stride], np.uint8).reshape(n_rows, stride)
    count, n_looked_at = 0, _FIRST_ROWS
    while count < n_rows:
        looked_at = rows[count : count + n_looked_at]
        is_equal = looked_at[:, 0] == head[0]
        for place in range(1, width):
            is_equal &= looked_at[:, place] == head[place]
        if not is_equal.all():
            return count + int(is_equal.argmin())
        count += len(looked_at)
        n_looked_at = min(4 * n_looked_at, SLICE_BYTES)
    return count


def join_equal_fields(view: memoryview, width: int, size: int, count: int) -> memoryview:
    """Return the contents of the first `count` fields, which have heads of `width` bytes."""
    contents: npt.NDArray[np.void] = np.ndarray(
        (count,), f"V{size}", view, offset=width, strides=(width + size,)
    )
    return memoryview(contents.tobytes())


def take_varint_fields(view: memoryview, tag: int, max_fields: int) -> tuple[memoryview, int]:
    """Return the varints of fields at the beginning of a message that have a tag of one byte, one
    after the other, and how many bytes these fields have; it stops soon after `max_fields`.
    """
    groups = np.frombuffer(view, np.uint8)
    taken: list[bytes] = []
    n_taken, position, size = 0, 0, _FIRST_ROWS
    while n_taken < max_fields:
        part = groups[position : position + size]
        # Tags and values are varints alike, in turn: what follows each second one is a tag.
        ends = np.flatnonzero(part < 0x80)[1::2] + 1
        if not len(ends):
            break
        tags = np.concatenate(([0], ends[:-1]))
        is_equal = part[tags] == tag
        count = len(ends) if is_equal.all() else int(is_equal.argmin())
        if not count:
            break
        is_value = np.ones(ends[count - 1], np.bool_)
        is_value[tags[:count]] = False
        taken.append(np.compress(is_value, part[: len(is_value)]).tobytes())
        n_taken += count
        position += len(is_value)
        if count < len(ends):
            break
        size = min(4 * size, SLICE_BYTES)
    return memoryview(b"".join(taken)), position


def decode_varints(groups: Bytes) -> npt.NDArray[np.int64]:
    """Decode varints that follow each other."""
    is_last = groups < 0x80
    if is_last.all():
        return groups.astype(np.int64)
    if not is_last[-1]:
        raise ValueError("the last number is cut off")
    ends = np.flatnonzero(is_last) + 1
    starts = np.concatenate(([0], ends[:-1]))
    sizes = ends - starts
    if sizes.max() > MAX_VARINT_BYTES:
        raise ValueError(f"a number has more than {MAX_VARINT_BYTES} bytes")
    places = np.arange(len(groups)) - np.repeat(starts, sizes)
    bits = (groups & 0x7F).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.bitwise_or.reduceat(bits, starts).view(np.int64)


def count_varints(groups: Bytes) -> int:
    """Return how many varints follow each other."""
    return sum(int(np.count_nonzero(part < 0x80)) for part in _slices(groups))


def decode_bytes(groups: Bytes) -> Bytes:
    """Decode varints of type uint32 that follow each other and are in [0, 255], else NoByte."""
    decoded: list[Bytes] = []
    for part in _cut_behind_numbers(groups):
        values = _decode_small(part)
        if values is None:
            found = decode_varints(part) & 0xFFFFFFFF
            place = int((found > 0xFF).argmax())
            raise NoByte(sum(map(len, decoded)) + place, int(found[place]))
        decoded.append(values)
    return decoded[0] if len(decoded) == 1 else np.concatenate((*decoded, groups[:0]))


def _decode_small(groups: Bytes) -> Bytes | None:
    """Decode varints of type uint32; None when one of them is not in [0, 255].

    What a byte adds to the number that begins at it or before is computed for all bytes, since that
    is faster than to look for those where one begins.
    """
    goes_on = groups >= 0x80
    if not goes_on.any():
        return groups
    is_first = np.concatenate(([True], ~goes_on[:-1]))
    values, is_large = groups & 0x7F, np.zeros(len(groups), np.bool_)
    # Whether what begins at each byte has one more so many places further on.
    reaches = goes_on
    for place in range(1, MAX_VARINT_BYTES + 1):
        reaches = reaches[: max(0, len(groups) - place)]
        if not reaches.any():
            break
        if place == MAX_VARINT_BYTES:
            raise ValueError(f"a number has more than {MAX_VARINT_BYTES} bytes")
        group = groups[place:]
        if place == 1:
            values[:-1] |= group * np.uint8(0x80) * reaches.view(np.uint8)
        if place <= len(_BITS_ABOVE):
            is_large[:-place] |= reaches & ((group & _BITS_ABOVE[place - 1]) != 0)
        reaches = reaches & goes_on[place:]
    return None if (is_large & is_first).any() else np.compress(is_first, values)


def _slices(groups: Bytes) -> Iterator[Bytes]:
    for begin in range(0, len(groups), SLICE_BYTES):
        yield groups[begin : begin + SLICE_BYTES]


def _cut_behind_numbers(groups: Bytes) -> Iterator[Bytes]:
    """Return slices that each end where a number does."""
    begin = 0
    while begin < len(groups):
        part = groups[begin : begin + SLICE_BYTES]
        lasts = np.flatnonzero(part[-MAX_VARINT_BYTES:] < 0x80)
        if begin + len(part) == len(groups):
            if part[-1] >= 0x80:
                raise ValueError("the last number is cut off")
        elif not len(lasts):
            raise ValueError(f"a number has more than {MAX_VARINT_BYTES} bytes")
        else:
            part = part[: len(part) - min(MAX_VARINT_BYTES, len(part)) + lasts[-1] + 1]
        yield part
        begin += len(part)
