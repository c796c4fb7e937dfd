"""Predict over a real socket gives the right answers."""

import grpc
import numpy as np

from exporter import network
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.calls import BLACK, predict
from harness.server_process import ROOT
from mlpserve.v1.classifier_pb2 import PredictRequest


def test_answers_as_numpy_does(each_channel: grpc.Channel, digits: tuple[Batch, Labels]) -> None:
    reference = network.load(ROOT / "exporter" / "weights" / "digits.npz").network
    images = digits[0][:32]
    response = predict(each_channel, PredictRequest(pixels=images.ravel(), hidden_activations=True))
    *hidden, activations = reference.forward(images)
    assert (response.model, response.version) == ("digits", 1)
    assert list(response.label_names) == [str(digit) for digit in range(10)]
    np.testing.assert_array_equal(response.labels, activations.argmax(axis=1))
    answered = np.reshape(response.activations, (32, 10))
    np.testing.assert_allclose(answered, activations, rtol=0, atol=1e-6)
    assert [layer.neurons for layer in response.hidden_layers] == [16, 16]
    for layer, expected in zip(response.hidden_layers, hidden, strict=True):
        answered = np.reshape(layer.activations, (32, 16))
        np.testing.assert_allclose(answered, expected, rtol=0, atol=1e-6)


def test_hidden_layers_come_only_when_asked(each_channel: grpc.Channel) -> None:
    assert not predict(each_channel, PredictRequest(pixels=BLACK)).hidden_layers


def test_bytes_and_floats_answer_alike(each_channel: grpc.Channel) -> None:
    levels = np.random.default_rng(5).integers(0, 256, (3, 784), dtype=np.uint8)
    floats = levels.astype(np.float32) / np.float32(255)
    of_bytes = predict(each_channel, PredictRequest(pixels_u8=levels.tobytes()))
    assert of_bytes == predict(each_channel, PredictRequest(pixels=floats.ravel()))


def test_model_and_version_may_be_named(each_channel: grpc.Channel) -> None:
    named = predict(each_channel, PredictRequest(model="digits", version=1, pixels=BLACK))
    assert named == predict(each_channel, PredictRequest(pixels=BLACK))


def test_largest_batch_that_is_allowed(each_channel: grpc.Channel) -> None:
    response = predict(each_channel, PredictRequest(pixels_u8=bytes(784 * 1000)))
    assert len(response.labels) == 1000
    assert len(set(response.labels)) == 1
