"""Requests and responses of Predict agree with the generated classes, which are the reference."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlpserve import InvalidResponse, Prediction
from mlpserve.protocol import catalog, predict
from mlpserve.v1 import classifier_pb2

Layer = classifier_pb2.LayerActivations
Response = classifier_pb2.PredictResponse

SIZES = hnp.array_shapes(min_dims=1, max_dims=1, max_side=300)
FLOAT_PIXELS = hnp.arrays(np.float32, SIZES, elements=st.floats(width=32))
BYTE_PIXELS = hnp.arrays(np.uint8, SIZES)


@given(FLOAT_PIXELS, st.text(), st.integers(-(2**63), 2**63 - 1), st.booleans())
def test_float_request(
    pixels: npt.NDArray[np.float32], model: str, version: int, hidden: bool
) -> None:
    encoded = predict.encode_request(predict.encode_head(model, version, "", hidden), pixels)
    request = classifier_pb2.PredictRequest.FromString(encoded)
    assert (request.model, request.version, request.hidden_activations) == (model, version, hidden)
    assert np.array(request.pixels, dtype=np.float32).tobytes() == pixels.tobytes()
    assert not request.pixels_u8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": 3}, "model is 3; give the model's name as text"),
        ({"label": 1}, "label is 1; give the label's name as text"),
        ({"version": "1"}, "version is '1'; give a whole number, 0 for the newest$"),
        ({"version": "stable"}, "newest, or label='stable' for a label"),
        ({"version": 1.5}, "version is 1.5; give a whole number"),
        ({"hidden_activations": "yes"}, "hidden_activations is 'yes'; give True or False"),
        ({"canonicalize": None, "version": "x"}, "version is 'x'"),
    ],
)
def test_parameters_of_another_type(given: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        predict.encode_head(**given)
    if not given.keys() - {"model", "version", "label"}:
        asked = {"model": "", "version": 0, "label": "", **given}
        with pytest.raises(TypeError, match=message):
            catalog.encode_network_request(**asked)


def test_versions_that_are_too_large() -> None:
    with pytest.raises(ValueError, match="version is 9223372036854775808; give a whole number"):
        predict.encode_head(version=2**63)


def test_request_to_put_images_right() -> None:
    encoded = predict.encode_head(canonicalize=True)
    request = classifier_pb2.PredictRequest.FromString(encoded)
    assert (request.canonicalize, request.canonical_pixels) == (True, False)
    encoded = predict.encode_head(canonicalize=True, canonical_pixels=True)
    assert classifier_pb2.PredictRequest.FromString(encoded).canonical_pixels


def test_canonicalization_is_read_and_must_fit() -> None:
    done = classifier_pb2.Canonicalization(
        inverted=[True, False], scales=[1, 2, 3, 4], shifts=[0, -1, 0.5, 0]
    )
    response = Response(labels=[0, 0], label_names=["a"], activations=[1, 1], canonicalization=done)
    found = predict.decode_response(response.SerializeToString()).canonicalization
    assert found is not None
    assert found.inverted.tolist() == [True, False]
    assert found.scales.tolist() == [[1, 2], [3, 4]]
    assert found.shifts.tolist() == [[0, -1], [0.5, 0]]
    assert found.pixels is None
    response.canonicalization.pixels.extend(range(6))
    seen = predict.decode_response(response.SerializeToString()).canonicalization
    assert seen is not None
    assert seen.pixels is not None
    assert seen.pixels.tolist() == [[0, 1, 2], [3, 4, 5]]
    del response.canonicalization.pixels[5:]
    with pytest.raises(InvalidResponse, match="pixels has 5 numbers, not 2 x 2"):
        predict.decode_response(response.SerializeToString())
    del response.canonicalization.pixels[:]
    del response.canonicalization.inverted[1:]
    with pytest.raises(InvalidResponse, match="inverted has 1 answers, not 2"):
        predict.decode_response(response.SerializeToString())


@given(BYTE_PIXELS)
def test_byte_request(pixels: npt.NDArray[np.uint8]) -> None:
    encoded = predict.encode_request(predict.encode_head("digits", 1), pixels)
    assert encoded == classifier_pb2.PredictRequest(
        model="digits", version=1, pixels_u8=pixels.tobytes()
    ).SerializeToString(deterministic=True)


@pytest.mark.parametrize("n_rows", [5, 20_000])
def test_pixels_apart_in_memory_are_sent_row_by_row(n_rows: int) -> None:
    pixels = np.arange(8 * n_rows, dtype=np.float32).reshape(4, 2 * n_rows).T[::-2]
    request = classifier_pb2.PredictRequest.FromString(predict.encode_request(b"", pixels))
    assert list(request.pixels) == [pixel for row in pixels.tolist() for pixel in row]
    levels = pixels.astype(np.uint8)[::-1]
    request = classifier_pb2.PredictRequest.FromString(predict.encode_request(b"", levels))
    assert list(request.pixels_u8) == [level for row in levels.tolist() for level in row]


@st.composite
def responses(draw: st.DrawFn) -> Response:
    """Responses as a server writes them, of any sizes."""
    n_images, n_classes = draw(st.integers(1, 5)), draw(st.integers(1, 300))
    number = st.floats(width=32, allow_nan=False)

    def numbers(count: int) -> list[float]:
        return draw(st.lists(number, min_size=count, max_size=count))

    sizes = draw(st.lists(st.integers(1, 4), max_size=3))
    return Response(
        model=draw(st.text()),
        version=draw(st.integers(-(2**63), 2**63 - 1)),
        labels=draw(st.lists(st.integers(0, n_classes - 1), min_size=n_images, max_size=n_images)),
        label_names=[f"class {label}" for label in range(n_classes)],
        activations=np.resize(numbers(3), n_images * n_classes).tolist(),
        hidden_layers=[Layer(neurons=size, activations=numbers(n_images * size)) for size in sizes],
    )


def read_afresh(message: bytes) -> Prediction:
    return predict.ResponseReader().read(message)


def read_beside_the_last(message: bytes) -> Prediction:
    reader = predict.ResponseReader()
    with contextlib.suppress(InvalidResponse):
        reader.read(message)
    return reader.read(message)


READ = pytest.mark.parametrize("read", [read_afresh, read_beside_the_last])
Read = Callable[[bytes], Prediction]


@READ
@given(response=responses())
def test_response(read: Read, response: Response) -> None:
    prediction = read(response.SerializeToString())
    assert (prediction.model, prediction.version) == (response.model, response.version)
    assert prediction.label_names == tuple(response.label_names)
    assert prediction.labels.dtype == np.int64
    assert prediction.labels.tolist() == list(response.labels)
    assert len(prediction) == len(response.labels)
    assert prediction.names == tuple(f"class {label}" for label in response.labels)
    assert prediction.activations.dtype == np.float32
    assert prediction.activations.shape == (len(prediction), len(response.label_names))
    assert prediction.activations.ravel().tolist() == list(response.activations)
    for found, wanted in zip(prediction.hidden_layers, response.hidden_layers, strict=True):
        assert found.shape == (len(prediction), wanted.neurons)
        assert found.ravel().tolist() == list(wanted.activations)


@READ
def test_arrays_belong_to_the_caller(read: Read) -> None:
    message = Response(labels=[0], label_names=["a"], activations=[0.5]).SerializeToString()
    activations = read(message).activations
    assert activations.flags.aligned
    activations[0, 0] = 1


@pytest.mark.parametrize(
    "response",
    [
        Response(),
        Response(labels=[0], label_names=["a"], activations=[1, 2]),
        Response(labels=[1], label_names=["a"], activations=[1]),
        Response(labels=[-1], label_names=["a"], activations=[1]),
        Response(labels=[0], activations=[1]),
        Response(
            labels=[0],
            label_names=["a"],
            activations=[1],
            hidden_layers=[Layer(neurons=2, activations=[1])],
        ),
        Response(
            labels=[0],
            label_names=["a"],
            activations=[1],
            hidden_layers=[Layer(neurons=-1, activations=[])],
        ),
    ],
)
def test_response_that_contradicts_itself(response: Response) -> None:
    reader = predict.ResponseReader()
    reader.read(Response(labels=[0], label_names=["a"], activations=[1]).SerializeToString())
    with pytest.raises(InvalidResponse, match="not a valid PredictResponse"):
        reader.read(response.SerializeToString())


@given(responses(), responses(), st.data())
def test_response_that_is_cut_off(response: Response, last: Response, data: st.DataObject) -> None:
    message = response.SerializeToString(deterministic=True)
    cut = data.draw(st.integers(0, len(message) - 1))
    reader = predict.ResponseReader()
    reader.read(data.draw(st.sampled_from([last, response])).SerializeToString())
    try:
        prediction = reader.read(message[:cut])
    except InvalidResponse:
        return
    # Only whole hidden layers at the end can be missing without a trace.
    assert len(prediction.hidden_layers) < len(response.hidden_layers)


def frame_of(response: Response) -> predict._Frame:
    return predict._Frame.around(read_afresh(response.SerializeToString()))


@given(responses(), responses())
def test_only_what_lies_in_the_frame_is_read_by_it(response: Response, last: Response) -> None:
    reader = predict.ResponseReader()
    reader.read(last.SerializeToString())
    prediction = reader.read(response.SerializeToString())
    assert (prediction.model, prediction.version) == (response.model, response.version)
    assert prediction.label_names == tuple(response.label_names)
    assert prediction.labels.tolist() == list(response.labels)


def test_fields_in_another_order_or_twice_are_merged_as_protobuf_does() -> None:
    usual = Response(model="a", labels=[0], label_names=["a", "b"], activations=[1, 0])
    message = usual.SerializeToString()
    more = Response(labels=[1], activations=[0, 1], model="c").SerializeToString()
    for changed in (message + more, more + message, message + message[:3]):
        reader = predict.ResponseReader()
        reader.read(message)
        wanted = Response.FromString(changed)
        prediction = reader.read(changed)
        assert prediction.model == wanted.model
        assert prediction.labels.tolist() == list(wanted.labels)
        assert prediction.activations.ravel().tolist() == list(wanted.activations)


def test_heads_are_encoded_once() -> None:
    assert predict.encode_head("a", 1) is predict.encode_head("a", 1)


def test_usual_answers_are_read_by_the_frame() -> None:
    """Not for what it says, which is the same either way, but for what it costs."""
    usual = Response(model="a", version=3, labels=[1, 0], label_names="ab", activations=range(4))
    other = Response(model="a", version=3, labels=[0], label_names="ab", activations=[0, 1])
    other.hidden_layers.add(neurons=1, activations=[0.5])
    prediction = frame_of(usual).read(other.SerializeToString())
    assert prediction is not None
    assert prediction.hidden_layers[0].tolist() == [[0.5]]
    many = [str(label) for label in range(1000)]
    for labels in ([999], [1], [1, 999, 200]):
        large = Response(
            labels=labels, label_names=many, activations=range(1000 * len(labels))
        ).SerializeToString()
        prediction = predict._Frame.around(read_afresh(large)).read(large)
        assert prediction is not None
        assert prediction.labels.tolist() == labels
    other.version = 4
    assert frame_of(usual).read(other.SerializeToString()) is None
