"""Whatever form a request over HTTP has, its answer is that of gRPC's ModelInfer, bit by bit."""

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import grpc
import httpx
import numpy as np
import orjson
import pytest

from exporter.network.network import Batch
from exporter.training.mnist import Labels
from tests.server.http.inference.asking import (
    INFER,
    LENGTH,
    Array,
    outputs,
    post,
    post_binary,
    tensor,
    values_of,
)
from tests.server.rpc.infer_calls import infer, raw_request

NAMES = ("hidden_2", "labels", "activations", "hidden_1")
N_IMAGES = 33


@pytest.fixture(scope="module")
def images(digits: tuple[Batch, Labels]) -> Array:
    return digits[0][:N_IMAGES]


@pytest.fixture(scope="module")
def wanted(channel: grpc.Channel, images: Array) -> dict[str, bytes]:
    """The values that gRPC answers, as bytes."""
    answer = infer(channel, raw_request(images, *NAMES))
    names = [output.name for output in answer.outputs]
    return dict(zip(names, answer.raw_output_contents, strict=True))


def check(response: httpx.Response, wanted: dict[str, bytes]) -> None:
    assert {name: values.tobytes() for name, values in values_of(response).items()} == wanted


@pytest.mark.parametrize("is_binary", [True, False])
@pytest.mark.parametrize(
    "shaped",
    [
        lambda images: images,
        lambda images: images.ravel(),
        lambda images: images.reshape(-1, 28, 28),
    ],
    ids=["nested", "flat", "deep"],
)
def test_json(
    client: httpx.Client,
    images: Array,
    wanted: dict[str, bytes],
    shaped: Callable[[Array], Array],
    is_binary: bool,
) -> None:
    data = shaped(images)
    shape = data.shape if data.ndim > 1 else images.shape
    content = {
        "inputs": [tensor(images, shape=list(shape), data=data)],
        "outputs": outputs(NAMES, binary_data=is_binary),
    }
    check(post(client, content), wanted)


@pytest.mark.parametrize("is_binary", [True, False])
def test_binary(
    client: httpx.Client, images: Array, wanted: dict[str, bytes], is_binary: bool
) -> None:
    content = {
        "inputs": [tensor(images, parameters={"binary_data_size": images.nbytes})],
        "outputs": outputs(NAMES),
        "parameters": {"binary_data_output": is_binary},
    }
    response = post_binary(client, content, images.tobytes())
    assert (LENGTH in response.headers) == is_binary
    kinds = {True: "application/octet-stream", False: "application/json"}
    assert response.headers["content-type"] == kinds[is_binary]
    check(response, wanted)


def test_each_output_has_its_own_form(
    client: httpx.Client, images: Array, wanted: dict[str, bytes]
) -> None:
    content = {
        "inputs": [tensor(images, data=images)],
        "outputs": [
            {"name": "labels", "parameters": {"binary_data": False}},
            {"name": "hidden_1"},
            {"name": "activations", "parameters": {"binary_data": True}},
        ],
        "parameters": {"binary_data_output": True},
    }
    response = post(client, content)
    described = orjson.loads(response.content[: int(response.headers[LENGTH])])["outputs"]
    assert ["data" in output for output in described] == [True, False, False]
    check(response, {name: wanted[name] for name in ("labels", "hidden_1", "activations")})


def test_raw_pixels_alone(client: httpx.Client, images: Array, wanted: dict[str, bytes]) -> None:
    response = client.post(INFER, content=images.tobytes(), headers={LENGTH: "0"})
    check(response, {name: wanted[name] for name in ("activations", "labels")})


@pytest.mark.parametrize(
    ("coding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed(
    client: httpx.Client,
    images: Array,
    wanted: dict[str, bytes],
    coding: str,
    compress: Callable[[bytes], bytes],
) -> None:
    content = {
        "inputs": [tensor(images, parameters={"binary_data_size": images.nbytes})],
        "outputs": outputs(NAMES, binary_data=True),
    }
    head = orjson.dumps(content)
    headers = {LENGTH: str(len(head)), "content-encoding": coding, "accept-encoding": coding}
    response = client.post(INFER, content=compress(head + images.tobytes()), headers=headers)
    assert response.headers["content-encoding"] == coding
    check(response, wanted)


@pytest.mark.parametrize("form", ["flat", "nested", "binary"])
def test_levels(client: httpx.Client, channel: grpc.Channel, images: Array, form: str) -> None:
    levels = np.rint(255 * images).astype(np.uint8)
    answer = infer(channel, raw_request(levels, *NAMES))
    content: dict[str, Any] = {"outputs": outputs(NAMES)}
    if form == "binary":
        content["inputs"] = [tensor(levels, parameters={"binary_data_size": levels.nbytes})]
        response = post_binary(client, content, levels.tobytes())
    else:
        content["inputs"] = [tensor(levels, data=levels.ravel() if form == "flat" else levels)]
        response = post(client, content)
    names = [output.name for output in answer.outputs]
    check(response, dict(zip(names, answer.raw_output_contents, strict=True)))


def test_classes(client: httpx.Client, channel: grpc.Channel, images: Array) -> None:
    asked = raw_request(images, "activations")
    asked.outputs[0].parameters["classification"].int64_param = 3
    asked.parameters["binary_data_output"].bool_param = False
    (wanted,) = infer(channel, asked).outputs
    content = {
        "inputs": [tensor(images, data=images)],
        "outputs": outputs(["activations"], classification=3),
    }
    (found,) = post(client, content).json()["outputs"]
    assert (found["datatype"], found["shape"]) == ("BYTES", [N_IMAGES, 3])
    assert [text.encode() for text in found["data"]] == list(wanted.contents.bytes_contents)


def test_everything_that_belongs_to_an_answer(client: httpx.Client, images: Array) -> None:
    content = {
        "id": "drawn by hand: ⑦ ✍",
        "inputs": [tensor(images[:1], data=images[:1], parameters={"note": "mine"})],
        "outputs": [{"name": "labels"}],
        "parameters": {
            "triton_enable_empty_final_response": True,
            "priority": 0,
            "timeout": 30_000_000,
            "canonicalize": True,
            "a text": "x",
            "a number": 0.5,
            "the largest": 2**64 - 1,
        },
    }
    assert post(client, content, "/v2/models/digits/versions/1/infer").json() == {
        "model_name": "digits",
        "model_version": "1",
        "id": content["id"],
        "parameters": {"triton_final_response": True},
        "outputs": [{"name": "labels", "datatype": "INT64", "shape": [1], "data": [7]}],
    }


def test_canonicalize_reads_what_is_drawn_into_a_corner(
    client: httpx.Client, channel: grpc.Channel, images: Array
) -> None:
    moved = np.zeros_like(images)
    moved.reshape(-1, 28, 28)[:, :24, :24] = images.reshape(-1, 28, 28)[:, 4:, 4:]
    asked = raw_request(moved, "labels")
    asked.parameters["canonicalize"].bool_param = True
    wanted = np.frombuffer(infer(channel, asked).raw_output_contents[0], "<i8")
    content = {"inputs": [tensor(moved, data=moved)], "parameters": {"canonicalize": True}}
    found = values_of(post(client, content))["labels"]
    np.testing.assert_array_equal(found, wanted)
    plain = values_of(post(client, content | {"parameters": {}}))["labels"]
    assert (plain != found).any()


def test_null_stands_for_what_is_not_there(client: httpx.Client, images: Array) -> None:
    given = tensor(images[:1], data=images[:1], parameters=None)
    plain = post(client, {"inputs": [tensor(images[:1], data=images[:1])]})
    nulls = {"id": None, "parameters": None, "outputs": None, "inputs": [given]}
    assert post(client, nulls).json() == plain.json()
