"""Predict as JSON answers what gRPC answers, for images in each form that lists can have."""

import base64
import json
from typing import Any

import httpx
import numpy as np
import pytest

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from mlpserve import Client

Digits = tuple[Batch, Labels]


def predict(http: httpx.Client, body: object, path: str = "/v1/predict") -> Any:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/predict",
        "/v1/models/digits/predict",
        "/v1/models/digits/versions/1/predict",
    ],
)
def test_each_path_answers_as_grpc_does(
    http: httpx.Client, client: Client, digits: Digits, path: str
) -> None:
    images = digits[0][:5]
    answer = predict(http, {"pixels": images.tolist()}, path)
    told = client.predict(images)
    assert answer["labels"] == told.labels.tolist()
    assert answer["label_names"] == list(told.label_names)
    assert (answer["model"], answer["version"]) == ("digits", 1)
    # Floats of 32 bits, digit for digit.
    activations = np.array(answer["activations"], np.float32)
    np.testing.assert_array_equal(activations, told.activations, strict=True)
    assert answer.keys() == {"model", "version", "labels", "label_names", "activations"}


def test_floats_are_written_as_short_as_they_are(http: httpx.Client, client: Client) -> None:
    image = np.full(784, 0.1, np.float32)
    text = http.post("/v1/predict", content=b'{"pixels": [%s]}' % b",".join([b"0.1"] * 784)).text
    shortest = ",".join(
        np.format_float_positional(each) for each in client.predict(image).activations[0]
    )
    written = text.partition('"activations":[[')[2].partition("]")[0]
    assert [float(each) for each in written.split(",")] == [
        float(each) for each in shortest.split(",")
    ]
    assert max(map(len, written.split(","))) <= len("0.000000000") + 3


def test_shapes_of_the_same_images(http: httpx.Client, digits: Digits) -> None:
    images = digits[0][:3]
    bodies = [images, images.reshape(3, 28, 28), images.reshape(-1)]
    first, *others = [predict(http, {"pixels": body.tolist()}) for body in bodies]
    assert len(first["labels"]) == 3
    assert others == [first, first]
    one = [images[0], images[0].reshape(28, 28), images[:1]]
    first, *others = [predict(http, {"pixels": body.tolist()}) for body in one]
    assert len(first["labels"]) == 1
    assert others == [first, first]


def test_bytes_as_numbers_and_as_base64(http: httpx.Client, client: Client, digits: Digits) -> None:
    levels = np.rint(255 * digits[0][:3]).astype(np.uint8)
    told = client.predict(levels).activations
    for form in (
        levels.tolist(),
        levels.reshape(3, 28, 28).tolist(),
        levels.astype(float).tolist(),
        base64.b64encode(levels.tobytes()).decode(),
    ):
        answer = predict(http, {"pixels_u8": form})
        np.testing.assert_array_equal(np.array(answer["activations"], np.float32), told)


def test_integers_are_floats_too(http: httpx.Client, client: Client) -> None:
    answer = predict(http, {"pixels": [0, 1] * 392})
    told = client.predict(np.tile(np.array([0, 1], np.float32), 392)).activations
    np.testing.assert_array_equal(np.array(answer["activations"], np.float32), told)


def test_what_is_asked_for(http: httpx.Client, client: Client, digits: Digits) -> None:
    images = np.roll(digits[0][:3].reshape(3, 28, 28), 4, axis=2)
    asked: dict[str, Any] = dict.fromkeys(
        ("hidden_activations", "canonicalize", "canonical_pixels"), True
    )
    answer = predict(http, {"pixels": images.tolist(), **asked})
    told = client.predict(images, **asked)
    for layer, wanted in zip(answer["hidden_layers"], told.hidden_layers, strict=True):
        np.testing.assert_array_equal(np.array(layer, np.float32), wanted, strict=True)
    done = told.canonicalization
    assert done is not None
    assert answer["canonicalization"]["inverted"] == done.inverted.tolist()
    for name in ("scales", "shifts", "pixels"):
        found = np.array(answer["canonicalization"][name], np.float32)
        np.testing.assert_array_equal(found, getattr(done, name), strict=True)
    less = predict(http, {"pixels": images.tolist(), "canonicalize": True})
    assert less["canonicalization"].keys() == {"inverted", "scales", "shifts"}
    plain = predict(http, {"pixels": images.tolist(), **dict.fromkeys(asked, False)})
    assert plain.keys() == {"model", "version", "labels", "label_names", "activations"}


def test_a_large_batch(http: httpx.Client, client: Client, digits: Digits) -> None:
    levels = np.rint(255 * digits[0][:1_000]).astype(np.uint8)
    body = {"pixels_u8": base64.b64encode(levels.tobytes()).decode()}
    assert predict(http, body)["labels"] == client.predict(levels).labels.tolist()


def test_names_of_the_body_may_be_escaped(http: httpx.Client) -> None:
    body = json.dumps({"pixels": [0] * 784}).replace("pixels", "\\u0070ixels")
    assert http.post("/v1/predict", content=body).status_code == 200
