"""A run copies pixels once, and answers each request by itself."""

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mlpserve.inference import open_inference_pb2 as protocol
from mlpserve.v1 import classifier_pb2
from server.models.model import Model, load_model
from server.rpc import classifier
from server.rpc.inference import requests
from server.running import run as prediction
from server.running.calls import Read
from server.running.pixels import SLICE_IMAGES
from server.running.request import Answer, Request

N_IMAGES = 2000
PIXELS = np.random.default_rng(0).random((N_IMAGES, 784), dtype=np.float32)


@pytest.fixture(scope="module")
def model(repository: Path) -> Model:
    return load_model(repository / "digits" / "1" / "model.onnx", "digits", 1)


def predict_message(images: slice, shift: int = 1) -> bytes:
    """Images whose pixels begin so many bytes after a multiple of four."""
    message = classifier_pb2.PredictRequest
    pixels = message(pixels=PIXELS[images].ravel()).SerializeToString()
    names = (message(model="m" * size).SerializeToString() for size in range(1, 5))
    return shifted([name + pixels for name in names], images, shift)


def infer_message(images: slice, shift: int = 1) -> bytes:
    pixels = PIXELS[images]
    tensor = protocol.ModelInferRequest.InferInputTensor
    written = [
        protocol.ModelInferRequest(
            id="i" * size,
            inputs=[tensor(name="pixels", datatype="FP32", shape=pixels.shape)],
            raw_input_contents=[pixels.tobytes()],
        )
        for size in range(1, 5)
    ]
    return shifted([request.SerializeToString() for request in written], images, shift)


def shifted(messages: list[bytes], images: slice, shift: int) -> bytes:
    first = PIXELS[images][0].tobytes()
    (found,) = (message for message in messages if message.index(first) % 4 == shift)
    return found


@dataclass(slots=True, eq=False)
class Part:
    request: Request
    pixels: memoryview
    size: int


def parts_of(messages: list[bytes], read: Read) -> list[Part]:
    arrived = (read(message, True) for message in messages)
    return [
        Part(request, pixels, len(pixels) // PIXELS[0].nbytes) for request, pixels, _ in arrived
    ]


def answer(model: Model, messages: list[bytes], read: Read) -> list[Answer]:
    """Do what the server does with messages that have met."""
    parts = parts_of(messages, read)
    run = prediction.run(model, parts)
    assert not any(run.errors)
    found = list(prediction.split(run, [part.size for part in parts]))
    assert len(found) == len(messages)
    for part, one in zip(parts, found, strict=True):
        part.request.write(one, b"")
    return found


@pytest.mark.parametrize(("n_images", "n_calls"), [(100, 1), (100, 10), (2000, 1), (2000, 10)])
@pytest.mark.parametrize("shift", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("write", "read"),
    [(predict_message, classifier.read_request), (infer_message, requests.read_request)],
    ids=["Predict", "ModelInfer"],
)
def test_pixels_are_copied_once_unless_they_are_aligned(
    model: Model,
    n_images: int,
    n_calls: int,
    shift: int,
    write: Callable[[slice, int], bytes],
    read: Read,
) -> None:
    step = n_images // n_calls
    slices = [slice(start, start + step) for start in range(0, n_images, step)]
    messages = [write(images, shift) for images in slices]
    answer(model, messages, read)
    tracemalloc.start()
    try:
        answer(model, messages, read)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # What the model reads, a slice of a large run at a time; another copy would double it.
    copied = min(n_images, SLICE_IMAGES) * PIXELS[0].nbytes
    if shift == 0 and step >= 100:
        copied = 0
    # Answers take 44 bytes an image and more for their labels.
    assert copied < most < 1.2 * copied + 250 * n_images


@pytest.mark.parametrize("shifts", [(0, 0, 0, 0, 0), (0, 1, 0, 1, 0), (1, 0, 1, 0, 1)])
@pytest.mark.parametrize("sizes", [(1, 150, 3, 600, 40), (300, 300, 1, 128, 127)])
def test_bad_pixels_are_found_in_the_calls_that_have_them(
    model: Model, sizes: tuple[int, ...], shifts: tuple[int, ...]
) -> None:
    messages, begin = [], 0
    for size, shift in zip(sizes, shifts, strict=True):
        messages.append(predict_message(slice(begin, begin + size), shift))
        begin += size
    # In place of the last pixel of each call in turn.
    for bad, remedy in ((np.nan, "not_finite"), (-1e-5, "pixel_range"), (3e38, "pixel_range")):
        for place in range(len(sizes)):
            changed = list(messages)
            changed[place] = changed[place][:-4] + np.float32(bad).tobytes()
            run = prediction.run(model, parts_of(changed, classifier.read_request))
            reasons = [error and error.reason for error in run.errors]
            assert reasons == [None] * place + [remedy] + [None] * (len(sizes) - place - 1)
    changed = [message[:-4] + np.float32(-0.0).tobytes() for message in messages]
    assert not any(prediction.run(model, parts_of(changed, classifier.read_request)).errors)


@pytest.mark.parametrize(
    "pieces", [[(0, 3), (9, 1)], [(0, 300), (300, 1), (301, 127), (428, 128), (556, 1)]]
)
@pytest.mark.parametrize("shift", [0, 1])
def test_answers_are_those_of_each_request_alone(
    model: Model, pieces: list[tuple[int, int]], shift: int
) -> None:
    messages = [predict_message(slice(start, start + size), shift) for start, size in pieces]
    together = answer(model, messages, classifier.read_request)
    for message, joined in zip(messages, together, strict=True):
        (alone,) = answer(model, [message], classifier.read_request)
        assert alone.labels == joined.labels
        np.testing.assert_allclose(
            np.frombuffer(alone.layers[0], "<f4"), np.frombuffer(joined.layers[0], "<f4"), atol=1e-6
        )
