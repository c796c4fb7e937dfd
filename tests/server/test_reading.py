"""Requests are read as protobuf reads them, which is the reference, and never more than is due."""

from collections.abc import Callable

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpserve.inference.open_inference_pb2 import InferTensorContents, ModelInferRequest
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.errors import InvalidField
from server.policy import LABEL
from server.request import Request
from server.rpc import classifier, inference
from tests.server.encodings import Encoder, delimited, integer, with_tag

Read = Callable[..., tuple[Request, memoryview]]
Found = tuple[object, ...]


def found_in(read: Read, message: bytes) -> Found | str:
    """What a reader finds, or the reason why it refuses."""
    try:
        request, pixels = read(message)
    except InvalidField as error:
        with pytest.raises(InvalidField):
            read(message, patient=False)
        return error.reason
    quick, same_pixels = read(message, patient=False)
    assert bytes(same_pixels) == bytes(pixels)
    assert (quick.model, quick.outputs) == (request.model, request.outputs)
    return (
        *(request.model, request.version, request.label, request.is_bytes, request.shape),
        *(request.hidden_activations, request.canonicalize, request.outputs, bytes(pixels)),
    )


def expected_of_predict(message: PredictRequest) -> Found | str:
    """What the request says, by protobuf."""
    if message.pixels and message.pixels_u8:
        return "both_forms"
    if message.version and message.label:
        return "both_versions"
    return (
        *(message.model, message.version, message.label, bool(message.pixels_u8), None),
        *(message.hidden_activations, message.canonicalize, ()),
        message.pixels_u8 or np.asarray(message.pixels, np.float32).tobytes(),
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
        encoder.text(7, "", "stable"),
        delimited(4, bytes(encoder.random.randrange(3))) if encoder.random.random() < 0.3 else b"",
    )
    return encoder.damaged(encoder.mixed([fields], known=8))


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
    for reason, is_wrong in (
        ("unknown_input", tensor.name != "pixels"),
        ("datatype", tensor.datatype not in ("FP32", "UINT8")),
        ("shape", len(tensor.shape) > inference.MAX_DIMENSIONS),
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
    canonicalize = False
    if "canonicalize" in message.parameters:
        value = message.parameters["canonicalize"]
        if value.WhichOneof("parameter_choice") != "bool_param":
            return "parameter"
        canonicalize = value.bool_param
    hidden = bool(set(outputs) - {"activations", "labels"})
    return (
        *(message.model_name, version, text if is_label else "", is_bytes, shape),
        *(hidden, canonicalize, outputs, pixels),
    )


def pixels_of(message: ModelInferRequest, n_values: int) -> bytes | str:
    if message.raw_input_contents:
        return message.raw_input_contents[0]
    (tensor,) = message.inputs
    name = "uint_contents" if tensor.datatype == "UINT8" else "fp32_contents"
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
        contents.append(encoder.mixed(values, known=9))
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
            assert isinstance(found_in(inference.read_request, message), str), message
        else:
            assert found_in(inference.read_request, message) == expected, message
