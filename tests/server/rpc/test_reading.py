"""Requests are read as protobuf reads them, which is the reference, and never more than is due."""

import struct
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpserve.inference.open_inference_pb2 import InferTensorContents, ModelInferRequest
from mlpserve.protocol import wire
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.errors import InvalidField, TakesLong
from server.models.policy import LABEL
from server.rpc import classifier, reading
from server.rpc.inference import requests
from server.rpc.inference.contents import MAX_LEVELS
from server.running.request import Request
from tests.server.rpc.encodings import Encoder, delimited, integer, with_tag

Read = Callable[..., tuple[Request, memoryview, bytes]]
Found = tuple[object, ...]


def found_in(read: Read, message: bytes) -> Found | str:
    """What a reader finds, or the reason why it refuses."""
    try:
        request, pixels, identifier = read(message)
    except InvalidField as error:
        with pytest.raises(InvalidField):
            read(message, patient=False)
        return error.reason
    quick, same_pixels, same_identifier = read(message, patient=False)
    name, same_name = (
        ModelInferRequest.FromString(one).id for one in (identifier, same_identifier)
    )
    assert (bytes(same_pixels), same_name) == (bytes(pixels), name)
    assert (quick.model, quick.outputs) == (request.model, request.outputs)
    return (
        *(request.model, request.version, request.label, request.is_bytes, request.shape),
        *(request.hidden_activations, request.canonicalize, request.outputs),
        *(bytes(pixels), name),
    )


def expected_of_predict(message: PredictRequest) -> Found | str:
    """What the request says, by protobuf."""
    if message.pixels and message.pixels_u8:
        return "both_forms"
    if message.version and message.label:
        return "both_versions"
    if message.canonical_pixels and not message.canonicalize:
        return "without_canonicalize"
    return (
        *(message.model, message.version, message.label, bool(message.pixels_u8), None),
        *(message.hidden_activations, message.canonicalize, ()),
        message.pixels_u8 or np.asarray(message.pixels, np.float32).tobytes(),
        "",
    )


def predict_message(seed: int) -> bytes:
    """A PredictRequest by chance."""
    encoder = Encoder(seed)
    fields = encoder.some(
        encoder.text(1, "", "digits", "é"),
        integer(2, encoder.number()),
        encoder.floats(3),
        encoder.floats(3),
        integer(5, encoder.number()),
        with_tag(6, 0, encoder.varint()),
        integer(8, encoder.number()),
        encoder.text(7, "", "stable"),
        delimited(4, bytes(encoder.random.randrange(3))) if encoder.random.random() < 0.3 else b"",
    )
    return encoder.damaged(encoder.mixed([fields], known=9))


@given(st.integers(0, 2**64))
@settings(max_examples=40)
def test_predict_is_read_as_protobuf_reads_it(seed: int) -> None:
    for message in map(predict_message, range(seed, seed + 50)):
        try:
            expected = expected_of_predict(PredictRequest.FromString(message))
        except DecodeError:
            assert isinstance(found_in(classifier.read_request, message), str), message
        else:
            assert found_in(classifier.read_request, message) == expected, message


def expected_of_infer(message: ModelInferRequest) -> Found | str:
    """What the request says, by protobuf."""
    if len(message.inputs) != 1:
        return "inputs"
    (tensor,), outputs = message.inputs, tuple(output.name for output in message.outputs)
    parameters = message.parameters
    is_flag = "canonicalize" not in parameters or parameters["canonicalize"].HasField("bool_param")
    for reason, is_wrong in (
        ("unknown_input", tensor.name != "pixels"),
        ("datatype", tensor.datatype not in ("FP32", "UINT8")),
        ("shape", len(tensor.shape) > requests.MAX_DIMENSIONS or min(tensor.shape, default=0) < 0),
        ("parameter", not is_flag),
        ("duplicate_output", len(set(outputs)) < len(outputs)),
        ("both_forms", message.raw_input_contents and tensor.HasField("contents")),
        ("inputs", len(message.raw_input_contents) > 1),
    ):
        if is_wrong:
            return reason
    shape, is_bytes = tuple(tensor.shape), tensor.datatype == "UINT8"
    n_values = int(np.prod(np.array(shape, object))) if shape and min(shape) > 0 else 0
    pixels = pixels_of(message, n_values)
    if isinstance(pixels, str):
        return pixels
    if len(pixels) != n_values * (1 if is_bytes else 4):
        return "byte_count"
    text = message.model_version
    is_label = LABEL.fullmatch(text) is not None
    is_number = text.isdecimal() and text.isascii() and len(text) < 20
    version = int(text) if is_number else 0
    if version >= 2**63 or (text and not is_number and not is_label):
        return "version"
    canonicalize = "canonicalize" in parameters and parameters["canonicalize"].bool_param
    hidden = bool(set(outputs) - {"activations", "labels"})
    return (
        *(message.model_name, version, text if is_label else "", is_bytes, shape),
        *(hidden, canonicalize, outputs or ("activations", "labels"), pixels),
        message.id,
    )


def pixels_of(message: ModelInferRequest, n_values: int) -> bytes | str:
    if message.raw_input_contents:
        return message.raw_input_contents[0]
    (tensor,) = message.inputs
    name = "uint_contents" if tensor.datatype == "UINT8" else "fp32_contents"
    if name == "uint_contents" and n_values > MAX_LEVELS:
        return "byte_count"
    if any(field.name != name for field, _ in tensor.contents.ListFields()):
        return "datatype"
    if name == "fp32_contents":
        return np.asarray(tensor.contents.fp32_contents, np.float32).tobytes()
    values = tensor.contents.uint_contents
    if len(values) != n_values:
        return "byte_count"
    return "pixel_range" if max(values, default=0) > 255 else bytes(values)


def infer_message(seed: int) -> bytes:
    """A ModelInferRequest by chance."""
    encoder = Encoder(seed)
    outputs = [
        delimited(6, encoder.mixed([encoder.text(1, *OUTPUTS)], known=2))
        for _ in range(encoder.random.choice((0, 0, 1, 2)))
    ]
    fields = encoder.some(
        encoder.text(1, "", "digits", "é"),
        encoder.text(2, "", "1", "stable", "0007", str(2**63 - 1), str(2**63), "1.5"),
        encoder.text(3, "", "call 7 é"),
        parameter(encoder, 4),
        parameter(encoder, 4),
        *outputs,
        delimited(7, bytes(encoder.random.randrange(9))) if encoder.random.random() < 0.3 else b"",
    )
    inputs = [delimited(5, tensor(encoder))]
    if encoder.is_rare():
        inputs *= encoder.random.choice((0, 2))
    return encoder.damaged(encoder.mixed([fields, *inputs], known=8))


OUTPUTS = ("labels", "activations", "hidden_1", "softmax")


def parameter(encoder: Encoder, number: int) -> bytes:
    """A parameter, which may lack something or have it twice."""
    pick = encoder.random.random()
    value = integer(1, pick < 0.5) if pick < 0.8 else encoder.odd(5)
    value = encoder.mixed([value, encoder.text(3, "on") if pick > 0.9 else b""], known=5)
    key = encoder.text(1, "canonicalize", "canonicalize", "other")
    return delimited(number, encoder.some(key, key, delimited(2, value), delimited(2, value)))


def tensor(encoder: Encoder) -> bytes:
    """An InferInputTensor, whose shape is mostly that of its values."""
    is_bytes = encoder.random.random() < 0.5
    contents = []
    for _ in range(encoder.random.choice((0, 1, 1, 2))):
        values = encoder.integers(4, is_small=not encoder.is_rare()), encoder.integers(4, True)
        if not is_bytes:
            values = encoder.floats(6), encoder.floats(6)
        contents.append(encoder.mixed(values, known=8))
    try:
        found = InferTensorContents.FromString(b"".join(contents))
        count = len(found.uint_contents if is_bytes else found.fp32_contents)
    except DecodeError:
        count = 0
    shape = delimited(3, b"\x01") + integer(3, count)
    fields = [
        encoder.text(1, "pixels"),
        encoder.text(2, "UINT8" if is_bytes else "FP32"),
        encoder.integers(3) if encoder.is_rare() else shape,
        parameter(encoder, 4) if encoder.is_rare() else b"",
        *(delimited(5, content) for content in contents),
    ]
    encoder.random.shuffle(fields)
    return encoder.mixed(fields, known=6)


@given(st.integers(0, 2**64))
@settings(max_examples=40)
def test_model_infer_is_read_as_protobuf_reads_it(seed: int) -> None:
    for message in map(infer_message, range(seed, seed + 50)):
        try:
            expected = expected_of_infer(ModelInferRequest.FromString(message))
        except DecodeError:
            assert isinstance(found_in(requests.read_request, message), str), message
        else:
            assert found_in(requests.read_request, message) == expected, message


KIBIBYTE, MEBIBYTE = 1024, 1024 * 1024
SIZE = 16 * MEBIBYTE


def filled(piece: bytes, size: int = SIZE) -> bytes:
    """A message of a size that holds nothing but the same field again and again."""
    return piece * (size // len(piece))


def input_of(*more: bytes, datatype: bytes = b"FP32", shape: bytes = b"\x01") -> bytes:
    """An input of one number, and whatever else."""
    fields = delimited(1, b"pixels"), delimited(2, datatype), delimited(3, shape), *more
    return delimited(5, b"".join(fields))


predict, infer = classifier.read_request, requests.read_request
FLOODS: dict[str, tuple[Read, Callable[[], bytes], str]] = {
    # what comes in a large number: reader, message, reason
    "integers": (predict, lambda: filled(integer(2, 1)), "too_many_fields"),
    "unknown integers": (predict, lambda: filled(integer(15, 1)), "too_many_fields"),
    "empty texts": (predict, lambda: filled(delimited(1, b"")), "too_many_fields"),
    "empty pieces of pixels": (predict, lambda: filled(delimited(3, b"")), "too_many_fields"),
    "pieces of pixels": (
        predict,
        lambda: filled(delimited(3, bytes(4)) + delimited(3, bytes(8))),
        "too_many_fields",
    ),
    "groups": (predict, lambda: filled(with_tag(9, 3, with_tag(9, 4, b""))), "too_many_fields"),
    "fields of a group": (
        predict,
        lambda: with_tag(9, 3, filled(integer(2, 1)) + with_tag(9, 4, b"")),
        "too_many_fields",
    ),
    "groups in groups": (predict, lambda: filled(with_tag(9, 3, b"")), "not_a_request"),
    "letters of a name": (predict, lambda: delimited(1, filled(b"a")), "description_bytes"),
    "names": (predict, lambda: filled(delimited(7, bytes(KIBIBYTE))), "too_many_fields"),
    "inputs": (infer, lambda: filled(delimited(5, b"")), "too_many_fields"),
    "outputs": (infer, lambda: input_of() + filled(delimited(6, b"")), "too_many_fields"),
    "parameters": (infer, lambda: input_of() + filled(delimited(4, b"")), "too_many_fields"),
    "raw contents": (infer, lambda: input_of() + filled(delimited(7, b"")), "too_many_fields"),
    "parameters of an input": (
        infer,
        lambda: input_of(filled(delimited(4, b""))),
        "too_many_fields",
    ),
    "parameters of an output": (
        infer,
        lambda: input_of() + delimited(6, filled(delimited(2, b""))),
        "description_bytes",
    ),
    "fields of an output": (
        infer,
        lambda: input_of() + delimited(6, filled(integer(9, 1))),
        "description_bytes",
    ),
    "letters of an output": (
        infer,
        lambda: input_of() + delimited(6, delimited(1, filled(b"a"))),
        "description_bytes",
    ),
    "letters of an id": (
        infer,
        lambda: input_of() + delimited(7, bytes(4)) + delimited(3, filled(b"a")),
        "description_bytes",
    ),
    "dimensions": (infer, lambda: input_of(shape=filled(b"\x01")), "description_bytes"),
    "a few dimensions": (infer, lambda: input_of(shape=b"\x01" * 9), "shape"),
    "large dimensions": (infer, lambda: input_of(shape=(b"\xff" * 8 + b"\x7f") * 2200), "shape"),
    "unpacked dimensions": (infer, lambda: input_of(filled(integer(3, 1))), "too_many_fields"),
    "empty strings": (
        infer,
        lambda: input_of(delimited(5, filled(delimited(8, b"")))),
        "too_many_fields",
    ),
    "contents": (infer, lambda: input_of(filled(delimited(5, b""))), "too_many_fields"),
    "groups in contents": (
        infer,
        lambda: input_of(filled(delimited(5, (with_tag(9, 3, b"") + with_tag(9, 4, b"")) * 90))),
        "too_many_fields",
    ),
    "numbers beyond the shape": (
        infer,
        lambda: input_of(delimited(5, delimited(4, filled(b"\x01"))), datatype=b"UINT8"),
        "byte_count",
    ),
    "unpacked numbers beyond the shape": (
        infer,
        lambda: input_of(delimited(5, filled(integer(4, 1))), datatype=b"UINT8"),
        "too_many_fields",
    ),
    "numbers taken one by one": (
        infer,
        lambda: input_of(
            delimited(5, delimited(4, filled(b"\x01"))),
            datatype=b"UINT8",
            shape=b"\x80\x80\x80\x08",
        ),
        "byte_count",
    ),
}


@pytest.mark.parametrize("what", FLOODS)
def test_floods_are_refused_before_they_cost_anything(what: str) -> None:
    read, make, reason = FLOODS[what]
    message = make()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidField) as caught:
            read(message)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.reason == reason
    assert len(caught.value.message) < 500
    assert peak < SIZE / 3


def in_fields(number: int, contents: list[bytes]) -> bytes:
    """Unpacked numbers, each of four bytes."""
    return b"".join(with_tag(number, 5, content) for content in contents)


def unpacked_floats(count: int) -> list[bytes]:
    return [struct.pack("<f", number / count) for number in range(count)]


FLOATS = unpacked_floats(100 * 784)
LEVELS = [number % 256 for number in range(400 * 784)]
SHAPE = wire.encode_varint(len(FLOATS))
SLOW: dict[str, tuple[Read, bytes, bytes]] = {
    # what takes its time: reader, message, pixels
    "unpacked": (predict, in_fields(3, FLOATS), b"".join(FLOATS)),
    "pieces": (predict, delimited(3, bytes(200 * KIBIBYTE)) * 2, bytes(400 * KIBIBYTE)),
    "many pieces": (predict, delimited(3, FLOATS[7]) * 70_000, FLOATS[7] * 70_000),
    "unpacked contents": (
        infer,
        input_of(delimited(5, in_fields(6, FLOATS)), shape=SHAPE),
        b"".join(FLOATS),
    ),
    "packed levels": (
        infer,
        input_of(
            delimited(5, delimited(4, wire.encode_varints(LEVELS))),
            datatype=b"UINT8",
            shape=wire.encode_varint(len(LEVELS)),
        ),
        bytes(LEVELS),
    ),
    "unpacked levels": (
        infer,
        input_of(
            delimited(5, b"".join(integer(4, level) for level in LEVELS)),
            datatype=b"UINT8",
            shape=wire.encode_varint(len(LEVELS)),
        ),
        bytes(LEVELS),
    ),
    "unknown fields": (predict, delimited(3, FLOATS[1]) + integer(9, 1) * 4000, FLOATS[1]),
}


@pytest.mark.parametrize("what", SLOW)
def test_what_takes_long_is_left_to_who_has_time(what: str) -> None:
    read, message, pixels = SLOW[what]
    with pytest.raises(TakesLong):
        read(message, patient=False)
    assert bytes(read(message)[1]) == pixels
    # Whoever comes second may take a shorter way.
    with pytest.raises(TakesLong):
        read(message, patient=False)


@pytest.mark.parametrize("n_images", [1, 4096])
def test_what_is_only_looked_at_takes_no_time(n_images: int) -> None:
    pixels = bytes(n_images * 784 * 4)
    size = wire.encode_varint(len(pixels) // 4)
    for read, message in (
        (predict, delimited(3, pixels)),
        (predict, delimited(4, pixels)),
        (predict, delimited(1, b"digits") + delimited(3, pixels)),
        (infer, input_of(shape=size) + delimited(7, pixels)),
        (infer, input_of(delimited(5, delimited(6, pixels)), shape=size)),
    ):
        found = read(message, patient=False)[1]
        assert bytes(found) == pixels
        # Nothing is copied: the pixels still lie in the message.
        assert found.obj is message


def test_unpacked_pixels_take_no_object_each() -> None:
    message = in_fields(3, unpacked_floats(200_000))
    tracemalloc.start()
    try:
        pixels = predict(message)[1]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert bytes(pixels) == b"".join(unpacked_floats(200_000))
    # The pixels themselves, and a little.
    assert peak < 2 * len(pixels) + MEBIBYTE


@pytest.mark.parametrize("length", [reading.MAX_NAME, 10_000, MEBIBYTE])
def test_long_names_are_not_kept(length: int) -> None:
    name = "é" * (length // 2)
    for request in (
        predict(PredictRequest(model=name, label=name).SerializeToString())[0],
        infer(input_of() + delimited(7, bytes(4)) + delimited(1, name.encode()))[0],
    ):
        kept = request.model
        assert kept == name[: reading.MAX_NAME + 1]
        assert (len(kept) > reading.MAX_NAME) == (len(name) > reading.MAX_NAME)


LONG = "x" * 50_000


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (predict, PredictRequest(version=1, label=LONG).SerializeToString()),
        (infer, delimited(5, delimited(1, LONG.encode()))),
        (infer, delimited(5, delimited(1, b"pixels") + delimited(2, LONG.encode()))),
        (infer, input_of() + delimited(6, delimited(1, LONG[:9000].encode())) * 2),
        (infer, input_of() + delimited(7, bytes(4)) + delimited(2, LONG.encode())),
    ],
)
def test_texts_of_callers_are_cut_in_errors(read: Read, message: bytes) -> None:
    with pytest.raises(InvalidField, match=r"'x{50,100}\.\.\.x{20,50}'") as caught:
        read(message)
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[("", (0, "")), ("1", (1, "")), ("0007", (7, "")), ("stable", (0, "stable"))],
        *[(str(2**63 - 1), (2**63 - 1, "")), ("1" + "0" * 18, (10**18, ""))],
    ],
)
def test_every_version_that_there_may_be_can_be_named(text: str, expected: tuple[int, str]) -> None:
    assert requests.read_version(text) == expected


@pytest.mark.parametrize(
    "text", [str(2**63), "9" * 20, "9" * 5000, "-1", "1.0", "²", "٣", "1_0", " 1"]
)
def test_what_is_no_version(text: str) -> None:
    with pytest.raises(InvalidField, match="is not a version"):
        requests.read_version(text)
