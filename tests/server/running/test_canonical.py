"""The server normalises images when a request asks for it, and those of that request alone."""

from pathlib import Path

import grpc
import numpy as np
import pytest

import mlpserve
from canonical import canonicalize
from exporter import network
from exporter.export import graph, publishing
from exporter.network.network import Batch
from exporter.study.distortions import DISTORTIONS
from exporter.training.mnist import Labels
from harness.calls import predict, predict_method, violation
from harness.networks import random_network
from harness.server_process import ROOT, ServerProcess, start_server
from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest

SHIPPED = network.load(ROOT / "exporter" / "weights" / "digits.npz")
REFERENCE, LAYOUT = SHIPPED.network, SHIPPED.image_layout


@pytest.fixture(scope="module")
def moved(digits: tuple[Batch, Labels]) -> Batch:
    """A hundred digits that the network can't read where they are, every second one inverted."""
    images = DISTORTIONS["shifted 4 px down and right"](digits[0][:100])
    images[::2] = 1 - images[::2]
    return images


def test_answers_and_tells_what_was_done(
    each_server: ServerProcess, moved: Batch, digits: tuple[Batch, Labels]
) -> None:
    expected = canonicalize(moved, LAYOUT)
    with mlpserve.Client(each_server.grpc_address) as client:
        prediction = client.predict(moved, canonicalize=True)
        assert client.predict(moved).canonicalization is None
    outputs = REFERENCE.forward(expected.batch)[-1]
    np.testing.assert_allclose(prediction.activations, outputs, rtol=0, atol=1e-5)
    assert np.mean(prediction.labels == digits[1][:100]) > 0.9
    done = prediction.canonicalization
    assert done is not None
    np.testing.assert_array_equal(done.inverted, np.arange(100) % 2 == 0)
    np.testing.assert_array_equal(done.scales, expected.scales)
    np.testing.assert_array_equal(done.shifts, expected.shifts)


def test_bytes_are_normalised_too(server: ServerProcess, moved: Batch) -> None:
    levels = np.round(moved * 255).astype(np.uint8)
    expected = canonicalize(levels.astype(np.float32) / np.float32(255), LAYOUT)
    with mlpserve.Client(server.grpc_address) as client:
        prediction = client.predict(levels, canonicalize=True)
    outputs = REFERENCE.forward(expected.batch)[-1]
    np.testing.assert_allclose(prediction.activations, outputs, rtol=0, atol=1e-5)


def test_neighbours_stay_as_they_are(each_channel: grpc.Channel, moved: Batch) -> None:
    requests = [
        PredictRequest(pixels=image, canonicalize=number % 2 == 0)
        for number, image in enumerate(moved)
    ]
    futures = [
        predict_method(each_channel).future(request.SerializeToString(), timeout=60)
        for request in requests
    ]
    as_it_is = REFERENCE.forward(moved)[-1]
    normalised = REFERENCE.forward(canonicalize(moved, LAYOUT).batch)[-1]
    for number, future in enumerate(futures):
        response = future.result()
        assert response.HasField("canonicalization") == (number % 2 == 0)
        expected = (as_it_is if number % 2 else normalised)[number]
        np.testing.assert_allclose(response.activations, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("level", "inverted"), [(0, False), (255, True)])
def test_image_without_ink_is_answered(channel: grpc.Channel, level: int, inverted: bool) -> None:
    request = PredictRequest(pixels_u8=bytes([level]) * 784, canonicalize=True)
    response = predict(channel, request)
    assert np.isfinite(response.activations).all()
    done = response.canonicalization
    assert (list(done.inverted), list(done.scales), list(done.shifts)) == (
        *([inverted], [1, 1], [0, 0]),
    )


def test_bad_pixels_are_named_as_ever(channel: grpc.Channel) -> None:
    for bad in (np.nan, np.inf, -1.0, 3e38):
        request = PredictRequest(pixels=[0.0] * 5 + [bad] + [0.0] * 778, canonicalize=True)
        with pytest.raises(grpc.RpcError, match="image 0, pixel 5") as caught:
            predict(channel, request)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_parameter_of_the_open_inference_protocol(channel: grpc.Channel, moved: Batch) -> None:
    infer: grpc.UnaryUnaryMultiCallable[bytes, protocol.ModelInferResponse] = channel.unary_unary(
        "/inference.GRPCInferenceService/ModelInfer",
        response_deserializer=protocol.ModelInferResponse.FromString,
    )
    tensor = protocol.ModelInferRequest.InferInputTensor
    request = protocol.ModelInferRequest(
        inputs=[tensor(name="pixels", datatype="FP32", shape=moved.shape)],
        raw_input_contents=[moved.tobytes()],
    )
    request.parameters["canonicalize"].bool_param = True
    labels = np.frombuffer(infer(request.SerializeToString()).raw_output_contents[1], "<i8")
    expected = REFERENCE.forward(canonicalize(moved, LAYOUT).batch)[-1].argmax(axis=1)
    np.testing.assert_array_equal(labels, expected)
    request.parameters["canonicalize"].string_param = "yes"
    with pytest.raises(
        grpc.RpcError, match="'canonicalize': it is 'yes', which is not true or false"
    ):
        infer(request.SerializeToString())


def test_images_that_are_no_squares_are_refused(tmp_path: Path) -> None:
    publishing.publish(graph.build(random_network((6, 3))), tmp_path, "flat")
    with (
        start_server(tmp_path) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
    ):
        with pytest.raises(grpc.RpcError, match="6 pixels, which is not a square") as caught:
            predict(channel, PredictRequest(pixels=[0.0] * 6, canonicalize=True))
        assert violation(caught.value).reason == "NOT_SQUARE"
        assert predict(channel, PredictRequest(pixels=[0.0] * 6)).labels
