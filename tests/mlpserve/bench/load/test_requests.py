"""Requests are written as the server reads them, in the sizes that were asked for."""

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest

from mlpserve.bench.load.requests import as_form, make_requests, random_images
from mlpserve.bench.load.target import Target
from mlpserve.bench.result import Form, Plan, Protocol
from mlpserve.errors import InvalidRequest, InvalidResponse
from mlpserve.inference import open_inference_pb2 as inference
from mlpserve.v1 import classifier_pb2

N = 784
PREDICT = Target(Protocol.PREDICT, "digits", 3, "", N)
INFER = Target(Protocol.INFER, "digits", 3, "", N, "pixels", (1, 28, 28))
LEVELS = random_images(N)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("n_images", [1, 5])
def test_predict(form: Form, n_images: int) -> None:
    images = as_form(LEVELS[:n_images], form, N)
    request = classifier_pb2.PredictRequest.FromString(PREDICT.encode(images))
    assert (request.model, request.version) == ("digits", 3)
    if form is Form.BYTES:
        assert request.pixels_u8 == LEVELS[:n_images].tobytes()
        assert not request.pixels
    else:
        assert not request.pixels_u8
        np.testing.assert_allclose(request.pixels, LEVELS[:n_images].ravel() / 255, atol=1e-7)


@pytest.mark.parametrize("form", Form)
def test_infer(form: Form) -> None:
    images = as_form(LEVELS[:5], form, N)
    request = inference.ModelInferRequest.FromString(INFER.encode(images))
    (tensor,) = request.inputs
    assert (request.model_name, request.model_version) == ("digits", "3")
    assert (tensor.name, list(tensor.shape)) == ("pixels", [5, 1, 28, 28])
    assert tensor.datatype == ("UINT8" if form is Form.BYTES else "FP32")
    assert list(request.raw_input_contents) == [images.tobytes()]


def test_forms() -> None:
    floats = np.array([[0.0, 0.5, 1.0]])
    assert as_form(floats, Form.BYTES, 3).tolist() == [[0, 128, 255]]
    assert as_form(floats, Form.FLOATS, 3).dtype == np.float32
    assert as_form(np.array([[[True, False]]]), Form.BYTES, 2).tolist() == [[255, 0]]
    # Numbers of other models travel as they are.
    assert as_form(np.array([[-2.0, 3.0]]), Form.FLOATS, 2).tolist() == [[-2.0, 3.0]]


@pytest.mark.parametrize(
    ("images", "form", "words"),
    [
        (np.zeros(784), Form.FLOATS, r"the shape is \(784,\)"),
        (np.zeros((0, 784)), Form.FLOATS, r"the shape is \(0, 784\)"),
        (np.zeros((2, 783)), Form.FLOATS, "each has 783 numbers and the model takes 784"),
        (np.full((2, 784), 2.0), Form.BYTES, "send floats"),
        (np.full((2, 784), np.nan), Form.BYTES, "send floats"),
        (np.full((2, 784), "x"), Form.FLOATS, "they are of type <U1; give floats or uint8"),
    ],
)
def test_images_that_cannot_be_sent(images: Any, form: Form, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        as_form(images, form, N)


def test_sizes_come_as_often_as_their_weights_say() -> None:
    plan = Plan("localhost:1", batch=((1, 9.0), (64, 1.0)))
    labels = np.arange(len(LEVELS))
    requests = list(itertools.islice(make_requests(plan, PREDICT, LEVELS, labels, 0), 20_000))
    sizes = Counter(request.images for request in requests)
    assert sizes.keys() == {1, 64}
    assert sizes[64] == pytest.approx(2_000, rel=0.1)
    for request in requests[:20]:
        assert request.labels is not None
        sent = classifier_pb2.PredictRequest.FromString(request.message).pixels_u8
        assert sent == LEVELS[request.labels].tobytes()
        assert len(request.labels) == request.images


def test_processes_send_other_requests_and_the_seed_decides() -> None:
    plan = Plan("localhost:1", batch=((1, 1.0),))

    def first(process: int, plan: Plan = plan) -> list[bytes]:
        requests = make_requests(plan, PREDICT, LEVELS, None, process)
        return [request.message for request in itertools.islice(requests, 50)]

    assert first(0) == first(0) != first(1)


def test_labels_of_answers() -> None:
    answer = classifier_pb2.PredictResponse(
        labels=[1, 0], label_names=["a", "b"], activations=[0.0, 1.0, 1.0, 0.0]
    )
    assert PREDICT.read_labels(answer.SerializeToString()).tolist() == [1, 0]
    output = inference.ModelInferResponse.InferOutputTensor
    inferred = inference.ModelInferResponse(
        outputs=[
            output(name="activations", datatype="FP32", shape=[2, 1]),
            output(name="labels", datatype="INT64", shape=[2]),
        ],
        raw_output_contents=[bytes(8), np.array([7, 2], "<i8").tobytes()],
    )
    assert INFER.read_labels(inferred.SerializeToString()).tolist() == [7, 2]


@pytest.mark.parametrize("target", [PREDICT, INFER])
@pytest.mark.parametrize("response", [b"", b"\xff\xff\xff"])
def test_answers_without_labels(target: Target, response: bytes) -> None:
    with pytest.raises(InvalidResponse):
        target.read_labels(response)
