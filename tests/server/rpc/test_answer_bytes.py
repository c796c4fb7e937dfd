"""The bytes of an answer are known before the model runs, closely, in every form."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canonical import Canonical
from mlpserve.inference.open_inference_pb2 import ModelInferRequest
from mlpserve.v1.classifier_pb2 import PredictRequest, PredictResponse
from modelfile.input_range import PIXELS
from server.errors import TooLarge
from server.models.model import MAX_NAMES_BYTES, Batch, Model
from server.rpc import classifier
from server.rpc.inference import requests
from server.running.request import Request
from server.running.run import Run, split


@dataclass
class Shape:
    """A model that is never run."""

    layer_sizes: tuple[int, ...]
    name: str = "modèle"
    version: int = 2**63 - 1

    input_range, takes_pixels = PIXELS, True

    @property
    def n_pixels(self) -> int:
        return self.layer_sizes[0]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(f"klasse é {index}" for index in range(self.layer_sizes[-1]))

    @property
    def label_names(self) -> bytes:
        names = json.dumps(self.labels, ensure_ascii=False).encode()
        return names if len(names) <= MAX_NAMES_BYTES else b""

    @property
    def n_hidden(self) -> int:
        return len(self.layer_sizes) - 2

    @property
    def outputs(self) -> tuple[str, ...]:
        return ("activations", "labels", *(f"hidden_{i + 1}" for i in range(self.n_hidden)))


def answer(request: Request, model: Shape, n_images: int, identifier: bytes = b"") -> bytes:
    """What the request would get, if all said the last label."""
    sizes = model.layer_sizes
    layers: list[Batch] = [
        np.zeros((n_images, size), np.float32) for size in (sizes[-1], *sizes[1:-1])
    ]
    labels = np.full(n_images, sizes[-1] - 1)
    done = Canonical(
        np.zeros((n_images, sizes[0]), np.float32),
        np.zeros(n_images, np.bool_),
        np.zeros((n_images, 2), np.float32),
        np.zeros((n_images, 2), np.float32),
    )
    its = cast(Model, model)
    run = Run(its, layers, labels, layers[0][:, 0], (), [done if request.canonicalize else None])
    (only,) = split(run, [n_images])
    return request.write(only, identifier)


def infer(outputs: list[str], raw: bool, class_count: int = 0) -> Request:
    tensor = ModelInferRequest.InferInputTensor(name="pixels", datatype="FP32", shape=[1])
    if not raw:
        tensor.contents.fp32_contents.append(0)
    message = ModelInferRequest(
        inputs=[tensor],
        outputs=[ModelInferRequest.InferRequestedOutputTensor(name=name) for name in outputs],
        raw_input_contents=[bytes(4)] if raw else [],
    )
    if class_count:
        message.outputs[0].parameters["classification"].int64_param = class_count
    return requests.read_request(message.SerializeToString())[0]


def predict(hidden: bool, canonicalize: bool, canonical_pixels: bool = False) -> Request:
    message = PredictRequest(
        hidden_activations=hidden, canonicalize=canonicalize, canonical_pixels=canonical_pixels
    )
    return classifier.read_request(message.SerializeToString())[0]


FORMS: dict[str, Callable[[], Request]] = {
    "predict": lambda: predict(False, False),
    "hidden": lambda: predict(True, False),
    "canonical": lambda: predict(False, True),
    "seen": lambda: predict(False, True, True),
    "all": lambda: predict(True, True, True),
    "infer": lambda: infer([], raw=True),
    "typed": lambda: infer([], raw=False),
    "labels": lambda: infer(["labels"], raw=False),
    "outputs": lambda: infer(["hidden_2", "labels", "activations", "hidden_1"], raw=True),
    "classes": lambda: infer(["activations", "labels"], raw=True, class_count=3),
    "typed classes": lambda: infer(["hidden_1"], raw=False, class_count=400),
    "typed outputs": lambda: infer(["hidden_2", "activations"], raw=False),
}


@pytest.mark.parametrize("form", FORMS)
@given(
    sizes=st.tuples(*[st.integers(1, 300)] * 4),
    n_images=st.integers(1, 300),
)
@settings(max_examples=25)
def test_answer_has_no_more_bytes_than_said(
    form: str, sizes: tuple[int, ...], n_images: int
) -> None:
    request, model = FORMS[form](), Shape(sizes)
    said = request.answer_bytes(cast(Model, model), n_images)
    identifier = b"\x1a\x7f" + bytes(127)
    written = len(answer(request, model, n_images, identifier))
    # A label may have a byte less than the last of them has.
    spare = n_images + 1000
    if "classes" in form:
        # The texts are those of zeros here.
        spare += said
    assert written <= said <= written + spare


@pytest.mark.parametrize("form", FORMS)
def test_answers_that_are_too_large_are_refused_before_the_run(form: str) -> None:
    request, model = FORMS[form](), cast(Model, Shape((784, 16, 16, 10)))
    size = request.answer_bytes(model, 100)
    request.check_answer(model, 100, size)
    words = (
        f"answer for 100 images has up to {size} bytes, larger than max_message_bytes, {size - 1}"
    )
    with pytest.raises(TooLarge, match=words) as caught:
        request.check_answer(model, 100, size - 1)
    assert caught.value.reason == "answer_bytes"


def test_names_that_are_no_unicode_do_not_lose_an_answer() -> None:
    model = Shape((4, 3), name="b\udcffad")
    response = PredictResponse.FromString(answer(predict(False, False), model, 1))
    assert response.model == "b?ad"
    assert answer(infer([], raw=True), model, 1)
