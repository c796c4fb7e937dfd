"""A run copies pixels once, and answers each request by itself."""

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1.classifier_pb2 import PredictRequest
from server.models.model import Model, load_model
from server.rpc import classifier
from server.rpc.inference import requests
from server.running import run as prediction
from server.running.calls import Read
from server.running.request import Answer, Request

N_IMAGES = 2000
PIXELS = np.random.default_rng(0).random((N_IMAGES, 784), dtype=np.float32)


@pytest.fixture(scope="module")
def model(repository: Path) -> Model:
    return load_model(repository / "digits" / "1" / "model.onnx", "digits", 1)


def predict_message(images: slice) -> bytes:
    return PredictRequest(pixels=PIXELS[images].ravel()).SerializeToString()


def infer_message(images: slice) -> bytes:
    pixels = PIXELS[images]
    tensor = protocol.ModelInferRequest.InferInputTensor
    return protocol.ModelInferRequest(
        inputs=[tensor(name="pixels", datatype="FP32", shape=pixels.shape)],
        raw_input_contents=[pixels.tobytes()],
    ).SerializeToString()


@dataclass(slots=True, eq=False)
class Part:
    request: Request
    pixels: memoryview
    size: int


def answer(model: Model, messages: list[bytes], read: Read) -> list[Answer]:
    """Do what the server does with messages that have met."""
    parts = []
    for message in messages:
        request, pixels, _ = read(message, True)
        parts.append(Part(request, pixels, request.count_images(pixels, model, N_IMAGES)))
    run = prediction.run(model, parts)
    assert not any(run.errors)
    found = list(prediction.split(run, [part.size for part in parts]))
    assert len(found) == len(messages)
    for part, one in zip(parts, found, strict=True):
        part.request.write(one, b"")
    return found


@pytest.mark.parametrize(("n_images", "n_calls"), [(100, 1), (100, 10), (2000, 1), (2000, 10)])
@pytest.mark.parametrize(
    ("write", "read"),
    [(predict_message, classifier.read_request), (infer_message, requests.read_request)],
    ids=["Predict", "ModelInfer"],
)
def test_pixels_are_copied_once(
    model: Model, n_images: int, n_calls: int, write: Callable[[slice], bytes], read: Read
) -> None:
    step = n_images // n_calls
    messages = [write(slice(start, start + step)) for start in range(0, n_images, step)]
    answer(model, messages, read)
    tracemalloc.start()
    try:
        answer(model, messages, read)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # What the model reads, a slice of a large run at a time; another copy would double it.
    copied = min(n_images, prediction.SLICE_IMAGES) * PIXELS[0].nbytes
    # Answers take 44 bytes an image and more for their labels.
    assert copied < most < 1.2 * copied + 200 * n_images


@pytest.mark.parametrize(
    "pieces", [[(0, 3), (9, 1)], [(0, 300), (300, 1), (301, 127), (428, 128), (556, 1)]]
)
def test_answers_are_those_of_each_request_alone(
    model: Model, pieces: list[tuple[int, int]]
) -> None:
    messages = [predict_message(slice(start, start + size)) for start, size in pieces]
    together = answer(model, messages, classifier.read_request)
    for message, joined in zip(messages, together, strict=True):
        (alone,) = answer(model, [message], classifier.read_request)
        assert alone.labels == joined.labels
        np.testing.assert_allclose(
            np.frombuffer(alone.layers[0], "<f4"), np.frombuffer(joined.layers[0], "<f4"), atol=1e-6
        )
