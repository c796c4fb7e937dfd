"""What rounding moves beyond a model's range is accepted, over both protocols, with the lane and
without, in streams, and by models of other numbers. What is further out is refused.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2

from exporter.export import graph, publishing
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.calls import predict, stream_method, violation
from harness.networks import random_network
from harness.server_process import mode, start_server
from mlpserve import Client, InvalidRequest
from mlpserve.v1.classifier_pb2 import PredictRequest
from modelfile.input_range import InputRange
from tests.server.rpc.infer_calls import infer, raw_request, typed_request

Activations = Callable[[grpc.Channel, Batch, str], Batch]

RANGE = InputRange(-2, 5)
MODEL = "wide"


def by_predict(channel: grpc.Channel, images: Batch, model: str) -> Batch:
    response = predict(channel, PredictRequest(pixels=images.ravel(), model=model))
    return np.array(response.activations)


def by_canonical_mode(channel: grpc.Channel, images: Batch, model: str) -> Batch:
    request = PredictRequest(pixels=images.ravel(), model=model, canonicalize=True)
    return np.array(predict(channel, request).activations)


def by_stream(channel: grpc.Channel, images: Batch, model: str) -> Batch:
    requests = [PredictRequest(pixels=image, model=model) for image in images]
    responses = list(stream_method(channel)(iter(requests), timeout=60))
    return np.concatenate([response.response.activations for response in responses])


def by_raw_tensor(channel: grpc.Channel, images: Batch, model: str) -> Batch:
    response = infer(channel, raw_request(images, "activations", model_name=model))
    return np.frombuffer(response.raw_output_contents[0], np.float32)


def by_typed_tensor(channel: grpc.Channel, images: Batch, model: str) -> Batch:
    request = typed_request(images, "activations")
    request.model_name = model
    response = infer(channel, request)
    typed = np.array(response.outputs[0].contents.fp32_contents, np.float32)
    return typed if len(typed) else np.frombuffer(response.raw_output_contents[0], np.float32)


CALLS: list[Activations] = [
    *(by_predict, by_canonical_mode, by_stream, by_raw_tensor, by_typed_tensor)
]


def shifted(images: Batch, low: float, high: float, shift: float) -> Batch:
    """Move the pixels at both ends of a range outwards."""
    moved = images.copy()
    moved[images == low] -= np.float32(shift)
    moved[images == high] += np.float32(shift)
    assert moved.min() < low
    assert moved.max() > high
    return moved


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("shift", [1.2e-7, 1e-6])
def test_pixels_that_rounding_moved(
    call: Activations, shift: float, each_channel: grpc.Channel, digits: tuple[Batch, Labels]
) -> None:
    images = digits[0][:3]
    expected = call(each_channel, images, "digits")
    found = call(each_channel, shifted(images, 0, 1, shift), "digits")
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("n_images", [1, 2, 700])
def test_rounding_in_batches_of_any_size(
    n_images: int, each_channel: grpc.Channel, digits: tuple[Batch, Labels]
) -> None:
    images = digits[0][:n_images]
    expected = by_predict(each_channel, images, "digits")
    found = by_predict(each_channel, shifted(images, 0, 1, 5e-7), "digits")
    np.testing.assert_allclose(found, expected, atol=1e-4)


def refused_by_predict(channel: grpc.Channel, images: Batch, model: str) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        by_predict(channel, images, model)
    found = violation(caught.value)
    return found.reason, found.description


def refused_by_tensor(channel: grpc.Channel, images: Batch, model: str) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        by_raw_tensor(channel, images, model)
    found = violation(caught.value)
    return found.reason, found.description


def refused_by_stream(channel: grpc.Channel, images: Batch, model: str) -> tuple[str, str]:
    request = PredictRequest(pixels=images.ravel(), model=model)
    (response,) = stream_method(channel)(iter([request]), timeout=60)
    status, detail = status_pb2.Status(), error_details_pb2.BadRequest()
    assert response.error.Unpack(status)
    assert status.details[0].Unpack(detail)
    return detail.field_violations[0].reason, detail.field_violations[0].description


REFUSED = [refused_by_predict, refused_by_tensor, refused_by_stream]


@pytest.mark.parametrize("refused", REFUSED)
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.00001, "pixel 400 is 1.00001; every pixel must be a number in [0, 1] (looks like over"),
        (-1e-5, "pixel 400 is -1e-05; every pixel must be a number in [0, 1]"),
        (2.8215, "pixel 400 is 2.8215; every pixel must be a number in [0, 1]"),
    ],
)
def test_more_than_rounding_is_refused(
    refused: Callable[[grpc.Channel, Batch, str], tuple[str, str]],
    value: float,
    words: str,
    each_channel: grpc.Channel,
) -> None:
    images = np.zeros((2, 784), np.float32)
    images[1, 400] = value
    reason, description = refused(each_channel, images, "digits")
    assert reason == "PIXEL_RANGE"
    assert f"image 1, {words}" in description


@pytest.mark.parametrize("refused", REFUSED)
def test_standardised_pixels_are_told_so(
    refused: Callable[[grpc.Channel, Batch, str], tuple[str, str]],
    each_channel: grpc.Channel,
    digits: tuple[Batch, Labels],
) -> None:
    images = digits[0][:5]
    for changed, words in (
        ((images - 0.1307) / 0.3081, "(looks standardised by MNIST's mean and deviation: send"),
        (2 * images - 1, "(looks like [-1, 1]: send (x + 1) / 2)"),
        (255 * images, "(looks like 0..255: divide by 255 or send uint8)"),
    ):
        reason, description = refused(each_channel, changed.astype(np.float32), "digits")
        assert reason == "PIXEL_RANGE"
        assert words in description


@pytest.fixture(scope="module")
def wide(
    lane: bool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[grpc.Channel, Client]]:
    """A server of a model that takes numbers in RANGE."""
    folder = tmp_path_factory.mktemp("wide")
    network = replace(random_network((9, 4, 3), ("tanh", "softmax")), input_range=RANGE)
    publishing.publish(graph.build(network), Path(folder), MODEL)
    with (
        start_server(folder, *mode(lane)) as server,
        grpc.insecure_channel(server.grpc_address) as channel,
        Client(server.grpc_address) as client,
    ):
        yield channel, client


def test_models_of_other_numbers(wide: tuple[grpc.Channel, Client]) -> None:
    channel, client = wide
    images = RANGE.at(np.random.default_rng(4).integers(0, 2, (30, 9)).astype(np.float32))
    for call in (by_predict, by_stream, by_raw_tensor, by_typed_tensor):
        expected = call(channel, images, MODEL)
        for shift in (5e-7, 4e-6):
            found = call(channel, shifted(images, -2, 5, shift), MODEL)
            np.testing.assert_allclose(found, expected, atol=1e-4)
    for refused in REFUSED:
        for changed in (shifted(images, -2, 5, 2e-5), 40 * images):
            reason, description = refused(channel, changed, MODEL)
            assert reason == "PIXEL_RANGE"
            assert "every pixel must be a number in [-2, 5] (prepare them as for" in description
    with pytest.raises(InvalidRequest, match=r"\[-2, 5\] \(prepare them as for training"):
        client.predict(images * 40)
