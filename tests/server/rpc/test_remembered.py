"""What is remembered of messages changes nothing in how they are read, and stays bounded."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlpserve.inference.open_inference_pb2 import ModelInferRequest
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.errors import InvalidField
from server.rpc import classifier
from server.rpc.inference import requests
from server.rpc.remembered import MAX_BYTES, MAX_KEYS, MAX_OF_KEY, Remembered
from server.running.calls import Read

Pixels = npt.NDArray[Any]
Tensor = ModelInferRequest.InferInputTensor
Asked = ModelInferRequest.InferRequestedOutputTensor


def infer(pixels: Pixels, *outputs: str, identifier: str = "", typed: bool = False) -> bytes:
    datatype = "UINT8" if pixels.dtype == np.uint8 else "FP32"
    message = ModelInferRequest(
        model_name="digits",
        model_version="1",
        id=identifier,
        inputs=[Tensor(name="pixels", datatype=datatype, shape=pixels.shape)],
        outputs=[Asked(name=name) for name in outputs],
    )
    message.parameters["canonicalize"].bool_param = False
    if not typed:
        message.raw_input_contents.append(pixels.tobytes())
    elif datatype == "FP32":
        message.inputs[0].contents.fp32_contents.extend(pixels.ravel())
    else:
        message.inputs[0].contents.uint_contents.extend(pixels.ravel())
    return message.SerializeToString()


def predict(pixels: Pixels, **fields: object) -> bytes:
    name = "pixels_u8" if pixels.dtype == np.uint8 else "pixels"
    values: object = pixels.tobytes() if name == "pixels_u8" else pixels.ravel()
    return PredictRequest(**{name: values}, **fields).SerializeToString()  # type: ignore[arg-type]


Make = Callable[[Pixels, int], bytes]
FORMS: dict[str, tuple[Read, Make]] = {
    # Pixels and a number that differs from call to call, as a message.
    "Predict": (classifier.read_request, lambda pixels, _: predict(pixels)),
    "Predict, named": (
        classifier.read_request,
        lambda pixels, _: predict(pixels, model="digits", version=1, hidden_activations=True),
    ),
    "ModelInfer": (requests.read_request, lambda pixels, _: infer(pixels)),
    "ModelInfer, id": (
        requests.read_request,
        lambda pixels, n: infer(pixels, identifier=str(n)),
    ),
    "ModelInfer, outputs": (
        requests.read_request,
        lambda pixels, _: infer(pixels, "labels", "hidden_1"),
    ),
    "ModelInfer, typed": (
        requests.read_request,
        lambda pixels, n: infer(pixels, "labels", identifier=str(n), typed=True),
    ),
}
MODULES: dict[Read, Any] = {
    classifier.read_request: classifier,
    requests.read_request: requests,
}


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in MODULES.values():
        monkeypatch.setattr(module, "_KNOWN", Remembered())


def unreadable(*_: object) -> None:
    raise AssertionError("the message is read once more")


@pytest.mark.parametrize(
    ("form", "dtype"),
    [
        (form, dtype)
        for form in FORMS
        for dtype in (np.float32, np.uint8)
        # Typed bytes are numbers, which are decoded one by one.
        if (form, dtype) != ("ModelInfer, typed", np.uint8)
    ],
)
def test_messages_that_differ_in_pixels_and_id_are_read_once(
    form: str, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, make = FORMS[form]
    first, *_ = read(make(np.zeros((2, 4), dtype), 10), True)
    monkeypatch.setattr(MODULES[read], "_read_request", unreadable)
    for number in (11, 7, 12345):
        pixels: Pixels = np.full((2, 4), number % 2, dtype)
        found, content, identifier = read(make(pixels, number), False)
        assert found is first
        assert bytes(content) == pixels.tobytes()
        has_id = "id" in form or "typed" in form
        assert ModelInferRequest.FromString(identifier).id == (str(number) if has_id else "")


def outcome(read: Read, message: bytes) -> tuple[object, ...]:
    """All that reading a message tells."""
    try:
        request, pixels, identifier = read(message, True)
    except InvalidField as error:
        return error.reason, error.message
    return (
        *(request.model, request.version, request.label, request.shape, request.is_bytes),
        *(request.outputs, request.canonicalize, request.hidden_activations, bytes(pixels)),
        ModelInferRequest.FromString(identifier).id,
    )


@pytest.mark.parametrize("form", FORMS)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=20)
def test_damaged_messages_are_read_as_if_nothing_were_known(form: str, seed: int) -> None:
    read, make = FORMS[form]
    chance = random.Random(seed)
    known = MODULES[read]._KNOWN = Remembered()
    dtype = chance.choice([np.float32, np.uint8])
    whole = make(np.full((2, 4), 1, dtype), 10)
    for _ in range(40):
        message = bytearray(make(np.full((2, 4), 1, dtype), chance.randrange(10, 100)))
        for _ in range(chance.randrange(3)):
            message[chance.randrange(len(message))] = chance.choice([0, 1, 0x1A, 0x80, 255, 10])
        read_known = outcome(read, bytes(message))
        MODULES[read]._KNOWN = Remembered()
        assert outcome(read, bytes(message)) == read_known
        MODULES[read]._KNOWN = known
        outcome(read, whole)


def test_an_id_elsewhere_is_not_mixed_up() -> None:
    pixels = np.zeros((1, 4), np.float32)
    last = ModelInferRequest(id="last").SerializeToString()
    for message in (infer(pixels) + last, infer(pixels, identifier="first") + last):
        for _ in range(2):
            *_, identifier = requests.read_request(message)
            assert ModelInferRequest.FromString(identifier).id == "last"


def test_ids_that_are_no_text_are_refused_each_time() -> None:
    message = infer(np.zeros((1, 4), np.float32), identifier="abcd")
    requests.read_request(message)
    for _ in range(2):
        with pytest.raises(InvalidField, match=r"is not an inference\.ModelInferRequest"):
            requests.read_request(message.replace(b"abcd", b"ab\xffd"))


def test_messages_that_never_come_again_fill_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Remembered()
    monkeypatch.setattr(classifier, "_KNOWN", known)
    for length in range(1, 500):
        message = predict(np.full((1, length), 0.5, np.float32))
        assert len(classifier.read_request(message)[1]) == 4 * length
    assert 0 < len(known._known) <= MAX_KEYS
    for version in range(10, 60):
        classifier.read_request(predict(np.zeros((1, 4), np.float32), version=version))
    assert max(map(len, known._known.values())) == MAX_OF_KEY
    known._known.clear()
    classifier.read_request(predict(np.zeros((1, 4), np.float32), label="x" * MAX_BYTES))
    assert not known._known


def test_pixels_in_pieces_are_not_remembered() -> None:
    pieces = predict(np.zeros((1, 2), np.float32)) + predict(np.ones((1, 2), np.float32))
    for _ in range(2):
        _, pixels, _ = classifier.read_request(pieces)
        assert bytes(pixels) == np.array([0, 0, 1, 1], "<f4").tobytes()
    assert not classifier._KNOWN._known
