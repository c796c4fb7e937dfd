"""The wire reader agrees with protobuf, which is the reference, and survives any bytes."""

import struct

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpserve.inference.open_inference_pb2 import InferTensorContents
from mlpserve.protocol import packed, wire
from mlpserve.v1 import classifier_pb2

FLOATS = st.lists(st.floats(width=32), max_size=50)
INT32 = st.one_of(st.integers(-(2**31), 2**31 - 1), st.integers(0, 200))
INT64 = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(0, 200))

Response = classifier_pb2.PredictResponse


def fields_of(message: Response) -> list[wire.Field]:
    return wire.read_fields(message.SerializeToString())


@given(FLOATS)
def test_packed_floats_are_read_bit_for_bit(values: list[float]) -> None:
    read = wire.read_floats(fields_of(Response(activations=values)), 5)
    assert read.dtype == np.float32
    assert read.tobytes() == np.array(values, dtype=np.float32).tobytes()


@given(FLOATS, FLOATS)
def test_floats_are_joined_from_all_encodings(first: list[float], second: list[float]) -> None:
    unpacked = b"".join(b"\x2d" + struct.pack("<f", value) for value in second)
    message = Response(activations=first).SerializeToString() + unpacked
    read = wire.read_floats(wire.read_fields(message), 5)
    assert read.tobytes() == np.array(first + second, dtype=np.float32).tobytes()
    reference = Response.FromString(message)
    assert np.array(reference.activations, dtype=np.float32).tobytes() == read.tobytes()


@given(st.lists(INT32, max_size=50), st.lists(INT32, max_size=5))
def test_integers_are_joined_from_all_encodings(first: list[int], second: list[int]) -> None:
    unpacked = b"".join(b"\x18" + wire.encode_varint(value % 2**64) for value in second)
    message = Response(labels=first).SerializeToString() + unpacked
    assert wire.read_integers(wire.read_fields(message), 3).tolist() == first + second
    assert list(Response.FromString(message).labels) == first + second


@given(INT64)
def test_integer_is_read(value: int) -> None:
    assert wire.read_integer(fields_of(Response(version=value)), 2) == value


@given(st.text())
def test_text_is_read(value: str) -> None:
    assert wire.read_text(fields_of(Response(model=value)), 1) == value


@given(st.lists(st.text()))
def test_texts_are_read(values: list[str]) -> None:
    assert wire.read_texts(fields_of(Response(label_names=values)), 4) == tuple(values)


@given(st.integers(1, 2**29 - 1), st.binary(max_size=300))
def test_tagged_is_a_field_that_protobuf_reads(number: int, content: bytes) -> None:
    encoded = b"".join(wire.encode_tagged(number, content))
    assert wire.read_fields(encoded) == [(number, wire.LENGTH_DELIMITED, memoryview(content))]
    # Protobuf keeps fields that it doesn't know as they are.
    if number not in Response.DESCRIPTOR.fields_by_number:
        assert Response.FromString(encoded).SerializeToString() == encoded


def test_the_last_of_a_scalar_counts() -> None:
    both = Response(version=1, model="a"), Response(version=2, model="b")
    message = b"".join(part.SerializeToString() for part in both)
    fields = wire.read_fields(message)
    assert (wire.read_integer(fields, 2), wire.read_text(fields, 1)) == (2, "b")


def test_unknown_fields_are_passed_over() -> None:
    unknown = b"\x99\x06" + bytes(8) + b"\x95\x06" + bytes(4) + b"\x90\x06\x01"
    message = unknown + Response(version=7).SerializeToString()
    fields = wire.read_fields(message)
    assert [number for number, _, _ in fields] == [99, 98, 98, 2]
    assert wire.read_integer(fields, 2) == 7
    assert Response.FromString(message).version == 7


TAGS = st.builds(
    lambda number, kind: bytes([number << 3 | kind]),
    st.integers(1, 7),
    st.sampled_from([0, 1, 2, 3, 4, 5]),
)
SHORT = st.sampled_from([b"\x01", b"\x04", b"\x80"])
MESSY = st.lists(st.one_of(TAGS, SHORT, st.binary(max_size=6)))


def read_as_protobuf(content: bytes) -> tuple[int, list[int], bytes] | None:
    """What protobuf reads of version, labels and activations; None when it refuses."""
    try:
        message = Response.FromString(content)
    except DecodeError:
        return None
    activations = np.array(message.activations, dtype=np.float32)
    return message.version, list(message.labels), activations.tobytes()


def read_as_client(content: bytes) -> tuple[int, list[int], bytes] | None:
    """What the client reads of them; None when it refuses."""
    try:
        fields = wire.read_fields(content)
        labels = wire.read_integers(fields, 3).astype(np.int32)
        activations = wire.read_floats(fields, 5)
    except wire.WireError:
        return None
    return wire.read_integer(fields, 2), labels.tolist(), activations.tobytes()


@given(MESSY.map(b"".join))
@settings(max_examples=1000)
def test_any_bytes_are_read_as_protobuf_reads_them(content: bytes) -> None:
    wanted, found = read_as_protobuf(content), read_as_client(content)
    # The texts and layers, which are not read here, may be why protobuf refuses.
    if wanted is not None:
        assert found == wanted


def test_bits_beyond_the_64th_are_dropped() -> None:
    content = b"\x10" + b"\xfe" + b"\xff" * 8 + b"\x7f"
    assert read_as_client(content) == read_as_protobuf(content) == (-2, [], b"")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x00", "field number 0"),
        (b"\x0a\x05abc", "ends at byte 7, the message at 5"),
        (b"\x10\x80", "does not end"),
        (b"\x10" + b"\xff" * 10 + b"\x01", "does not end"),
        (b"\x0b", "group of field 1 does not end"),
        (b"\x0b\x14", "which is another's number"),
        (b"\x0c", "wire type 4"),
        (b"\x0f", "wire type 7"),
        (b"\x0b" * 101 + b"\x0c" * 101, "more than 100 groups"),
        (b"\x80\x80\x80\x80\x10\x01", "field number at byte 0 is too large"),
        (b"\x90\x80\x80\x80\x80\x00\x01", "field number at byte 0 is too large"),
        (b"\x0a\x81\x80\x80\x80\x80\x00a", "size of more than 5 bytes"),
        (b"\x25\x00\x00", "ends at byte 5"),
    ],
)
def test_no_message(content: bytes, reason: str) -> None:
    with pytest.raises(wire.WireError, match=reason):
        wire.read_fields(content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x2a\x03abc", "3 bytes, no multiple of 4"),
        (b"\x22\x01\xff", "not UTF-8"),
        (b"\x1a\x02\x01\x80", "cut off"),
        (b"\x1a\x0c" + b"\x80" * 11 + b"\x01", "more than 10 bytes"),
    ],
)
def test_no_values(content: bytes, reason: str) -> None:
    fields = wire.read_fields(content)
    with pytest.raises(wire.WireError, match=reason):
        [wire.read_floats(fields, 5), wire.read_texts(fields, 4), wire.read_integers(fields, 3)]


def tagged(number: int, wire_type: int, contents: list[bytes]) -> bytes:
    """Fields with the same number and type."""
    tag = wire.encode_varint(number << 3 | wire_type)
    return b"".join(tag + content for content in contents)


@pytest.mark.parametrize("n_before", [0, 1])
@pytest.mark.parametrize("count", [wire.RUN_FIELDS, wire.RUN_FIELDS + 1, 100, 3000])
def test_runs_of_fields_are_one(n_before: int, count: int) -> None:
    floats = [struct.pack("<f", number) for number in range(count)]
    pairs = [b"\x08" + struct.pack("<2f", number, -number) for number in range(count)]
    levels = [wire.encode_varint(number) for number in range(count)]
    other = Response(version=7).SerializeToString()
    message = other * n_before + b"".join(
        (tagged(5, 5, floats), tagged(5, 2, pairs), tagged(3, 0, levels), other)
    )
    fields = wire.read_fields(message, runs=(3, 5))
    n_runs = 3 * (wire.RUN_FIELDS + 2) + 1 + n_before
    assert len(fields) <= n_runs
    reference = Response.FromString(message)
    assert wire.read_floats(fields, 5).tolist() == list(reference.activations)
    assert wire.read_integers(fields, 3).tolist() == list(reference.labels)
    assert wire.read_integer(fields, 2) == 7
    # Anything else stays unchanged.
    assert len(wire.read_fields(message)) == 3 * count + 1 + n_before


SMALL = st.integers(0, 300)


@given(
    st.lists(st.tuples(SMALL | st.integers(0, 2**64 - 1), st.integers(0, 9)), max_size=20)
    | st.lists(st.tuples(st.integers(0, 255), st.integers(0, 9)), max_size=20)
)
@settings(max_examples=200)
def test_small_numbers_are_decoded_as_protobuf_does(numbers: list[tuple[int, int]]) -> None:
    values = [value for value, _ in numbers]
    content = b"".join(longer(wire.encode_varint(value), zeros) for value, zeros in numbers)
    wanted = [value % 2**32 for value in values]
    message = b"".join(wire.encode_tagged(4, content))
    assert list(InferTensorContents.FromString(message).uint_contents) == wanted
    groups = np.frombuffer(content, np.uint8)
    assert packed.count_varints(groups) == len(values)
    if max(wanted, default=0) < 256:
        assert packed.decode_bytes(groups).tolist() == wanted
        return
    with pytest.raises(packed.NoByte) as caught:
        packed.decode_bytes(groups)
    place = next(place for place, value in enumerate(wanted) if value > 255)
    assert (caught.value.place, caught.value.value) == (place, wanted[place])


def longer(varint: bytes, zeros: int) -> bytes:
    """The same number with more bytes than it needs, at most as many as there may be."""
    zeros = min(zeros, packed.MAX_VARINT_BYTES - len(varint))
    if not zeros:
        return varint
    return varint[:-1] + bytes([varint[-1] | 0x80]) + b"\x80" * (zeros - 1) + b"\x00"


@pytest.mark.parametrize("shift", range(12))
def test_numbers_may_lie_across_slices(shift: int) -> None:
    count = packed.SLICE_BYTES // 5
    content = bytes(shift) + b"".join(
        longer(wire.encode_varint(number % 256), number % 9) for number in range(count)
    )
    decoded = packed.decode_bytes(np.frombuffer(content, np.uint8))
    assert len(content) > packed.SLICE_BYTES + 100
    assert decoded.tolist() == [0] * shift + [number % 256 for number in range(count)]


@pytest.mark.parametrize("n_before", [0, packed.SLICE_BYTES - 5, packed.SLICE_BYTES])
@pytest.mark.parametrize("ending", [b"\x80", b"\x80" * 10 + b"\x00", b"\x80" * 30 + b"\x00"])
def test_numbers_that_do_not_end(n_before: int, ending: bytes) -> None:
    content = np.frombuffer(bytes(n_before) + ending, np.uint8)
    with pytest.raises(ValueError, match=r"cut off|more than 10 bytes"):
        packed.decode_bytes(content)


def test_fields_are_counted_down_in_groups_too() -> None:
    message = b"\x10\x01" * 10 + b"\x0b" + b"\x10\x01" * 10 + b"\x0c"
    limits = wire.Limits(fields=22)
    wire.read_fields(message, limits)
    assert limits.fields == 0
    for fields in range(22):
        with pytest.raises(wire.TooMuch):
            wire.read_fields(message, wire.Limits(fields))


@pytest.mark.parametrize("content", [b"\x1d" + bytes(4), b"\x18\x01", b"\x1a\x04" + bytes(4)])
def test_runs_are_bounded(content: bytes) -> None:
    message = content * 1000
    assert wire.read_fields(message, wire.Limits(100, 1000), runs=(3,))
    with pytest.raises(wire.TooMuch, match="more than 500 fields 3 in a row"):
        wire.read_fields(message, wire.Limits(100, 500), runs=(3,))
    # Empty ones are not numbers.
    with pytest.raises(wire.TooMuch):
        wire.read_fields(b"\x1a\x00" * 101, wire.Limits(100, 1000), runs=(3,))
