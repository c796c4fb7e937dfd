"""The wire reader agrees with protobuf, which is the reference, and survives any bytes."""

import struct

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from mlpserve import wire
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
    st.sampled_from([0, 1, 2, 5]),
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
    except wire.WireError as error:
        if "wire type 3" in str(error):
            # A group: no part of proto3, but protobuf passes over it.
            reject()
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
        (b"\x0b", "wire type 3"),
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
