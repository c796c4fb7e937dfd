"""The main job: NumPy weights, exported, served, and asked for all 10,000 MNIST test images."""

import numpy as np

import mlpserve
from exporter import network
from exporter.network.network import Batch
from exporter.training.mnist import Labels
from harness.server_process import ROOT, ServerProcess


def test_server_answers_as_numpy_does_on_all_test_images(
    each_server: ServerProcess, digits: tuple[Batch, Labels]
) -> None:
    images, truth = digits
    shipped = network.load(ROOT / "exporter" / "weights" / "digits.npz")
    expected = shipped.network.forward(images)[-1]
    with mlpserve.Client(each_server.grpc_address) as client:
        answers = [client.predict(images[i : i + 1000]) for i in range(0, len(images), 1000)]
    activations = np.concatenate([answer.activations for answer in answers])
    labels = np.concatenate([answer.labels for answer in answers])
    np.testing.assert_allclose(activations, expected, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(labels, expected.argmax(axis=1))
    correct = int((labels == truth).sum())
    assert correct == int((expected.argmax(axis=1) == truth).sum())


def test_one_image_a_call_answers_the_same(
    each_server: ServerProcess, digits: tuple[Batch, Labels]
) -> None:
    images = np.round(digits[0][:200] * 255).astype(np.uint8).reshape(-1, 28, 28)
    with mlpserve.Client(each_server.grpc_address) as client:
        together = client.predict(images)
        alone = [client.predict(image) for image in images]
    np.testing.assert_array_equal([answer.labels[0] for answer in alone], together.labels)
    np.testing.assert_allclose(
        [answer.activations[0] for answer in alone], together.activations, rtol=0, atol=1e-6
    )
